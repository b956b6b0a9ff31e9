"""Opaque tokens: what stands in for merge tags and delicate characters while mrml works.

mrml sees plain ASCII words only, which it copies as they are. That keeps it from the panics it
has on non-ASCII text, and tags from its parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .grammar import Piece, Tag
from .nodes import Literal, Place


class Tokens:
    """The tokens of one letter."""

    def __init__(self, *sources: str) -> None:
        number = 0
        while any(f"q{number}j" in source for source in sources):
            number += 1
        self._prefix = f"q{number}j"
        self.pattern = re.compile(rf"{self._prefix}(?P<kind>[tc])(?P<number>\d+)q")
        self.tags: list[Tag] = []
        #: Where the HTML puts a tag's value, by token number.
        self.places: dict[int, Place] = {}
        self._texts: dict[str, str] = {}
        self._by_token: dict[str, str] = {}
        self._marks: dict[str, str] = {}

    def for_tag(self, tag: Tag) -> str:
        """Return the token of one tag."""
        self.tags.append(tag)
        return self.token(len(self.tags) - 1)

    def mark(self, kind: str) -> str:
        """Return the token of a tag that the compiler itself sets; it may stand in many places."""
        if kind not in self._marks:
            self._marks[kind] = self.for_tag(Tag(kind=kind, line=0, source=""))
        return self._marks[kind]

    def token(self, number: int) -> str:
        """Return the token of the tag with this number."""
        return f"{self._prefix}t{number}q"

    def for_text(self, text: str) -> str:
        """Return the token of a piece of text; the same text has the same token."""
        token = self._texts.get(text)
        if token is None:
            token = f"{self._prefix}c{len(self._texts)}q"
            self._texts[text] = token
            self._by_token[token] = text
        return token

    def written(self, pieces: Sequence[Piece]) -> str:
        """Return a text with a token for each tag."""
        return "".join(
            piece.text if isinstance(piece, Literal) else self.for_tag(piece) for piece in pieces
        )

    def guard(self, text: str) -> str:
        """Return text in ASCII."""
        return _NOT_ASCII.sub(lambda match: self.for_text(match[0]), text)

    def unguard(self, text: str) -> str:
        """Put guarded text back; tags stay tokens."""
        return self.pattern.sub(lambda match: self._by_token.get(match[0], match[0]), text)

    def split(self, text: str) -> Iterator[str | int]:
        """Yield the text between tags, and the number of each tag."""
        position = 0
        for match in self.pattern.finditer(text):
            if match["kind"] != "t":
                continue
            if match.start() > position:
                yield text[position : match.start()]
            yield int(match["number"])
            position = match.end()
        if position < len(text):
            yield text[position:]

    def pieces(self, text: str) -> list[Piece]:
        """Return compiled text as literals and tags, in the places where their values stand."""
        return [
            Literal(text=part) if isinstance(part, str) else self.tag(part)
            for part in self.split(text)
        ]

    def tag(self, number: int) -> Tag:
        """Return a tag with the place where its value stands."""
        tag = self.tags[number]
        place = self.places.get(number)
        if tag.output is None or place is None:
            return tag
        return replace(tag, output=replace(tag.output, place=place))


_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
