"""Changes of status, told by Oscar's signals: the next tick looks, instead of the next turn.

What changed is read from the tables by the sweep, which must find it in any case: a signal is
sent before Oscar writes the change down, and says nothing of what an admin sets by hand.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from oscar.apps.order.signals import order_line_status_changed, order_status_changed

from ..receivers import Write, harmless
from . import sweep


@harmless
def note_order_status(order: Any = None, **kwargs: Any) -> Write | None:
    """Have the orders looked at soon: one UPDATE after the commit."""
    return sweep.hurry if order is not None else None


@harmless
def note_line_status(line: Any = None, **kwargs: Any) -> Write | None:
    """Have the line's order looked at: no table tells when the status of a line changed."""
    order_id = getattr(line, "order_id", None)
    return partial(sweep.look_again, order_id) if order_id is not None else None


def connect() -> None:
    """Listen to Oscar; connecting twice changes nothing."""
    for signal, receiver in (
        (order_status_changed, note_order_status),
        (order_line_status_changed, note_line_status),
    ):
        signal.connect(receiver, dispatch_uid=f"oscar_triggers.{receiver.__name__}")
