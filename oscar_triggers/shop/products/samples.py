"""The merge tags of letters about products, with samples for previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import pgettext_lazy

from ...conf import triggers_settings
from ...content.tags import MergeTag, register_tags
from ...content.values import Money
from .. import pictures
from .guard import ABOUT_PRICE_DROP, ABOUT_PRODUCT, ABOUT_REQUEST

ABOUT_PRODUCTS = frozenset({ABOUT_PRODUCT, ABOUT_REQUEST, ABOUT_PRICE_DROP})

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
_OLD = [Decimal("15.00"), Decimal("210.00")]
_PRICES = [Decimal("12.50"), Decimal("189.00")]
_LOWEST = [Decimal("14.00"), Decimal("210.00")]
_LEFT = [3, None]

#: Name, label and samples (one for each sample product) of a value.
Row = tuple[str, Any, Callable[[str], Sequence[Any]]]


def by_language(texts: Mapping[str, Sequence[Any]]) -> Callable[[str], Sequence[Any]]:
    """Return samples in a language, in English where there are none."""
    return lambda language: texts.get(language.partition("-")[0], texts["en"])


def amounts(prices: Sequence[Decimal]) -> Callable[[str], Sequence[Any]]:
    """Return samples of prices in the shop's currency."""

    def in_currency(language: str) -> list[Money]:
        currency = getattr(settings, "OSCAR_DEFAULT_CURRENCY", "EUR")
        return [Money(amount=price, currency=currency) for price in prices]

    return in_currency


def pages(number: int) -> Callable[[str], Sequence[Any]]:
    """Return sample addresses of pages of the shop."""
    return lambda language: [f"{triggers_settings().base_url}/"] * number


def drawings(number: int) -> Callable[[str], Sequence[Any]]:
    """Return sample addresses of pictures."""
    return lambda language: [pictures.placeholder_url(triggers_settings().base_url)] * number


_PRODUCT: tuple[Row, ...] = (
    ("title", pgettext_lazy("triggers", "Product title"), by_language(_TITLES)),
    ("variant", pgettext_lazy("triggers", "Variant"), by_language(_VARIANTS)),
    ("url", pgettext_lazy("triggers", "Address of the product page"), pages(2)),
    ("image_url", pgettext_lazy("triggers", "Address of the product picture"), drawings(2)),
    ("price", pgettext_lazy("triggers", "Price now"), amounts(_PRICES)),
    ("old_price", pgettext_lazy("triggers", "Price that the person saw"), amounts(_OLD)),
    (
        "saving",
        pgettext_lazy("triggers", "What is saved"),
        amounts([old - new for old, new in zip(_OLD, _PRICES, strict=True)]),
    ),
    (
        "percent",
        pgettext_lazy("triggers", "What is saved, in per cent, the number alone"),
        lambda language: [17, 10],
    ),
    (
        "lowest_30d",
        pgettext_lazy("triggers", "Lowest price of the 30 days before the reduction"),
        amounts(_LOWEST),
    ),
    ("left", pgettext_lazy("triggers", "How many are left, when few"), lambda language: _LEFT),
)


def list_tags(
    root: str, rows: Sequence[Row], group: Any, about_types: frozenset[str]
) -> list[MergeTag]:
    """Return the tags of each thing of a list."""
    return [
        MergeTag(
            path=f"{root}[].{name}",
            label=label,
            group=group,
            sample=sample,
            about_types=about_types,
        )
        for name, label, sample in rows
    ]


def _first(sample: Callable[[str], Sequence[Any]]) -> Callable[[str], Any]:
    return lambda language: sample(language)[0]


TAGS: tuple[MergeTag, ...] = (
    *(
        MergeTag(
            path=f"product.{name}",
            label=label,
            group=pgettext_lazy("triggers", "Product"),
            sample=_first(sample),
            about_types=ABOUT_PRODUCTS,
        )
        for name, label, sample in _PRODUCT
    ),
    *list_tags("products", _PRODUCT, pgettext_lazy("triggers", "Products"), ABOUT_PRODUCTS),
)


def register() -> None:
    """Register the merge tags; a second time changes nothing."""
    register_tags(TAGS)
