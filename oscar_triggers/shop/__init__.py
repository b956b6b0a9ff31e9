"""The only door to Oscar."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import (  # noqa: F401 - importing registers
        baskets,
        conditions,
        conditions_orders,
        conditions_products,
        context,
        events,
        guards,
        orders,
        people,
        visits,
        vouchers,
    )

    context.register()
    vouchers.register()
    guards.remember_orders()
    people.listen()


def connect() -> None:
    """Listen to Oscar's signals."""
    from . import receivers

    receivers.connect()
