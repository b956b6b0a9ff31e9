"""Reviews: who is asked, for what, and the thanks for one."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import (  # noqa: F401 - importing registers
        conditions,
        context,
        due,
        events,
        guard,
        samples,
        sweep,
        writers,
    )

    samples.register()


def connect() -> None:
    """Listen to the shop's signals."""
    from . import receivers

    receivers.connect()
