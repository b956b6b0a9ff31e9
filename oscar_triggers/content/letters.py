"""A letter as its author wrote it, and as it is compiled: both survive a trip through JSON."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import nodes
from .nodes import Nodes

#: Raised when the compiled form changes; older rows are compiled again from their source.
FORMAT = 1

#: What paths begin with inside the loop over the things of a bundle (`tags.ITEMS`).
OF_ITEMS = "items[]."


@dataclass(frozen=True, kw_only=True)
class LetterSource:
    """What an author writes: MJML and merge tags, in one language."""

    subject: str
    body: str
    preheader: str = ""
    #: The plain text part; derived from the body when empty.
    text: str = ""
    #: BCP 47 in Django's spelling ("en-gb").
    language: str = "en"


@dataclass(frozen=True, kw_only=True, eq=False)
class CompiledLetter:
    """A letter that only needs values: no MJML, no template language is read after this.

    Two are equal only if they are the same object, so that what is built from one can be cached.
    """

    language: str
    subject: Nodes
    preheader: Nodes
    html: Nodes
    text: Nodes
    #: Whether `text` was derived from the HTML and carries its break marks.
    text_is_derived: bool

    @property
    def is_only_words(self) -> bool:
        """Say whether it is a text for a channel that takes neither subject nor HTML."""
        return not self.html

    @cached_property
    def paths(self) -> frozenset[str]:
        """Return every merge path that is used, as `basket.lines[].title`."""
        used = (*self.subject, *self.preheader, *self.html, *self.text)
        return frozenset(nodes.paths(used))

    @cached_property
    def said(self) -> frozenset[str]:
        """Return the paths with those that a bundle uses of each thing, as of one thing."""
        return frozenset(path.removeprefix(OF_ITEMS) for path in self.paths) | self.paths

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a row."""
        return {
            "format": FORMAT,
            "language": self.language,
            "subject": nodes.to_json(self.subject),
            "preheader": nodes.to_json(self.preheader),
            "html": nodes.to_json(self.html),
            "text": nodes.to_json(self.text),
            "text_is_derived": self.text_is_derived,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CompiledLetter:
        """Read what to_json wrote; raises ValueError for another format."""
        if data.get("format") != FORMAT:
            raise ValueError("This letter was compiled by another release; publish it again.")
        return cls(
            language=data["language"],
            subject=nodes.from_json(data["subject"]),
            preheader=nodes.from_json(data["preheader"]),
            html=nodes.from_json(data["html"]),
            text=nodes.from_json(data["text"]),
            text_is_derived=data["text_is_derived"],
        )


_kept: OrderedDict[Hashable, CompiledLetter] = OrderedDict()
_KEPT = 64


def kept(key: Hashable, data: Callable[[], Mapping[str, Any]]) -> CompiledLetter:
    """Return the compiled letter of an immutable row, read once per process.

    The key is the row's primary key with its content hash; `data` is asked when it is new.
    """
    compiled = _kept.get(key)
    if compiled is None:
        compiled = CompiledLetter.from_json(data())
        _kept[key] = compiled
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return compiled


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A filled letter, as one person gets it."""

    subject: str
    preheader: str
    html: str
    text: str
