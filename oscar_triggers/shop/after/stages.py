"""What an order comes through, and by which names of Oscar's statuses and events we know it."""

from __future__ import annotations

from ...conf import order_stage_names

PAID = "paid"
SHIPPED = "shipped"
#: Ready to be fetched.
READY = "ready"
RECEIVED = "received"
CANCELLED = "cancelled"
REFUNDED = "refunded"

#: The way forward: who came further has been at what lies before.
FORWARD = (PAID, SHIPPED, READY, RECEIVED)
#: The ways out.
OVER = (CANCELLED, REFUNDED)
ALL = (*FORWARD, *OVER)

#: Not what Oscar says of an order, but what it does not: nobody paid.
UNPAID = "unpaid"


def names_of(stage: str) -> frozenset[str]:
    """Return the names of statuses and of types of events that mean a stage."""
    return frozenset(order_stage_names(stage))


def stage_of(name: str) -> str:
    """Return the stage that a status or a type of events means, "" where it means none."""
    return next((stage for stage in ALL if name in names_of(stage)), "")


def beyond(stage: str) -> frozenset[str]:
    """Return the names that mean a stage or one that lies further on the way."""
    if stage not in FORWARD:
        return names_of(stage)
    later = FORWARD[FORWARD.index(stage) :]
    return frozenset(name for one in later for name in names_of(one))
