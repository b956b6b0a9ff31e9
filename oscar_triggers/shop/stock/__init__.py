"""Stock and prices, seen completely: marks of what was saved, and a sweep for all that is silent."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import sweep  # noqa: F401 - importing registers


def connect() -> None:
    """Listen to the shop's signals."""
    from . import marks

    marks.connect()
