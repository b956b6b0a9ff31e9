"""What happens to one order says nothing of another one of the same person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oscar_triggers.engine import clockwork, intake
from oscar_triggers.models import Enrollment
from oscar_triggers.shop.after.events import OrderPaid, OrderUnpaid
from oscar_triggers.snapshots import About, Person
from tests.shop.after.conftest import place, publish, set_silently
from tests.shop.conftest import Clock

pytestmark = pytest.mark.django_db

WAIT = {
    "key": "until-paid",
    "kind": "wait_for_event",
    "options": {"event": "order_paid", "timeout": "9d"},
    "branches": {"came": [], "timed_out": []},
}


def active() -> set[str]:
    """Return the orders of which somebody is on the way."""
    return set(Enrollment.objects.filter(state="active").values_list("about_id", flat=True))


def test_a_goal_is_reached_by_the_order_that_it_is_about(watched: Clock) -> None:
    publish("order_unpaid", options={"after": "1h"}, goals=["order_paid"])
    first = place("1001", date_placed=watched.now)
    place("1002", date_placed=watched.now)
    watched.tick()
    watched.tick(timedelta(hours=1))
    watched.tick()
    assert active() == {"1001", "1002"}
    set_silently(first, "Paid")
    watched.tick()
    watched.tick()
    assert active() == {"1002"}


@pytest.mark.parametrize("paid_at_once", [True, False])
def test_a_wait_is_ended_by_the_order_that_it_is_about(watched: Clock, paid_at_once: bool) -> None:
    publish("order_placed", WAIT)
    first = place("1001", date_placed=watched.now)
    place("1002", date_placed=watched.now)
    if paid_at_once:
        set_silently(first, "Paid")
        watched.tick()
    else:
        watched.tick()
        watched.tick()
        assert active() == {"1001", "1002"}
        set_silently(first, "Paid")
    for _tick in range(3):
        watched.tick()
    assert active() == {"1002"}


@pytest.mark.parametrize("paid", ["1001", "1002"])
def test_so_it_is_when_both_are_told_in_one_breath(watched: Clock, paid: str) -> None:
    publish("order_unpaid", options={"after": "1h"}, goals=["order_paid"])
    for number in ("1001", "1002"):
        place(number, date_placed=watched.now)
    events: list[tuple[Any, str]] = [
        (OrderUnpaid(number="1001", after=3600), "1001"),
        (OrderPaid(number=paid), paid),
    ]
    for seconds, (event, number) in enumerate(events):
        intake.record(
            event,
            person=Person(email="guest@example.com"),
            about=About(type="order", id=number),
            occurred_at=watched.now + timedelta(seconds=seconds),
        )
    clockwork.tick(watched.now + timedelta(seconds=2), send=False)
    assert Enrollment.objects.get().about_id == "1001"
    assert active() == (set() if paid == "1001" else {"1001"})
