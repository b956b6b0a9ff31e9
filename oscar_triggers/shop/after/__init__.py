"""Orders from placed to received: stages, payments, what is unpaid, links to where one stopped."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import (  # noqa: F401 - importing registers
        conditions,
        context,
        counting,
        events,
        guards,
        mails,
        mixing,
        samples,
        sweep,
        twice,
    )

    samples.register()


def connect() -> None:
    """Listen to the shop's signals."""
    from . import mails, receivers

    receivers.connect()
    mails.take_over()
