"""What tests of orders share: orders without signals, and what was told of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows, templates
from oscar_triggers.models import FlowVersion, JournalEntry, Owner
from tests.shop.conftest import Clock, make_order


@pytest.fixture
def watched(clock: Clock, shop_site: Any) -> Clock:
    """Return the clock of a shop that we have looked at once."""
    clock.tick()
    return clock


def letter(key: str, body: str, subject: str = "About your order") -> None:
    """Publish a letter in English."""
    mjml = f"<mjml><mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>"
    templates.publish(
        key, key, LetterSource(subject=subject, body=mjml, language="en"),
        owner=Owner.FILE, now=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def reminder(db: None) -> None:
    """Publish a short letter, "note"."""
    letter("note", "<mj-text>Thank you.</mj-text>")


def place(number: str, *quantities: int, email: str = "guest@example.com", **fields: Any) -> Any:
    """Write an order with lines of so many units, as an import does."""
    order = make_order(number, **{"guest_email": email, "status": "Pending", **fields})
    for position, quantity in enumerate(quantities or (1,), start=1):
        add_line(order, quantity, title=f"Thing {position}")
    return order


def add_line(order: Any, quantity: int = 1, **fields: Any) -> Any:
    """Write a line of an order."""
    values: dict[str, Any] = {
        "title": "Thing",
        "quantity": quantity,
        "partner_name": "Whitby warehouse",
        "partner_sku": "SKU",
        "num_allocated": 0,
        "status": "Pending",
    }
    price = Decimal("12.50") * quantity
    for tax in ("incl", "excl"):
        values[f"line_price_{tax}_tax"] = price
        values[f"line_price_before_discounts_{tax}_tax"] = price
    return order.lines.create(**{**values, **fields})


def ship(order: Any, name: str = "Shipped", at: datetime | None = None, **units: int) -> Any:
    """Record a shipping event; `units` are {title of the line: how many}, all where none is given."""
    kind, _ = get_model("order", "ShippingEventType").objects.get_or_create(name=name)
    event = order.shipping_events.create(event_type=kind, notes="PARCEL-1")
    for line in order.lines.all():
        quantity = units.get(line.title.replace(" ", "_"), 0) if units else line.quantity
        if quantity:
            event.line_quantities.create(line=line, quantity=quantity)
    if at is not None:
        type(event).objects.filter(pk=event.pk).update(date_created=at)
    return event


def pay(order: Any, amount: Any, name: str = "Paid", at: datetime | None = None) -> Any:
    """Record a payment event."""
    kind, _ = get_model("order", "PaymentEventType").objects.get_or_create(name=name)
    event = order.payment_events.create(event_type=kind, amount=Decimal(amount), reference="T-1")
    if at is not None:
        type(event).objects.filter(pk=event.pk).update(date_created=at)
    return event


def set_silently(order: Any, status: str) -> None:
    """Set an order's status as `QuerySet.update` does."""
    type(order).objects.filter(pk=order.pk).update(status=status)


#: What says of an order that it is on its way through the stages.
STAGES = ("order_paid", "order_shipped", "order_ready", "order_received", "order_cancelled",
          "order_refunded")  # fmt: skip


def told(order: Any, *kinds: str) -> list[str]:
    """Return the kinds of what was told of an order, oldest first."""
    entries = JournalEntry.objects.filter(about_type="order", about_id=str(order.number))
    if kinds:
        entries = entries.filter(kind__in=kinds)
    return list(entries.order_by("pk").values_list("kind", flat=True))


def entry(order: Any, kind: str) -> JournalEntry:
    """Return the one event of a kind about an order."""
    return JournalEntry.objects.get(about_type="order", about_id=str(order.number), kind=kind)


def publish(
    trigger: str, *steps: dict[str, Any], key: str = "orders", **fields: Any
) -> FlowVersion:
    """Publish a flow about orders two months ago; it waits for long unless steps are given."""
    options = fields.pop("options", {})
    definition = FlowDefinition.from_dict(
        {
            "flow": key,
            "trigger": {"kind": trigger, **options},
            "stream": "transactional",
            "steps": list(steps)
            or [{"key": "pause", "kind": "wait", "options": {"duration": "20d"}}],
            **fields,
        }
    )
    return flows.publish(definition, owner=Owner.FILE, now=timezone.now() - timedelta(days=60))
