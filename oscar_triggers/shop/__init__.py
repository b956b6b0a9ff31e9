"""The only door to Oscar."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import baskets, conditions, context, events, guards, orders, people, vouchers  # noqa: F401 - importing registers

    context.register()
    vouchers.register()
    guards.remember_orders()
    people.listen()


def connect() -> None:
    """Listen to Oscar's signals."""
    from . import receivers

    receivers.connect()
