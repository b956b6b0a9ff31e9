"""Questions about the order that a flow is about, and which order of the person it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers import conditions
from oscar_triggers.exceptions import InvalidOptions
from oscar_triggers.models import Enrollment, JournalEntry
from tests.shop.after.conftest import entry, place, publish, set_silently
from tests.shop.after.test_letters import subject_of
from tests.shop.conftest import Clock

pytestmark = pytest.mark.django_db


def holds(kind: str, order: Any, clock: Clock, contact: int = 1, **options: Any) -> bool:
    """Ask one condition about an order."""
    from dataclasses import replace

    condition = conditions.registry.get(kind).from_options(options)
    subject = replace(subject_of(order, clock), contact_id=contact)
    return condition.holds_many([subject], clock.now)[0].holds


def test_an_order_contains_what_its_lines_hold(
    clock: Clock, product: Any, other_product: Any, shop_site: Any
) -> None:
    order = place("1001")
    order.lines.update(product=product)
    assert holds("order_contains", order, clock, product=str(product.pk))
    assert not holds("order_contains", order, clock, product=str(other_product.pk))


def test_an_order_is_at_a_stage_however_it_came_there(clock: Clock, shop_site: Any) -> None:
    order = place("1001")
    assert not holds("order_stage", order, clock, stage="shipped")
    order.lines.update(status="Shipped")
    assert holds("order_stage", order, clock, stage="shipped")
    set_silently(order, "Cancelled")
    assert holds("order_stage", order, clock, stage="cancelled")
    with pytest.raises(InvalidOptions):
        holds("order_stage", order, clock, stage="lost")


def test_the_value_of_an_order_is_compared_with_and_without_shipping(
    clock: Clock, shop_site: Any
) -> None:
    order = place("1001", total_incl_tax=Decimal(50), shipping_incl_tax=Decimal(5))
    asked: dict[str, Any] = {"comparison": "at_least", "amount": "50"}
    assert holds("order_value", order, clock, **asked)
    assert not holds("order_value", order, clock, **asked, with_shipping=False)
    assert not holds("order_value", order, clock, **asked, currency="USD")


def test_the_first_order_of_a_person_is_told_from_the_second(watched: Clock) -> None:
    first = place("1001", date_placed=watched.now - timedelta(minutes=9))
    second = place("1002", email="GUEST@example.com", date_placed=watched.now)
    other = place("1003", email="other@example.com", date_placed=watched.now)
    watched.tick()
    watched.tick()
    numbers = {one.number: entry(one, "order_placed").payload for one in (first, second, other)}
    told = {number: (payload["nth"], payload["is_first"]) for number, payload in numbers.items()}
    assert told == {"1001": (1, True), "1002": (2, False), "1003": (1, True)}
    contact = entry(first, "order_placed").contact_id or 0
    assert holds("first_order", first, watched, contact)
    assert not holds("first_order", second, watched, contact)


def test_a_members_orders_before_us_are_counted_too(
    clock: Clock, member: Any, shop_site: Any
) -> None:
    for number in ("901", "902"):
        place(number, user=member, email="", date_placed=clock.now - timedelta(days=90))
    clock.tick()
    publish("order_placed")
    order = place("1001", user=member, email="", date_placed=clock.now)
    clock.tick()
    clock.tick()
    payload = entry(order, "order_placed").payload
    assert (payload["nth"], payload["is_first"]) == (3, False)
    assert Decimal(payload["value"]) == Decimal("12.50")
    assert Enrollment.objects.get().payload["nth"] == 3


def test_an_order_that_was_recorded_by_an_older_release_is_still_read(db: None) -> None:
    from oscar_triggers import events

    old = {"number": "1", "basket_id": 3, "total": "9.00", "currency": "EUR"}
    event = events.from_payload("order_placed", old)
    assert event.act_key(None) == "order:1"
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("order_contains", {"brand": "Acme"}),
        ("order_stage", {"stage": "paid"}),
        ("first_order", {}),
        ("order_value", {"amount": "5"}),
    ],
)
def test_a_hundred_are_asked_as_often_as_two(
    clock: Clock, shop_site: Any, kind: str, options: dict[str, Any]
) -> None:
    orders = [place(f"N-{number}") for number in range(100)]
    condition = conditions.registry.get(kind).from_options(options)

    def asked(count: int) -> int:
        subjects = [subject_of(order, clock) for order in orders[:count]]
        with CaptureQueriesContext(connection) as queries:
            condition.holds_many(subjects, clock.now)
        return len(queries)

    assert asked(2) == asked(100)
