"""Parcels whose readable form is filled when somebody asks for it.

A mail backend that takes ready bytes never does, and filling HTML and text is a third of a
letter's cost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..channels import Parcel
from ..content.letters import Letter

_FILLED = ("subject", "text", "html")


class Later:
    """A message that is filled when somebody asks for its bytes."""

    __slots__ = ("_fill",)

    def __init__(self, fill: Callable[[], Callable[[], bytes]]) -> None:
        self._fill = fill

    def __call__(self) -> bytes:
        """Return the bytes."""
        return self._fill()()


class FilledParcel(Parcel):
    """A parcel that fills its subject, text and HTML at the first look at one of them."""

    def __init__(self, *, fill: Callable[[], Letter] | None = None, **rest: Any) -> None:
        super().__init__(**rest)
        if fill is not None:
            for name in _FILLED:
                del self.__dict__[name]
            self.__dict__["_fill"] = fill

    @cached_property
    def _letter(self) -> Letter:
        letter: Letter = self.__dict__["_fill"]()
        return letter

    @cached_property
    def subject(self) -> str:
        """Return the subject line."""
        return self._letter.subject

    @cached_property
    def text(self) -> str:
        """Return the plain text."""
        return self._letter.text

    @cached_property
    def html(self) -> str:
        """Return the HTML."""
        return self._letter.html
