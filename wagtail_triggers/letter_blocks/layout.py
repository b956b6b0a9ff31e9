"""Blocks that give a letter its shape: columns, dividers, space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext_lazy
from wagtail import blocks

from .base import LetterBlock, Surroundings, register, registry
from .sections import in_column
from .texts import ColourBlock

_SHAPE = pgettext_lazy("triggers", "Shape")


@register
class DividerBlock(LetterBlock):
    """A line."""

    kind = "divider"

    colour = ColourBlock(label=pgettext_lazy("triggers", "Colour"))

    class Meta:
        icon = "minus"
        label = pgettext_lazy("triggers", "Divider")
        description = pgettext_lazy("triggers", "A line between two parts of the letter.")
        group = _SHAPE
        template = "wagtail_triggers/letter/divider.mjml"


@register
class SpacerBlock(LetterBlock):
    """Nothing, of some height."""

    kind = "spacer"

    height = blocks.IntegerBlock(
        label=pgettext_lazy("triggers", "Height in pixels"), min_value=4, max_value=200, default=24
    )

    class Meta:
        icon = "order"
        label = pgettext_lazy("triggers", "Space")
        description = pgettext_lazy("triggers", "Room between two blocks.")
        group = _SHAPE
        template = "wagtail_triggers/letter/spacer.mjml"


@register
class ColumnsBlock(LetterBlock):
    """Two or three columns, below each other on a phone."""

    kind = "columns"
    is_section = True
    cog = ("widths",)

    widths = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Widths of two columns"),
        choices=[
            ("half", pgettext_lazy("triggers", "the same")),
            ("left", pgettext_lazy("triggers", "the first one wider")),
            ("right", pgettext_lazy("triggers", "the second one wider")),
        ],
        default="half",
    )

    class Meta:
        icon = "grip"
        label = pgettext_lazy("triggers", "Columns")
        description = pgettext_lazy(
            "triggers", "Two or three columns side by side; on a phone they stand below each other."
        )
        group = _SHAPE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whatever stands in a section of its own cannot stand in a column; three share the rest.
        inner = [
            (kind, block(in_column=True))
            for kind, block in registry.items()
            if not block.is_section
        ]
        columns = [
            (name, blocks.StreamBlock(inner, label=label, required=False))
            for name, label in COLUMNS.items()
        ]
        super().__init__(columns, *args, **kwargs)

    def get_preview_value(self) -> Any:
        """Return two columns with something in each."""
        value = super().get_preview_value()
        for column in ("first", "second"):
            stream = self.child_blocks[column]
            shown = [(kind, stream.child_blocks[kind].get_preview_value()) for kind in _SAMPLES]
            value[column] = stream.normalize(shown)
        return value

    def to_mjml(self, value: Mapping[str, Any], around: Surroundings) -> SafeString:
        """Return a section with a column for each that holds something."""
        filled = [value[name] for name in COLUMNS if value.get(name)]
        widths = WIDTHS[len(filled)].get(value.get("widths") or "half", ())
        inside = replace(around, has_background=bool(value.get("background")))
        columns = [
            f'<mj-column width="{width}" padding="{_gap(n, len(filled), around)}">\n'
            f"{in_column(stream, inside)}\n</mj-column>"
            for n, (stream, width) in enumerate(zip(filled, widths, strict=False))
        ]
        return mark_safe("\n".join(columns))  # noqa: S308 - made of blocks


def _gap(position: int, total: int, around: Surroundings) -> str:
    """Return a column's padding: nothing at the edges of the letter."""
    before = 0 if position == 0 else 8
    after = 0 if position == total - 1 else 8
    left, right = (after, before) if around.direction == "rtl" else (before, after)
    return f"0 {right}px 0 {left}px"


#: What stands in each column of the preview.
_SAMPLES = ("image", "text")
COLUMNS = {
    "first": pgettext_lazy("triggers", "First column"),
    "second": pgettext_lazy("triggers", "Second column"),
    "third": pgettext_lazy("triggers", "Third column"),
}
_THIRDS = ("33%", "34%", "33%")
WIDTHS: dict[int, dict[str, tuple[str, ...]]] = {
    0: {},
    1: dict.fromkeys(("half", "left", "right"), ("100%",)),
    2: {"half": ("50%", "50%"), "left": ("66%", "34%"), "right": ("34%", "66%")},
    3: dict.fromkeys(("half", "left", "right"), _THIRDS),
}
