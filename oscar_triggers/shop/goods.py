"""Which products an author means: one by number, a category with all below it, a brand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import pgettext, pgettext_lazy

from ..conditions import Condition
from ..kinds import option
from . import tables

#: The largest number that a key of either database holds.
_LARGEST = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class GoodsCondition(Condition):
    """Base of questions about some goods; what is set must fit, all of it.

    A variant belongs to the product, the categories and the brand of its parent too.
    """

    product: str = option(
        default="",
        label=pgettext_lazy("triggers", "Product"),
        help_text=pgettext_lazy("triggers", "Its UPC, or its number where it has none."),
    )
    category: str = option(
        default="",
        label=pgettext_lazy("triggers", "Category"),
        help_text=pgettext_lazy(
            "triggers", "Its name in addresses (slug) or its number; what lies below it counts too."
        ),
    )
    brand: str = option(default="", label=pgettext_lazy("triggers", "Brand"))
    attribute: str = option(
        default="brand",
        label=pgettext_lazy("triggers", "Attribute with the brand"),
        help_text=pgettext_lazy("triggers", "Code of the product attribute that names the brand."),
    )

    def __post_init__(self) -> None:
        """Refuse a question that names no goods."""
        if not (self.product.strip() or self.category.strip() or self.brand.strip()):
            raise ValueError(pgettext("triggers", "name a product, a category or a brand"))

    def goods(self) -> QuerySet[Any]:
        """Return the ids of the products that are meant, in a constant number of queries."""
        found = tables.rows("catalogue", "Product").order_by()
        if self.product.strip():
            found = found.filter(_with_parent(_by_number(self.product.strip())))
        if self.category.strip():
            found = found.filter(_with_parent(_in_category(self.category.strip())))
        if self.brand.strip():
            found = found.filter(_with_parent(_of_brand(self.attribute, self.brand.strip())))
        return found.values("pk")

    def wanted(self) -> dict[str, str]:
        """Return what was asked for, for a verdict."""
        asked = {"product": self.product, "category": self.category, "brand": self.brand}
        return {name: value for name, value in asked.items() if value}


def number_of(text: str) -> int | None:
    """Return the row's number that a text is, None when it is none."""
    number = int(text) if text.isascii() and text.isdigit() else None
    return number if number is not None and number <= _LARGEST else None


def _with_parent(ids: QuerySet[Any]) -> Q:
    return Q(pk__in=ids) | Q(parent_id__in=ids)


def _by_number(text: str) -> QuerySet[Any]:
    products = tables.rows("catalogue", "Product").order_by()
    by_upc = products.filter(upc=text)
    number = number_of(text)
    # A UPC is a number too: the one that is printed on the goods goes first.
    if number is not None and not by_upc.exists():
        return products.filter(pk=number).values("pk")
    return by_upc.values("pk")


def _in_category(text: str) -> QuerySet[Any]:
    named = Q(slug=text) | Q(name__iexact=text)
    number = number_of(text)
    if number is not None:
        named |= Q(pk=number)
    categories = tables.rows("catalogue", "Category").order_by()
    below = Q(pk__in=[])
    for path in categories.filter(named).values_list("path", flat=True):
        # treebeard: the path of what lies below begins with the path of what is above.
        below |= Q(categories__path__startswith=path)
    return tables.rows("catalogue", "Product").order_by().filter(below).values("pk")


def _of_brand(attribute: str, brand: str) -> QuerySet[Any]:
    named = (
        Q(value_text__iexact=brand)
        | Q(value_option__option__iexact=brand)
        | Q(value_multi_option__option__iexact=brand)
    )
    values = tables.rows("catalogue", "ProductAttributeValue").order_by()
    return values.filter(named, attribute__code=attribute).values("product_id")
