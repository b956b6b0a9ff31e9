"""How a product is told in a letter: title, variant, page and picture, in the reader's language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import translation

from .. import pictures, tables

#: What tells variants apart; each is one query, however many products are asked for.
OF_VARIANTS = (
    "attribute_values__attribute",
    "attribute_values__value_option",
    "attribute_values__value_multi_option",
    "attribute_values__value_entity",
)
#: What is said of a product.
_OF_PRODUCTS = ("images", "parent__images", *OF_VARIANTS)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A product as a letter tells it; addresses are absolute."""

    product_id: int
    title: str
    #: What tells a variant from its siblings: "Colour: cream, Size: L"; "" for other products.
    variant: str
    url: str
    image_url: str

    def values(self) -> dict[str, Any]:
        """Return it as merge tags know it."""
        return {
            "title": self.title,
            "variant": self.variant,
            "url": self.url,
            "image_url": self.image_url,
        }


class Telling:
    """Products that were read once, to be told in any language and for any of the shop's hosts."""

    def __init__(self, product_ids: Collection[int]) -> None:
        self._products: Mapping[int, Any] = {}
        self._said: dict[tuple[int, str, str], Said] = {}
        if product_ids:
            self._products = {
                product.pk: product
                for product in tables.rows("catalogue", "Product")
                .filter(pk__in=set(product_ids))
                .select_related("parent")
                .prefetch_related(*_OF_PRODUCTS)
            }

    def __contains__(self, product_id: int) -> bool:
        return product_id in self._products

    def is_public(self, product_id: int) -> bool:
        """Say whether anybody may see a product: a variant needs its parent too."""
        product = self._products.get(product_id)
        if product is None or not product.is_public:
            return False
        return product.parent is None or bool(product.parent.is_public)

    def parent_id(self, product_id: int) -> int | None:
        """Return the product that a variant belongs to."""
        product = self._products.get(product_id)
        return None if product is None else product.parent_id

    def about(self, product_id: int, *, language: str, base_url: str) -> Said:
        """Return how a product is told; raises KeyError where there is no such product.

        `language` is the reader's, "" for the shop's own.
        """
        language = language or settings.LANGUAGE_CODE
        key = (product_id, language, base_url)
        if key not in self._said:
            with translation.override(language):
                self._said[key] = _say(self._products[product_id], base_url)
        return self._said[key]


def _say(product: Any, base_url: str) -> Said:
    return Said(
        product_id=product.pk,
        title=str(product.get_title()),
        variant=variant_name(product),
        url=pictures.absolute(base_url, product.get_absolute_url()),
        image_url=pictures.picture_url(product, base_url),
    )


def full_name(product: Any) -> str:
    """Return a product's title; of a variant without one, its parent's and what tells it apart."""
    names = (product.title,) if product.title else (product.get_title(), variant_name(product))
    return ", ".join(filter(None, map(str, names)))


def variant_name(product: Any) -> str:
    """Return what tells a variant from its siblings, "" of other products."""
    if not product.is_child:
        return ""
    values = sorted(product.attribute_values.all(), key=lambda value: value.pk)
    return ", ".join(f"{value.attribute.name}: {value.value_as_text}" for value in values)
