"""Blocks of words: heading, text, button, and the author's own MJML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext_lazy
from wagtail import blocks

from .base import LetterBlock, Surroundings, register
from .links import LinkBlock
from .rich_text import MergeRichTextBlock
from .texts import ColourBlock, MergeTextBlock

#: The kind of block that only those may write who may write MJML.
MJML = "html"
_WORDS = pgettext_lazy("triggers", "Words")


@register
class HeadingBlock(LetterBlock):
    """A title, large or small."""

    kind = "heading"
    cog = ("size", "colour")

    text = MergeTextBlock(label=pgettext_lazy("triggers", "Text"))
    size = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Size"),
        choices=[
            ("h1", pgettext_lazy("triggers", "large")),
            ("h2", pgettext_lazy("triggers", "middle")),
            ("h3", pgettext_lazy("triggers", "small")),
        ],
        default="h1",
    )
    colour = ColourBlock(label=pgettext_lazy("triggers", "Colour"))

    class Meta:
        icon = "title"
        label = pgettext_lazy("triggers", "Heading")
        description = pgettext_lazy(
            "triggers", "A line in large letters: what the letter is about."
        )
        preview_value = {"text": pgettext_lazy("triggers", "Your basket is still here")}
        group = _WORDS
        template = "wagtail_triggers/letter/heading.mjml"


@register
class TextBlock(LetterBlock):
    """Paragraphs, lists and links."""

    kind = "text"
    cog = ("size", "colour")

    text = MergeRichTextBlock(label=pgettext_lazy("triggers", "Text"))
    size = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Size"),
        choices=[
            ("usual", pgettext_lazy("triggers", "usual")),
            ("small", pgettext_lazy("triggers", "small")),
        ],
        default="usual",
    )
    colour = ColourBlock(label=pgettext_lazy("triggers", "Colour"))

    class Meta:
        icon = "pilcrow"
        label = pgettext_lazy("triggers", "Text")
        description = pgettext_lazy(
            "triggers", "Paragraphs and lists, with links and the reader's own data in them."
        )
        group = _WORDS
        template = "wagtail_triggers/letter/text.mjml"


@register
class ButtonBlock(LetterBlock):
    """The one thing to do."""

    kind = "button"
    cog = ("colour", "text_colour", "is_wide")

    text = MergeTextBlock(label=pgettext_lazy("triggers", "Text"))
    link = LinkBlock(label=pgettext_lazy("triggers", "Link"))
    colour = ColourBlock(label=pgettext_lazy("triggers", "Colour"))
    text_colour = ColourBlock(label=pgettext_lazy("triggers", "Colour of the text"))
    is_wide = blocks.BooleanBlock(
        label=pgettext_lazy("triggers", "As wide as the letter"), required=False
    )

    class Meta:
        icon = "redirect"
        label = pgettext_lazy("triggers", "Button")
        description = pgettext_lazy("triggers", "The one thing that the reader should do next.")
        preview_value = {"text": pgettext_lazy("triggers", "Back to the basket")}
        group = _WORDS
        template = "wagtail_triggers/letter/button.mjml"


@register
class HTMLBlock(LetterBlock):
    """An author's own MJML, for those who may write it."""

    kind = MJML
    is_unmarked = True

    mjml = blocks.TextBlock(
        label=pgettext_lazy("triggers", "MJML or HTML"),
        rows=8,
        help_text=pgettext_lazy(
            "triggers",
            "Stands in a column: <mj-text>, <mj-table>, <mj-raw> …, with {{ }}, {% if %} and "
            "{% for %} as in a whole letter.",
        ),
    )

    class Meta:
        icon = "code"
        label = pgettext_lazy("triggers", "MJML")
        description = pgettext_lazy(
            "triggers", "MJML or HTML of your own, for what no other block can show."
        )
        preview_value = {"mjml": "<mj-text>&lt;mj-text&gt;…&lt;/mj-text&gt;</mj-text>"}
        group = _WORDS

    def get_translatable_segments(self, value: Any) -> list[Any]:
        """Give wagtail-localize nothing: who translates words may not write MJML."""
        return []

    def to_mjml(self, value: Mapping[str, Any], around: Surroundings) -> SafeString:
        """Return what the author wrote: the compiler reads it as it reads a whole letter."""
        return mark_safe(str(value.get("mjml") or ""))  # noqa: S308 - the compiler refuses by name
