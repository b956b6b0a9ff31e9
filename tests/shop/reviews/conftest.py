"""What tests of reviews share: orders that arrived, reviews, and a flow that asks for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows
from oscar_triggers.models import FlowVersion, JournalEntry, OrderWatch, Owner, Pulse
from oscar_triggers.shop.reviews.asking import Asked, to_review_many
from oscar_triggers.shop.reviews.due import ReviewDueSweep
from tests.shop.conftest import commit, make_order
from tests.shopping import make_product


def order_of(*products: Any, number: str = "R-1", quantity: int = 1, **fields: Any) -> Any:
    """Write an order with one line for each product."""
    order = make_order(number, **fields)
    for product in products:
        get_model("order", "Line").objects.create(
            order=order, product=product, title=product.get_title(), upc=product.upc or "",
            quantity=quantity, num_allocated=0, partner_sku="x",
            line_price_incl_tax=1, line_price_excl_tax=1,
            line_price_before_discounts_incl_tax=1, line_price_before_discounts_excl_tax=1,
            unit_price_incl_tax=1, unit_price_excl_tax=1,
        )  # fmt: skip
    return order


def line_of(order: Any, product: Any) -> Any:
    """Return the line of a product."""
    return order.lines.get(product=product)


def ship(name: str, order: Any, *lines: tuple[Any, int]) -> None:
    """Write a shipping event, as the dashboard does."""
    kind, _ = get_model("order", "ShippingEventType").objects.get_or_create(name=name)
    event = get_model("order", "ShippingEvent").objects.create(order=order, event_type=kind)
    for line, quantity in lines:
        event.line_quantities.create(line=line, quantity=quantity)


def pay_back(order: Any, amount: str, *lines: tuple[Any, int]) -> None:
    """Write a payment event “Refunded”, as the dashboard does."""
    kind, _ = get_model("order", "PaymentEventType").objects.get_or_create(name="Refunded")
    event = get_model("order", "PaymentEvent").objects.create(
        order=order, event_type=kind, amount=Decimal(amount)
    )
    for line, quantity in lines:
        event.line_quantities.create(line=line, quantity=quantity)


def watch(order: Any, *, placed_at: datetime | None = None, **stages: datetime) -> OrderWatch:
    """Remember an order as the sweep over orders does, with the stages that it reached."""
    return OrderWatch.objects.create(
        order_id=order.pk,
        number=order.number,
        placed_at=placed_at or order.date_placed,
        seen_at=timezone.now(),
        stages={name: at.isoformat() for name, at in stages.items()},
    )


def review(product: Any, *, email: str = "", user: Any = None, **fields: Any) -> Any:
    """Write a review as an import does: no signal of Oscar's."""
    values = {"title": "Fine", "body": "Very fine", "score": 4, "name": "" if user else "Guest"}
    return get_model("reviews", "ProductReview").objects.create(
        product=product, email=email, user=user, **{**values, **fields}
    )


def left(number: str = "R-1", **known: Any) -> list[int]:
    """Return the numbers of the products that are left to review."""
    [answer] = to_review_many([Asked(number=number, **known)])
    return [one.product_id for one in answer.products]


def why(number: str = "R-1", **known: Any) -> str:
    """Return why nothing is left to review."""
    [answer] = to_review_many([Asked(number=number, **known)])
    return answer.reason


def ask_flow(key: str = "reviews", at: datetime | None = None, **trigger: Any) -> FlowVersion:
    """Publish a flow that listens to it being time to ask."""
    definition = FlowDefinition.from_dict(
        {
            "flow": key,
            "trigger": {"kind": "review_due", **trigger},
            "stay": [{"kind": "order_to_review"}],
            "steps": [{"key": "pause", "kind": "wait", "options": {"duration": "20d"}}],
        }
    )
    return flows.publish(definition, owner=Owner.FILE, now=at or timezone.now())


def sweep(now: datetime) -> int:
    """Look once whether it is time to ask; return how often it is."""
    pulse, _ = Pulse.objects.get_or_create(name="sweep:reviews_due")
    found = ReviewDueSweep().run(now, pulse)
    pulse.save()
    commit()
    return int(found["due"])


def dues() -> list[dict[str, Any]]:
    """Return what was told about orders of which reviews are due, oldest first."""
    entries = JournalEntry.objects.filter(kind="review_due").order_by("pk")
    return list(entries.values_list("payload", flat=True))


@pytest.fixture
def variant(db: None) -> Any:
    """Return a blue jacket, a variant of a jacket."""
    from oscar.test import factories

    parent = factories.create_product(title="Down jacket", product_class="Gear", structure="parent")
    return make_product("Down jacket, blue", price=Decimal("120.00"), parent=parent)


@pytest.fixture
def past() -> datetime:
    """Return a moment four weeks ago."""
    return timezone.now() - timedelta(days=28)
