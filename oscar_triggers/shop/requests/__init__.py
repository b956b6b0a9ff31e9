"""Whoever asked to be told: when it is back, when it is cheaper; told in fair waves."""

from __future__ import annotations

from .counting import waiting_counts

__all__ = ["connect", "register", "waiting_counts"]


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from ...engine import by_staff, intake
    from ..events import OrderPlaced
    from . import asking, context, endings, events, guard, health, sweep  # noqa: F401 - importing registers

    context.register()
    intake.listener(OrderPlaced.kind)(endings.know_bought)
    by_staff.also_stops(asking.cancel_all)


def connect() -> None:
    """Listen to the shop's signals."""
    from . import takeover

    takeover.connect()
