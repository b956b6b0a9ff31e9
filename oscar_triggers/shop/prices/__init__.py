"""Prices that people saw, and what they may be told when one falls."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import (  # noqa: F401 - importing registers
        conditions,
        context,
        events,
        falling,
        noting,
        viewing,
    )

    viewing.listen()


def connect() -> None:
    """Listen to the shop's signals."""
    from . import receivers

    receivers.connect()
