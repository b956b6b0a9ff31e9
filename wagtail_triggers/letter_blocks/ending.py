"""The end of a letter: who wrote it, where from, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks

from .base import LetterBlock, register
from .rich_text import MergeRichTextBlock
from .texts import MergeTextBlock


@register
class FooterBlock(LetterBlock):
    """Takes the place of the brand's own footer."""

    kind = "footer"
    is_outside = True

    why = MergeRichTextBlock(
        label=pgettext_lazy("triggers", "Why the reader gets this letter"),
        required=False,
        features=["bold", "italic", "link", "merge"],
    )
    unsubscribe = MergeTextBlock(
        label=pgettext_lazy("triggers", "Words of the link to unsubscribe"),
        required=False,
        help_text=pgettext_lazy(
            "triggers", "Empty: no such link; only letters about orders may go without it."
        ),
    )
    postal_address = blocks.BooleanBlock(
        label=pgettext_lazy("triggers", "With the shop's postal address"),
        required=False,
        default=True,
    )

    def warnings(self, value: Mapping[str, Any]) -> list[str]:
        """Say what a letter that advertises lacks by law."""
        if value.get("unsubscribe") and value.get("postal_address"):
            return []
        return [
            pgettext(
                "triggers",
                "only letters about orders may go without a link to unsubscribe and an address.",
            )
        ]

    class Meta:
        icon = "arrow-down"
        label = pgettext_lazy("triggers", "Footer")
        description = pgettext_lazy(
            "triggers",
            "Who wrote, why the reader gets it, and the way out, in place of the usual footer.",
        )
        preview_value = {"unsubscribe": pgettext_lazy("triggers", "Unsubscribe")}
        group = pgettext_lazy("triggers", "Shape")
        template = "wagtail_triggers/letter/footer.mjml"
