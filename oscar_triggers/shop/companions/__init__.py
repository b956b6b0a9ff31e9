"""What goes with what: recommenders from the shop's own orders, views and attributes."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import context, pairs, recommenders  # noqa: F401 - importing registers


def connect() -> None:
    """Listen to the shop's signals."""
