"""The merge tags of orders, with samples for previews."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import pgettext_lazy

from ...conf import triggers_settings
from ...content.tags import MergeTag, register_tags
from .. import samples

ABOUT_ORDER = frozenset({"order"})

_PLACED = datetime(2030, 5, 10, 9, 30, tzinfo=UTC)
_KEPT = datetime(2030, 5, 19, 18, 0, tzinfo=UTC)
_CARE = {
    "en": (["Care", "Warranty"], ["Wash by hand.", "Two years, with this order's number."]),
    "de": (["Pflege", "Garantie"], ["Von Hand spülen.", "Zwei Jahre, mit dieser Bestellnummer."]),
    "ru": (["Уход", "Гарантия"], ["Мойте вручную.", "Два года, по номеру этого заказа."]),
}

_ORDER = pgettext_lazy("triggers", "Order")
_FIRST = pgettext_lazy("triggers", "First product of the order")
_CARE_GROUP = pgettext_lazy("triggers", "Care, use and warranty")


def _titles(language: str) -> list[str]:
    return _CARE.get(language.partition("-")[0], _CARE["en"])[0]


def _texts(language: str) -> list[str]:
    return _CARE.get(language.partition("-")[0], _CARE["en"])[1]


def _url(language: str) -> str:
    return f"{triggers_settings().base_url}/"


#: Name, label and sample of what is known of an order.
_OF_ORDERS: tuple[tuple[str, Any, Any], ...] = (
    ("number", pgettext_lazy("triggers", "Order number"), "100017"),
    ("date", pgettext_lazy("triggers", "When it was placed"), _PLACED),
    ("status", pgettext_lazy("triggers", "Status of the order"), "Shipped"),
    ("url", pgettext_lazy("triggers", "Address of the order's page"), _url),
    ("pay_url", pgettext_lazy("triggers", "Address where the order is paid"), _url),
    ("tracking", pgettext_lazy("triggers", "Number of the parcel"), "1Z 999 AA1 01 2345 6784"),
    ("pickup_until", pgettext_lazy("triggers", "Until when it is kept for pick-up"), _KEPT),
    ("pickup_days_left", pgettext_lazy("triggers", "How many days it is still kept"), 5),
)


def register() -> None:
    """Register the merge tags; a second time changes nothing."""
    tags = [
        MergeTag(
            path=f"order.{name}", label=label, group=_ORDER, sample=sample, about_types=ABOUT_ORDER
        )
        for name, label, sample in _OF_ORDERS
    ]
    basket = {tag.path: tag for tag in samples.TAGS}
    total = basket["basket.total"]
    tags.append(
        MergeTag(
            path="order.total",
            label=total.label,
            group=_ORDER,
            sample=total.sample,
            about_types=ABOUT_ORDER,
        )
    )
    for name in ("title", "variant", "url", "image_url", "quantity", "line_price"):
        for path, group in ((f"lines[].{name}", _ORDER), (f"first.{name}", _FIRST)):
            of_basket = basket[f"basket.{path}"]
            tags.append(
                MergeTag(
                    path=f"order.{path}",
                    label=of_basket.label,
                    group=group,
                    sample=of_basket.sample,
                    about_types=ABOUT_ORDER,
                )
            )
    for name, label, sample in (
        ("title", pgettext_lazy("triggers", "What it is about"), _titles),
        ("text", pgettext_lazy("triggers", "The text"), _texts),
    ):
        tags.append(
            MergeTag(
                path=f"care[].{name}",
                label=label,
                group=_CARE_GROUP,
                sample=sample,
                about_types=ABOUT_ORDER,
            )
        )
    register_tags(tags)
