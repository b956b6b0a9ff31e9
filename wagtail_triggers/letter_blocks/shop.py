"""Blocks that the shop fills when a letter is sent: products, lines of baskets and orders, a code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import pgettext_lazy
from wagtail import blocks

from oscar_triggers.content import recommendations

from .base import LetterBlock, Surroundings, register
from .links import LinkBlock
from .texts import MergeTextBlock

_SHOP = pgettext_lazy("triggers", "From the shop")

#: What each list that ships is called in the block; others by what their recommender says.
_LISTS = {
    "viewed": pgettext_lazy("triggers", "what the reader looked at"),
    "similar": pgettext_lazy("triggers", "similar products"),
    "companions": pgettext_lazy("triggers", "what is bought together with it"),
    "alternatives": pgettext_lazy("triggers", "instead of it, near in price"),
    "picked": pgettext_lazy("triggers", "like what the reader looks at and buys"),
}


def list_choices() -> list[tuple[str, Any]]:
    """Return the lists of products that letters can be filled with, by merge path."""
    recommended = [
        (f"{recommendations.ROOT}.{name}", _LISTS.get(name) or _label_of(name))
        for name in recommendations.lists()
    ]
    return [
        ("products", pgettext_lazy("triggers", "the products that the letter is about")),
        *recommended,
    ]


def _label_of(name: str) -> Any:
    labels = [one.label for one in recommendations.registry.values() if one.fills == name]
    return next((label for label in labels if label), name)


@register
class ProductGridBlock(LetterBlock):
    """Products that the shop finds for each reader."""

    kind = "product_grid"
    cog = ("shows_price", "button")

    source = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Which products"),
        choices=list_choices,
        default="recommended.viewed",
    )
    title = MergeTextBlock(
        label=pgettext_lazy("triggers", "Title above them"),
        required=False,
        help_text=pgettext_lazy("triggers", "Where there are none, it is left out too."),
    )
    shows_price = blocks.BooleanBlock(
        label=pgettext_lazy("triggers", "With the price"), required=False, default=True
    )
    button = MergeTextBlock(
        label=pgettext_lazy("triggers", "Text of the link below each"), required=False
    )

    class Meta:
        icon = "grid"
        label = pgettext_lazy("triggers", "Products for the reader")
        description = pgettext_lazy(
            "triggers",
            "Products that the shop finds for each reader: looked at, similar, bought together.",
        )
        preview_value = {
            "title": pgettext_lazy("triggers", "You looked at these"),
            "button": pgettext_lazy("triggers", "Have a look"),
        }
        group = _SHOP
        template = "wagtail_triggers/letter/product_grid.mjml"

    def condition(self, value: Mapping[str, Any]) -> str:
        """Show it only where there is a product to show."""
        asked = super().condition(value)
        source = _known(value.get("source"))
        return f"{source} and {asked}" if asked else source

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return the path of the list."""
        return {"source": _known(value.get("source"))}


def _known(source: Any) -> str:
    """Return a path that is offered; a forged or forgotten one is the letter's own list."""
    return str(source) if source in dict(list_choices()) else "products"


class LinesBlock(LetterBlock):
    """A table of lines: picture, title, quantity, price, and the sum."""

    shows_pictures = blocks.BooleanBlock(
        label=pgettext_lazy("triggers", "With pictures"), required=False, default=True
    )
    total = MergeTextBlock(
        label=pgettext_lazy("triggers", "Words before the sum"),
        required=False,
        help_text=pgettext_lazy("triggers", "Empty: no sum."),
    )


@register
class BasketLinesBlock(LinesBlock):
    """What is in the basket, at today's prices."""

    kind = "basket_lines"
    needs = "basket.lines"

    class Meta:
        icon = "list-ul"
        label = pgettext_lazy("triggers", "What is in the basket")
        description = pgettext_lazy(
            "triggers", "What the reader left in the basket, with pictures and today's prices."
        )
        preview_value = {"total": pgettext_lazy("triggers", "Total")}
        group = _SHOP
        template = "wagtail_triggers/letter/lines.mjml"

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return where lines and sum stand."""
        return {"lines": "basket.lines", "sum": "basket.total", "has_unit_price": True}


@register
class OrderLinesBlock(LinesBlock):
    """What was ordered."""

    kind = "order_lines"
    needs = "order.lines"

    class Meta:
        icon = "list-ol"
        label = pgettext_lazy("triggers", "What was ordered")
        description = pgettext_lazy(
            "triggers", "What the reader ordered, with what was paid for it."
        )
        preview_value = {"total": pgettext_lazy("triggers", "Total")}
        group = _SHOP
        template = "wagtail_triggers/letter/lines.mjml"

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return where lines and sum stand."""
        return {"lines": "order.lines", "sum": "order.total", "has_unit_price": False}


@register
class VoucherBlock(LetterBlock):
    """The code that the Send step promises, large enough to be seen."""

    kind = "voucher"
    needs = "voucher.code"

    title = MergeTextBlock(
        label=pgettext_lazy("triggers", "Text above the code"),
        required=False,
        help_text=pgettext_lazy(
            "triggers", "{{ voucher.amount }} is what it saves, {{ voucher.expires }} its last day."
        ),
    )
    note = MergeTextBlock(label=pgettext_lazy("triggers", "Text below the code"), required=False)
    button = MergeTextBlock(label=pgettext_lazy("triggers", "Button"), required=False)
    link = LinkBlock(label=pgettext_lazy("triggers", "The button leads to"), required=False)

    class Meta:
        icon = "tag"
        label = pgettext_lazy("triggers", "Voucher")
        description = pgettext_lazy(
            "triggers", "The reader's own voucher code, large enough to be seen."
        )
        preview_value = {
            "title": pgettext_lazy("triggers", "A present for you"),
            "note": "",
            "button": "",
        }
        group = _SHOP
        template = "wagtail_triggers/letter/voucher.mjml"
        help_text = pgettext_lazy(
            "triggers", "Shown only where the flow's step gives one; its code is the reader's own."
        )
