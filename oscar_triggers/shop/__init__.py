"""The only door to Oscar."""

from __future__ import annotations


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import (  # noqa: F401 - importing registers
        after,
        baskets,
        companions,
        conditions,
        conditions_orders,
        conditions_products,
        context,
        events,
        guards,
        order_counts,
        orders,
        people,
        prices,
        products,
        requests,
        reviews,
        stock,
        stores,
        surveys,
        visits,
        vouchers,
    )

    context.register()
    vouchers.register()
    guards.remember_orders()
    people.listen()
    for room in (stock, products, companions, requests, prices, after, reviews, surveys, stores):
        room.register()


def connect() -> None:
    """Listen to Oscar's signals."""
    from . import after, prices, receivers, requests, reviews, stock, surveys

    receivers.connect()
    for room in (stock, requests, prices, after, reviews, surveys):
        room.connect()
