"""From blocks to the MJML of a whole letter, in the looks of the brand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext

from oscar_triggers.content.values import locale_for

from .base import Surroundings
from .brands import PLAIN, Brand
from .sections import in_column, in_section

_LETTER = "wagtail_triggers/letter"
#: Stands where the blocks come, while the lines before them are counted.
_HERE = "<!-- letter -->"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which lines of a letter's MJML a block wrote."""

    #: Position in the stream.
    index: int
    first_line: int
    last_line: int


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A letter's MJML, and where in it each block stands."""

    body: str
    parts: tuple[Part, ...] = ()

    def index_at(self, line: int) -> int | None:
        """Return the position of the block that wrote a line; None for the brand's lines."""
        return next(
            (one.index for one in self.parts if one.first_line <= line <= one.last_line), None
        )


def surroundings(language: str, brand: Brand = PLAIN) -> Surroundings:
    """Return where blocks of a letter in a language are written."""
    direction = locale_for(language).text_direction
    return Surroundings(brand=brand, language=language, direction=direction)


def compose(
    stream: Iterable[Any], *, language: str, brand: Brand = PLAIN, is_whole: bool = True
) -> Composed:
    """Return the letter that these blocks make; a footer of theirs takes the brand's place.

    What is no whole letter has only its blocks, without the brand's header and footer.
    """
    around = surroundings(language, brand)
    children = list(enumerate(stream))
    letter = [(n, one) for n, one in children if not (is_whole and one.block.is_outside)]
    ending = [(n, one) for n, one in children if is_whole and one.block.is_outside]
    with translation.override(language or None):
        body = render_to_string(
            f"{_LETTER}/master.mjml",
            {
                "brand": brand,
                "is_whole": is_whole,
                "direction": around.direction,
                "letter": mark_safe(_HERE),  # noqa: S308 - our own mark
                "ending": mark_safe(_HERE) if ending else _own_ending(around),  # noqa: S308 - our own mark
            },
        )
        before, _here, after = body.partition(_HERE)
        writing = _Writing(before)
        for index, child in letter:
            writing.part(index, in_section(child.block, child.value, around))
        middle, here, after = after.partition(_HERE)
        writing.add(middle)
        for index, child in ending:
            writing.part(index, in_column([child], around))
        writing.add(after if here else "")
    return Composed(body=writing.text, parts=tuple(writing.parts))


def _own_ending(around: Surroundings) -> SafeString:
    context = {
        "brand": around.brand,
        "unsubscribe": pgettext("triggers", "Unsubscribe"),
    }
    return mark_safe(render_to_string(f"{_LETTER}/ending.mjml", context))  # noqa: S308 - escaped


class _Writing:
    """A text that grows, and whose lines are counted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[Part] = []

    def add(self, text: str) -> None:
        self.text += text

    def part(self, index: int, text: str) -> None:
        """Add what a block wrote, on lines of its own."""
        self.text += "\n"
        first = self.text.count("\n") + 1
        self.text += f"{text}\n"
        self.parts.append(Part(index=index, first_line=first, last_line=self.text.count("\n")))
