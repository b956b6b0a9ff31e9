"""Fills compiled letters: plain values in, one person's letter out; nothing is parsed here.

Paths walk through dicts only, values are turned into text by `values.Formatter` only, so no
method is called and no attribute is read on anything that stands in the context.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from . import plaintext
from .coding import MAX_LENGTH, Flavours, LetterTooLong, function_of, too_long
from .letters import CompiledLetter, Letter
from .nodes import Nodes
from .saying import Flavour
from .targets import Begin, Links, Numbered, lead_written, unescaped
from .values import Formatter, clean, formatter, one_line

__all__ = ["LetterTooLong", "Parts", "Renderer", "fill", "parts_of", "targets"]


class Led(dict[str, str]):
    """What stands in one part for links by their target: products are linked again and again."""

    def __init__(self, links: Links | None, value: Flavour) -> None:
        super().__init__()
        self._links = links
        self._value = value

    def __missing__(self, target: str) -> str:
        links = self._links
        self[target] = text = self._value(target if links is None else links.lead(target))
        return text


class Renderer:
    """One part of a compiled letter, ready to be filled any number of times."""

    def __init__(
        self, nodes: Nodes, *, literal: Flavour, value: Flavour, address: Flavour = str
    ) -> None:
        self._value = value
        self._write = function_of(nodes, Flavours(literal=literal, value=value, address=address))

    def fill(
        self, values: Mapping[str, Any], formatter: Formatter, links: Links | None = None
    ) -> str:
        """Return the part filled with one person's values; raises LetterTooLong, UnfitValue.

        Without `links`, every link leads straight to its target.
        """
        return "".join(self.pieces(values, formatter, links))

    def pieces(
        self, values: Mapping[str, Any], formatter: Formatter, links: Links | None = None
    ) -> list[str]:
        """Return the pieces that make what `fill` returns."""
        pieces = self._write(values, formatter, links, Led(links, self._value))
        if sum(map(len, pieces)) > MAX_LENGTH:
            raise too_long()
        return pieces


def fill(
    compiled: CompiledLetter,
    values: Mapping[str, Any],
    *,
    language: str,
    time_zone: str,
    links: Begin | None = None,
) -> Letter:
    """Return one person's letter; raises LetterTooLong or UnfitValue for values that do not fit.

    `links` says what stands in the letter for its links; without it, where they lead.
    """
    parts = parts_of(compiled)
    form = formatter(language or compiled.language, time_zone)
    one = links() if links is not None else None
    return Letter(
        subject=one_line(parts.subject.fill(values, form)),
        preheader=one_line(parts.preheader.fill(values, form)),
        # Links are numbered in this order, here and in wire.wire_bytes.
        html=parts.html.fill(values, form, one),
        text=parts.plain(values, form, one),
    )


def targets(
    compiled: CompiledLetter, values: Mapping[str, Any], *, language: str, time_zone: str
) -> list[str]:
    """Return where a letter's links lead, in the order of their numbers."""
    numbered = Numbered("")
    fill(compiled, values, language=language, time_zone=time_zone, links=lambda: numbered)
    return numbered.targets


class Parts:
    """The renderers of a letter's parts, each made when it is first filled."""

    def __init__(self, compiled: CompiledLetter) -> None:
        self._compiled = compiled
        self.is_derived = compiled.text_is_derived
        self.tidy = plaintext.tidy if self.is_derived else plaintext.tidy_written

    @cached_property
    def subject(self) -> Renderer:
        """Return the subject line's renderer."""
        return Renderer(self._compiled.subject, literal=clean, value=str)

    @cached_property
    def preheader(self) -> Renderer:
        """Return the renderer of what mailboxes show beside the subject."""
        return Renderer(self._compiled.preheader, literal=clean, value=str)

    @cached_property
    def html(self) -> Renderer:
        """Return the HTML's renderer."""
        return Renderer(self._compiled.html, literal=str, value=html.escape, address=unescaped)

    @cached_property
    def text(self) -> Renderer:
        """Return the renderer of the text before it is tidied."""
        if self.is_derived:
            return Renderer(self._compiled.text, literal=plaintext.settled, value=one_line_kept)
        return Renderer(self._compiled.text, literal=clean, value=str)

    def plain(self, values: Mapping[str, Any], form: Formatter, links: Links | None) -> str:
        """Return the text part."""
        text = self.text.fill(values, form, links)
        if links is not None and not self.is_derived:
            own = values.get("links")
            text = lead_written(text, links, own.values() if isinstance(own, Mapping) else ())
        text = self.tidy(text)
        # The line end that a mail needs is a character to pay for elsewhere.
        return text.strip() if self._compiled.is_only_words else text


def one_line_kept(text: str) -> str:
    """Return a value on one line, as HTML would show it."""
    return text.replace("\n", " ").replace("\t", " ")


@lru_cache(maxsize=64)
def parts_of(compiled: CompiledLetter) -> Parts:
    """Return the renderers of a letter, built once per process."""
    return Parts(compiled)
