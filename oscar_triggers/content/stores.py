"""The shop in the reader's city: which shops there are, and which of them a letter names."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from django.utils.translation import pgettext_lazy

from ..conf import site_settings
from ..registry import Registry
from .tags import MergeTag, register_tags

logger = logging.getLogger(__name__)

#: What all its merge paths begin with.
ROOT = "store"
#: Rank of the source that ships; lower ones are asked first.
BUILT_IN = 100


@dataclass(frozen=True, kw_only=True)
class Store:
    """A shop that people can walk into."""

    name: str
    city: str
    #: ISO 3166 code of two letters, "" where it is the only country anyway.
    country: str = ""
    postcode: str = ""
    #: In one line, as a letter says it.
    address: str = ""
    phone: str = ""
    #: As in "Mon–Sat 10–19".
    hours: str = ""
    url: str = ""
    #: Named to whom no shop is near.
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where somebody lives, as far as the shop knows."""

    city: str
    country: str = ""
    postcode: str = ""


class StoreSource:
    """Names the shops that there are."""

    name: str = ""
    #: The one with the lowest that names any shop counts; those after it are not asked.
    rank: int = 10

    def stores(self, site_id: int | None) -> Sequence[Store]:
        """Return all shops of a site, in a constant number of queries."""
        raise NotImplementedError(f"{type(self).__name__} must define stores().")


registry: Registry[StoreSource] = Registry("store source")

S = TypeVar("S", bound=type[StoreSource])


def register(source_class: S) -> S:
    """Register a source of shops under its name, or its class name (a class decorator)."""
    registry.add_one_of(source_class)
    return source_class


def stores(site_id: int | None) -> list[Store]:
    """Return the shops of the first source that names any; one that fails is passed over."""
    for name, source in sorted(registry.items(), key=lambda item: (item[1].rank, item[0])):
        try:
            found = list(source.stores(site_id))
        except Exception as error:  # noqa: BLE001 - no letter fails because of the shop it names
            logger.warning("The store source %s is passed over (%s).", name, type(error).__name__)
            continue
        if found:
            return found
    return []


def spelled(city: str) -> str:
    """Return a city's name as it is compared: without case, accents, spaces and hyphens."""
    apart = unicodedata.normalize("NFKD", city.casefold())
    return "".join(letter for letter in apart if letter.isalnum())


def nearest(place: Place | None, known: Sequence[Store]) -> Store | None:
    """Return the shop in somebody's city, else the one marked for everybody, else None.

    Two countries may have a city of the same name: where it is not known which is meant, and both
    have a shop there, none of them is. Of several in one city the postcodes that begin alike count,
    then the name.
    """
    there = [] if place is None else [one for one in known if _is_in(place, one)]
    if place is not None and there and (place.country or len({one.country for one in there}) == 1):
        postcode = _compact(place.postcode)
        return min(
            there,
            key=lambda one: (
                -_alike(postcode, _compact(one.postcode)),
                one.name.casefold(),
                one.address,
            ),
        )
    country = place.country if place is not None else ""
    marked = [one for one in known if one.is_default]
    at_home = [one for one in marked if country and one.country.upper() == country.upper()]
    return next(iter(at_home or marked), None)


def _is_in(place: Place, store: Store) -> bool:
    countries = {place.country.upper(), store.country.upper()} - {""}
    city = spelled(place.city)
    return bool(city) and city == spelled(store.city) and len(countries) < 2


def _compact(postcode: str) -> str:
    return "".join(letter for letter in postcode.upper() if letter.isalnum())


def _alike(one: str, other: str) -> int:
    """Return how many letters two postcodes begin with alike."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


# ── Merge tags ───────────────────────────────────────────────────────────────────────────────────

_SAMPLES: dict[str, dict[str, str]] = {
    "en": {
        "name": "Tea House Whitby",
        "address": "12 Church Street, Whitby, YO22 4DE",
        "city": "Whitby",
        "phone": "+44 1947 555 0100",
        "hours": "Mon–Sat 10 am–6 pm",
    },
    "de": {
        "name": "Teehaus Bremen",
        "address": "Am Markt 12, 28195 Bremen",
        "city": "Bremen",
        "phone": "+49 421 5550100",
        "hours": "Mo–Sa 10–19 Uhr",
    },
    "ru": {
        "name": "Чайный дом, Казань",
        "address": "ул. Баумана, 12, Казань, 420111",
        "city": "Казань",
        "phone": "+7 843 555-01-00",
        "hours": "Пн–Сб 10:00–19:00",
    },
}


def _sample(name: str) -> Any:
    return lambda language: _SAMPLES.get(language.partition("-")[0], _SAMPLES["en"])[name]


def _url(language: str) -> str:
    return f"{site_settings(None).base_url}/"


TAGS: tuple[MergeTag, ...] = tuple(
    MergeTag(
        path=f"{ROOT}.{name}",
        label=label,
        group=pgettext_lazy("triggers", "The shop in the reader's city"),
        sample=sample,
    )
    for name, label, sample in (
        ("name", pgettext_lazy("triggers", "Name of the shop in the city"), _sample("name")),
        ("address", pgettext_lazy("triggers", "Its address"), _sample("address")),
        ("city", pgettext_lazy("triggers", "Its city"), _sample("city")),
        ("phone", pgettext_lazy("triggers", "Its phone number"), _sample("phone")),
        ("hours", pgettext_lazy("triggers", "Its opening hours"), _sample("hours")),
        ("url", pgettext_lazy("triggers", "Address of its page"), _url),
    )
)


def register_merge_tags() -> None:
    """Register what letters say of a shop; a second time changes nothing."""
    register_tags(TAGS)
