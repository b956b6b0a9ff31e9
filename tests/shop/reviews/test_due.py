"""When somebody is asked for reviews: after the receipt, or what stands for it; once, never late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_triggers.engine import flows
from oscar_triggers.exceptions import InvalidOptions
from oscar_triggers.models import Contact, Decision, Enrollment, Flow, JournalEntry
from oscar_triggers.shop.reviews.events import ReviewDueOptions
from tests.shop.conftest import Clock, make_order

from .conftest import ask_flow, dues, order_of, review, ship, sweep, watch

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def began(past: datetime) -> datetime:
    """Let the shop look for the first time four weeks ago, with a flow."""
    ask_flow(at=past)
    assert sweep(past) == 0
    return past


def test_eight_days_after_the_receipt(member: Any, product: Any, began: datetime) -> None:
    received = began + DAY
    watch(order_of(product, user=member), placed_at=began, shipped=began, received=received)
    assert sweep(received + 8 * DAY - timedelta(minutes=1)) == 0
    assert sweep(received + 8 * DAY) == 1
    [told] = dues()
    assert told["number"] == "R-1"
    assert told["products"] == 1
    assert told["counted_from"] == "received"
    entry = JournalEntry.objects.get(kind="review_due")
    assert (entry.about_type, entry.about_id) == ("order", "R-1")
    assert entry.occurred_at == received + 8 * DAY


def test_once_for_each_order(member: Any, product: Any, began: datetime) -> None:
    watch(order_of(product, user=member), placed_at=began, received=began)
    assert [sweep(began + 8 * DAY + timedelta(minutes=2 * n)) for n in range(3)] == [1, 0, 0]


def test_without_a_receipt_the_shipping_counts_and_else_the_placing(
    member: Any, product: Any, began: datetime
) -> None:
    watch(order_of(product, user=member), placed_at=began, shipped=began + DAY)
    watch(order_of(product, user=member, number="R-2"), placed_at=began + 2 * DAY)
    assert sweep(began + 15 * DAY) == 1
    assert sweep(began + 23 * DAY) == 1
    assert [(one["number"], one["counted_from"]) for one in dues()] == [
        ("R-1", "shipped"),
        ("R-2", "placed"),
    ]


def test_a_shop_that_knows_receipts_waits_for_them(
    member: Any, product: Any, past: datetime
) -> None:
    ask_flow(at=past, after_shipping=None, after_placing=None)
    sweep(past)
    watch(order_of(product, user=member), placed_at=past, shipped=past)
    assert [sweep(past + day * DAY) for day in (8, 15, 22, 27)] == [0, 0, 0, 0]


def test_a_late_receipt_puts_it_off(member: Any, product: Any, began: datetime) -> None:
    row = watch(order_of(product, user=member), placed_at=began, shipped=began)
    row.stages["received"] = (began + 13 * DAY).isoformat()
    row.save()
    assert sweep(began + 14 * DAY) == 0
    assert sweep(began + 21 * DAY) == 1


def test_the_first_look_starts_nothing_old(member: Any, product: Any, past: datetime) -> None:
    ask_flow(at=past - 60 * DAY, after_receipt="8d")
    watch(order_of(product, user=member), placed_at=past - 9 * DAY, received=past - 9 * DAY)
    assert sweep(past) == 0
    assert sweep(past + timedelta(minutes=2)) == 0
    assert dues() == []


def test_who_has_reviewed_everything_is_not_asked(
    member: Any, product: Any, began: datetime
) -> None:
    watch(order_of(product, user=member), placed_at=began, received=began)
    review(product, user=member)
    assert sweep(began + 8 * DAY) == 0


def test_no_flow_no_question(member: Any, product: Any, began: datetime) -> None:
    watch(order_of(product, user=member), placed_at=began, received=began)
    flows.pause("reviews", now=began)
    assert sweep(began + 8 * DAY) == 0


def test_two_flows_with_other_times_are_told_apart(
    member: Any, product: Any, began: datetime
) -> None:
    ask_flow("later", at=began, after_receipt="10d")
    watch(order_of(product, user=member), placed_at=began, received=began)
    assert sweep(began + 8 * DAY) == 1
    assert sweep(began + 10 * DAY) == 1
    assert [one["after_receipt"] for one in dues()] == ["8d", "10d"]


def test_a_guest_enters_by_the_address_of_the_order(product: Any, clock: Clock) -> None:
    ask_flow(at=clock.now)
    sweep(clock.now)
    order = order_of(product, guest_email="Guest@Example.com", date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    clock.tick(8 * DAY)
    enrollment = Enrollment.objects.get()
    assert enrollment.episode_key == "order:R-1"
    assert enrollment.contact.points.get().normalised == "guest@example.com"


def test_changing_the_times_of_a_flow_asks_nobody_twice(
    member: Any, product: Any, clock: Clock
) -> None:
    ask_flow(at=clock.now)
    sweep(clock.now)
    order = order_of(product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    clock.tick(8 * DAY)
    ask_flow(at=clock.now, after_receipt="9d")
    clock.tick(DAY)
    assert len(dues()) == 2
    assert Enrollment.objects.count() == 1


def test_what_an_outage_hid_is_missed_by_rule(member: Any, product: Any, clock: Clock) -> None:
    ask_flow(at=clock.now)
    sweep(clock.now)
    order = order_of(product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    clock.tick(9 * DAY + timedelta(hours=1))
    assert len(dues()) == 1
    assert not Enrollment.objects.exists()
    assert Decision.objects.get(reason="too_late").compared["max_lateness"]


def test_a_review_ends_the_asking_at_once(member: Any, product: Any, clock: Clock) -> None:
    ask_flow(at=clock.now)
    clock.tick()
    order = order_of(product, user=member, date_placed=clock.now)
    watch(order, placed_at=clock.now, received=clock.now)
    clock.tick(8 * DAY)
    assert Enrollment.objects.get().state == "active"
    review(product, user=member)
    clock.tick()
    enrollment = Enrollment.objects.get()
    assert (enrollment.state, enrollment.exit_reason) == ("ended", "condition")


def test_an_account_that_is_gone_is_asked_by_what_the_watch_knows(
    product: Any, began: datetime
) -> None:
    contact = Contact.objects.create(identity_key="email:x", created_at=began)
    row = watch(order_of(product), placed_at=began, received=began)
    row.contact = contact
    row.save()
    assert sweep(began + 8 * DAY) == 1
    assert JournalEntry.objects.get(kind="review_due").person == {"contact_id": contact.pk}


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidOptions):
        ReviewDueOptions.from_options({"after_receipt": "0s"})
    with pytest.raises(InvalidOptions):
        ReviewDueOptions.from_options({"after_shipping": "400d"})
    assert ReviewDueOptions.from_options({"after_shipping": None}).after_shipping is None


def test_a_look_at_many_orders_costs_as_many_queries_as_at_one(
    member: Any, product: Any, other_product: Any, began: datetime
) -> None:
    def queries(count: int, start: int) -> int:
        for number in range(start, start + count):
            order = order_of(product, other_product, user=member, number=f"Q-{number}")
            watch(order, placed_at=began, received=began + number * DAY / 100)
        with CaptureQueriesContext(connection) as captured:
            assert sweep(began + 8 * DAY + (start + count) * DAY / 100) == count
        return len(captured)

    assert queries(1, 0) == queries(8, 1)


def test_the_sweep_runs_in_the_tick_beside_the_others(clock: Clock) -> None:
    ask_flow(at=timezone.now())
    make_order("R-0")
    report = clock.tick()
    assert report.sweeps["reviews_due"] == {"due": 0}
    assert Flow.objects.get().state == "live"


def test_from_a_status_that_nobody_told_of_to_the_question(
    member: Any, product: Any, other_product: Any, clock: Clock
) -> None:
    """The sweep over orders writes when one was received; ours counts from there."""
    ask_flow(at=clock.now)
    clock.tick()
    order = order_of(product, other_product, user=member, date_placed=clock.now)
    clock.tick()
    ship("Shipped", order, *[(line, 1) for line in order.lines.all()])
    clock.tick(DAY)
    type(order).objects.filter(pk=order.pk).update(status="Complete")
    clock.tick(DAY)
    clock.tick(7 * DAY)
    assert dues() == []
    clock.tick(DAY)
    [told] = dues()
    assert (told["number"], told["products"], told["counted_from"]) == ("R-1", 2, "received")
    assert Enrollment.objects.get().about_id == "R-1"
