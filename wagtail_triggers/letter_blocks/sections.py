"""Puts blocks where they can stand: each in a section of its own, or one after another in a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from .base import LetterBlock, Surroundings

#: Between the edge of a letter and what it says.
SIDE = 40


def in_section(block: LetterBlock, value: Mapping[str, Any], around: Surroundings) -> SafeString:
    """Return a block of a letter with its section, and with the question that it asks."""
    inner = block.to_mjml(value, around)
    if not block.is_section:
        inner = mark_safe(f"<mj-column>\n{inner}\n</mj-column>")  # noqa: S308 - made of blocks
    section = format_html(
        '<mj-section css-class="{}" padding="{}px {}px {}px {}px"{}>\n{}\n</mj-section>',
        # Words of the author's own MJML have no class by which dark mode would find them.
        "part ink" if block.is_unmarked and not value.get("background") else "part",
        _pixels(value, "space_above"),
        SIDE,
        _pixels(value, "space_below"),
        SIDE,
        _background(value),
        inner,
    )
    return _asked(block, value, section)


def in_column(stream: Iterable[Any], around: Surroundings) -> SafeString:
    """Return blocks that stand in one column, with their spaces and questions."""
    return mark_safe(  # noqa: S308 - made of blocks
        "\n".join(_spaced(child.block, child.value, around) for child in stream)
    )


def _spaced(block: LetterBlock, value: Mapping[str, Any], around: Surroundings) -> SafeString:
    parts = [
        _space(_pixels(value, "space_above")),
        block.to_mjml(value, around),
        _space(_pixels(value, "space_below")),
    ]
    return _asked(block, value, mark_safe("\n".join(filter(None, parts))))  # noqa: S308 - made of blocks


def _asked(block: LetterBlock, value: Mapping[str, Any], inner: SafeString) -> SafeString:
    condition = block.condition(value)
    if not condition:
        return inner
    return mark_safe(f"{{% if {condition} %}}\n{inner}\n{{% endif %}}")  # noqa: S308 - made of blocks


def _space(pixels: int) -> str:
    return f'<mj-spacer height="{pixels}px" />' if pixels else ""


def _pixels(value: Mapping[str, Any], name: str) -> int:
    written = str(value.get(name) or "0")
    return int(written) if written.isdigit() else 0


def _background(value: Mapping[str, Any]) -> SafeString:
    colour = value.get("background")
    return format_html(' background-color="{}"', colour) if colour else mark_safe("")
