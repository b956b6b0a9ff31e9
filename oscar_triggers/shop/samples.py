"""The merge tags of baskets and vouchers, with samples for previews."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import pgettext_lazy

from ..conf import triggers_settings
from ..content.tags import MergeTag, register_tags
from ..content.values import Money
from . import pictures

ABOUT_BASKET = frozenset({"basket"})

_TITLES = {
    "en": ["Enamel mug", "Ridge tent"],
    "de": ["Emaillebecher", "Firstzelt"],
    "ru": ["Эмалированная кружка", "Двускатная палатка"],
}
_VARIANTS = {
    "en": ["Colour: cream", ""],
    "de": ["Farbe: Creme", ""],
    "ru": ["Цвет: кремовый", ""],
}
_QUANTITIES = [2, 1]
_PRICES = [Decimal("12.50"), Decimal("189.00")]
_EXPIRES = datetime(2030, 5, 17, 21, 59, tzinfo=UTC)


def _in(language: str, texts: dict[str, list[str]]) -> list[str]:
    return texts.get(language.partition("-")[0], texts["en"])


def _titles(language: str) -> list[str]:
    return _in(language, _TITLES)


def _variants(language: str) -> list[str]:
    return _in(language, _VARIANTS)


def _urls(language: str) -> list[str]:
    base_url = triggers_settings().base_url
    return [f"{base_url}/"] * len(_QUANTITIES)


def _pictures(language: str) -> list[str]:
    return [pictures.placeholder_url(triggers_settings().base_url)] * len(_QUANTITIES)


def _money(amount: Decimal) -> Money:
    currency = getattr(settings, "OSCAR_DEFAULT_CURRENCY", "EUR")
    return Money(amount=amount, currency=currency)


def _unit_prices(language: str) -> list[Money]:
    return [_money(price) for price in _PRICES]


def _line_prices(language: str) -> list[Money]:
    return [_money(p * q) for p, q in zip(_PRICES, _QUANTITIES, strict=True)]


def _total(language: str) -> Money:
    return _money(sum((m.amount for m in _line_prices(language)), Decimal(0)))


def _quantities(language: str) -> list[int]:
    return _QUANTITIES


#: Name, label and samples of what is known of each line.
_LINE: tuple[tuple[str, Any, Any], ...] = (
    ("title", pgettext_lazy("triggers", "Product title"), _titles),
    ("variant", pgettext_lazy("triggers", "Variant and options"), _variants),
    ("url", pgettext_lazy("triggers", "Address of the product page"), _urls),
    ("image_url", pgettext_lazy("triggers", "Address of the product picture"), _pictures),
    ("quantity", pgettext_lazy("triggers", "Quantity"), _quantities),
    ("unit_price", pgettext_lazy("triggers", "Price of one"), _unit_prices),
    ("line_price", pgettext_lazy("triggers", "Price of the line"), _line_prices),
)


def _first_of(samples: Any) -> Any:
    return lambda language: samples(language)[0]


def register() -> None:
    """Register the merge tags; a second time changes nothing."""
    register_tags(TAGS)


_BASKET = pgettext_lazy("triggers", "Basket")
_FIRST = pgettext_lazy("triggers", "First product in the basket")
_VOUCHER = pgettext_lazy("triggers", "Personal voucher")

TAGS: tuple[MergeTag, ...] = (
    *(
        MergeTag(
            path=f"basket.lines[].{name}",
            label=label,
            group=_BASKET,
            sample=samples,
            about_types=ABOUT_BASKET,
        )
        for name, label, samples in _LINE
    ),
    *(
        MergeTag(
            path=f"basket.first.{name}",
            label=label,
            group=_FIRST,
            sample=_first_of(samples),
            about_types=ABOUT_BASKET,
        )
        for name, label, samples in _LINE
    ),
    MergeTag(
        path="basket.count",
        label=pgettext_lazy("triggers", "Number of items"),
        group=_BASKET,
        sample=sum(_QUANTITIES),
        about_types=ABOUT_BASKET,
    ),
    MergeTag(
        path="basket.total",
        label=pgettext_lazy("triggers", "Total"),
        group=_BASKET,
        sample=_total,
        about_types=ABOUT_BASKET,
    ),
    MergeTag(
        path="voucher.code",
        label=pgettext_lazy("triggers", "Voucher code"),
        group=_VOUCHER,
        sample="K7QD-M2WX-94HC",
    ),
    MergeTag(
        path="voucher.percent",
        label=pgettext_lazy("triggers", "Voucher: per cent, the number alone"),
        group=_VOUCHER,
        sample="10",
    ),
    MergeTag(
        path="voucher.amount",
        label=pgettext_lazy("triggers", "Voucher: what it is worth"),
        group=_VOUCHER,
        sample="10%",
    ),
    MergeTag(
        path="voucher.expires",
        label=pgettext_lazy("triggers", "Voucher: until when it is valid"),
        group=_VOUCHER,
        sample=_EXPIRES,
    ),
    MergeTag(
        path="voucher.days_left",
        label=pgettext_lazy("triggers", "Voucher: how many days it is still valid"),
        group=_VOUCHER,
        sample=3,
    ),
)
