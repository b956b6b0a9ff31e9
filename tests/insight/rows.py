"""Rows as the engine leaves them, made without running it: letters, clicks, orders, people."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from oscar_triggers.models import (
    Contact,
    Conversion,
    Dispatch,
    Enrollment,
    Flow,
    FlowVersion,
    Message,
)

_numbers = count(1)


def make_flow(key: str, **fields: Any) -> Flow:
    """Return a live flow with a version."""
    now = fields.pop("now")
    flow = Flow.objects.create(
        **{
            "key": key,
            "name": key.replace("-", " ").capitalize(),
            "owner": "editor",
            "state": "live",
            "trigger_kind": "basket_left",
            "active_since": now - timedelta(days=300),
            "created_at": now - timedelta(days=300),
            **fields,
        }
    )
    version = FlowVersion.objects.create(
        flow=flow, number=1, definition={}, content_hash=key, published_at=now
    )
    Flow.objects.filter(pk=flow.pk).update(live_version=version)
    flow.refresh_from_db()
    return flow


def make_contact(**fields: Any) -> Contact:
    """Return somebody."""
    number = next(_numbers)
    fields.setdefault("created_at", datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    return Contact.objects.create(identity_key=f"email:row-{number}", **fields)


def make_message(flow: Flow | None, moment: datetime, **fields: Any) -> Message:
    """Return a letter that was sent."""
    number = next(_numbers)
    return Message.objects.create(
        **{
            "idempotency_key": f"row:{number}",
            "flow": flow,
            "contact": fields.pop("contact", None) or make_contact(),
            "step_key": "letter-1",
            "stream": "promotional",
            "topic": "offers",
            "state": "sent",
            "planned_at": moment,
            "due_at": moment,
            "not_after": moment + timedelta(days=1),
            "settled_at": moment,
            **fields,
        }
    )


def make_order(
    message: Message, value: str = "10.00", currency: str = "EUR", **fields: Any
) -> Conversion:
    """Return an order that followed a letter."""
    assert message.settled_at is not None
    return Conversion.objects.create(
        **{
            "message": message,
            "kind": "order_placed",
            "value": Decimal(value),
            "currency": currency,
            "occurred_at": message.settled_at + timedelta(hours=1),
            **fields,
        }
    )


def make_enrollment(flow: Flow, now: datetime, **fields: Any) -> Enrollment:
    """Put somebody on the way."""
    number = next(_numbers)
    return Enrollment.objects.create(
        **{
            "flow": flow,
            "version": flow.live_version,
            "contact": fields.pop("contact", None) or make_contact(),
            "episode_key": f"basket:{number}:1",
            "about_type": "basket",
            "about_id": str(number),
            "step_key": "letter-1",
            "clock_at": now,
            "entered_at": now,
            "due_at": now + timedelta(hours=1),
            **fields,
        }
    )


def make_dispatch(message: Message, state: str, due_at: datetime, **fields: Any) -> Dispatch:
    """Return one try at a message."""
    return Dispatch.objects.create(
        **{"message": message, "channel": "email", "state": state, "due_at": due_at, **fields}
    )
