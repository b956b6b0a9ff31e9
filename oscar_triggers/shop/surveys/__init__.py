"""Small questions with stars or numbers, answered on a page of ours."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import conditions, context, events, questions  # noqa: F401 - importing registers


def connect() -> None:
    """Listen to the shop's signals: there are none about what is asked on our own pages."""
