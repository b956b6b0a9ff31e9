"""What letters about products say, and what must still be true when they go."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import chosen, context, guard, samples  # noqa: F401 - importing registers

    samples.register()


def connect() -> None:
    """Listen to the shop's signals."""
