"""What letters recommend: lists of products that recommenders fill, the shop's own ones first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.templatetags.static import static
from django.utils.translation import pgettext_lazy

from ..conf import site_settings
from ..registry import Registry
from ..snapshots import Subject
from . import tags
from .tags import MergeTag, register_tags
from .values import Money

logger = logging.getLogger(__name__)

#: What all its merge paths begin with.
ROOT = "recommended"
#: Rank of the recommenders that ship; lower ones are asked first.
BUILT_IN = 100
#: How long a recommender that failed, or took too long, is left alone.
REST = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """A letter that wants to recommend something."""

    subject: Subject
    #: What it is about, the first one most of all; of a variant, the product it belongs to.
    products: tuple[int, ...] = ()
    #: What the person bought lately, newest first. It is not recommended again.
    bought: tuple[int, ...] = ()


class Recommender:
    """Names products for letters; whether they are shown and in stock is looked at afterwards."""

    name: str = ""
    #: Which list it fills: "companions" is `recommended.companions[]`.
    fills: str = ""
    #: What editors read beside the tags of a list of its own.
    label: Any = ""
    #: Of several that fill one list, the one with the lowest is asked first.
    rank: int = 10
    #: Where it asks another server: after so long the answer is not waited for any more.
    longest: timedelta | None = None

    def recommend_many(
        self, occasions: Sequence[Occasion], now: datetime, most: int
    ) -> Sequence[Sequence[int]]:
        """Return for each occasion ids of products, the best first, about `most` of them.

        Whoever asks the database does it in a constant number of queries; whoever names the same
        products for the same occasion keeps a letter the same when it is written again.
        """
        raise NotImplementedError(f"{type(self).__name__} must define recommend_many().")


registry: Registry[Recommender] = Registry("recommender")

R = TypeVar("R", bound=type[Recommender])


def register(recommender_class: R) -> R:
    """Register a recommender, and the merge tags of the list that it fills (a class decorator)."""
    if registry.add_one_of(recommender_class):
        register_tags(
            tag
            for tag in _tags(recommender_class.fills, recommender_class.label)
            if tag.path not in tags.registry
        )
    return recommender_class


def lists() -> list[str]:
    """Return the names of the lists that somebody fills, in the order of registration."""
    return list(dict.fromkeys(one.fills for one in registry.values()))


def recommend_many(
    fills: str, occasions: Sequence[Occasion], now: datetime, most: int
) -> list[list[int]]:
    """Ask those who fill a list, in their order, until each occasion has `most` products.

    One that fails or takes too long is passed over for a while, and the next one is asked.
    """
    found: list[dict[int, None]] = [{} for _one in occasions]
    chain = sorted(
        ((one.rank, name, one) for name, one in registry.items() if one.fills == fills),
        key=lambda ranked: ranked[:2],
    )
    for _rank, name, recommender in chain:
        short = [n for n, ids in enumerate(found) if len(ids) < most]
        if not short or _is_resting(name):
            continue
        answers = _ask(name, recommender, [occasions[n] for n in short], now, most)
        for position, ids in zip(short, answers, strict=False):
            unwanted = {*occasions[position].products, *occasions[position].bought}
            found[position].update(dict.fromkeys(pk for pk in ids if pk not in unwanted))
    return [list(ids)[:most] for ids in found]


# ── Those who fail ───────────────────────────────────────────────────────────────────────────────

#: Until when (of time.monotonic()) a recommender of this process is left alone.
_resting: dict[str, float] = {}


def _is_resting(name: str) -> bool:
    return time.monotonic() < _resting.get(name, 0.0)


def _ask(
    name: str, recommender: Recommender, occasions: Sequence[Occasion], now: datetime, most: int
) -> list[list[int]]:
    def ask() -> list[list[int]]:
        return [[int(pk) for pk in ids] for ids in recommender.recommend_many(occasions, now, most)]

    try:
        return ask() if recommender.longest is None else _in_time(ask, recommender.longest)
    except Exception as error:  # noqa: BLE001 - no letter fails because of what it recommends
        logger.warning("The recommender %s is passed over (%s).", name, type(error).__name__)
        if recommender.longest is not None:
            _resting[name] = time.monotonic() + REST.total_seconds()
        return []


def _in_time(ask: Callable[[], list[list[int]]], longest: timedelta) -> list[list[int]]:
    """Ask in a thread of its own, which is left behind when it takes too long."""
    answers: list[list[list[int]]] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001 - told by whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, name="recommender", daemon=True)
    thread.start()
    thread.join(longest.total_seconds())
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"No answer within {longest}.")
    return answers[0]


# ── Merge tags ───────────────────────────────────────────────────────────────────────────────────

_TITLES = {
    "en": ["Camping kettle", "Wool blanket", "Head torch"],
    "de": ["Campingkessel", "Wolldecke", "Stirnlampe"],
    "ru": ["Походный чайник", "Шерстяное одеяло", "Налобный фонарь"],
}
_PRICES = [Decimal("24.00"), Decimal("49.50"), Decimal("32.00")]


def _titles(language: str) -> list[str]:
    return _TITLES.get(language.partition("-")[0], _TITLES["en"])


def _urls(language: str) -> list[str]:
    return [f"{site_settings(None).base_url}/"] * len(_PRICES)


def _pictures(language: str) -> list[str]:
    try:
        picture = site_settings(None).base_url + static("oscar_triggers/no-picture.png")
    except ValueError:  # static files were not collected
        picture = ""
    return [picture] * len(_PRICES)


def _prices(language: str) -> list[Money]:
    currency = getattr(settings, "OSCAR_DEFAULT_CURRENCY", "EUR")
    return [Money(amount=price, currency=currency) for price in _PRICES]


#: What is said of each product: `recommended.companions[].title`.
_SAID: tuple[tuple[str, Any, Any], ...] = (
    ("title", pgettext_lazy("triggers", "Product title"), _titles),
    ("url", pgettext_lazy("triggers", "Address of the product page"), _urls),
    ("image_url", pgettext_lazy("triggers", "Address of the product picture"), _pictures),
    ("price", pgettext_lazy("triggers", "Price now"), _prices),
)


def _tags(fills: str, label: Any) -> list[MergeTag]:
    return [
        MergeTag(
            path=f"{ROOT}.{fills}[].{name}",
            label=said,
            group=label or pgettext_lazy("triggers", "Recommended products"),
            sample=sample,
        )
        for name, said, sample in _SAID
    ]
