"""What happens to an order by itself: nobody pays, nobody fetches it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import Enrollment
from oscar_triggers.shop.after import pickup
from tests.shop.after.conftest import entry, place, publish, set_silently, told
from tests.shop.conftest import Clock

pytestmark = pytest.mark.django_db


def test_an_order_that_nobody_pays_is_told_once_for_each_flow(watched: Clock) -> None:
    publish("order_unpaid", options={"after": "1h"}, key="first")
    publish("order_unpaid", options={"after": "1d"}, key="second")
    order = place("1001", date_placed=watched.now)
    watched.tick()
    watched.tick(timedelta(minutes=50))
    assert told(order, "order_unpaid") == []
    watched.tick(timedelta(minutes=10))
    watched.tick()
    assert told(order, "order_unpaid") == ["order_unpaid"]
    assert entry(order, "order_unpaid").occurred_at == order.date_placed + timedelta(hours=1)
    watched.tick(timedelta(hours=23))
    watched.tick()
    assert told(order, "order_unpaid") == ["order_unpaid"] * 2
    assert set(Enrollment.objects.values_list("flow__key", flat=True)) == {"first", "second"}


@pytest.mark.parametrize("status", ["Paid", "Cancelled", "Shipped"])
def test_nobody_is_asked_to_pay_what_is_settled(watched: Clock, status: str) -> None:
    publish("order_unpaid", options={"after": "1h"})
    order = place("1001", date_placed=watched.now)
    watched.tick()
    set_silently(order, status)
    watched.tick(timedelta(hours=2))
    assert told(order, "order_unpaid") == []


def test_what_was_not_paid_before_we_came_is_not_told(clock: Clock, shop_site: Any) -> None:
    publish("order_unpaid", options={"after": "1h"})
    old = place("1001", date_placed=clock.now - timedelta(hours=5))
    young = place("1002", date_placed=clock.now - timedelta(minutes=10))
    clock.tick()
    clock.tick(timedelta(hours=1))
    assert told(old, "order_unpaid") == []
    assert told(young, "order_unpaid") == ["order_unpaid"]


def test_a_free_order_is_paid(watched: Clock) -> None:
    publish("order_unpaid", options={"after": "1h"})
    order = place("1001", total_incl_tax=0, total_excl_tax=0, date_placed=watched.now)
    watched.tick()
    watched.tick(timedelta(hours=2))
    assert told(order, "order_paid", "order_unpaid") == ["order_paid"]


def test_the_end_of_the_storage_is_told_before_it_comes(watched: Clock) -> None:
    publish("pickup_ending", options={"term": "7d", "before": "2d"})
    order = place("1001", date_placed=watched.now)
    watched.tick()
    set_silently(order, "Ready for pick-up")
    watched.tick()
    ready_at = watched.now
    watched.tick(timedelta(days=4))
    assert told(order, "pickup_ending") == []
    watched.tick(timedelta(days=1))
    watched.tick()
    assert told(order, "pickup_ending") == ["pickup_ending"]
    until = entry(order, "pickup_ending").payload["until"]
    assert until == (ready_at + timedelta(days=7)).isoformat()


def test_who_fetched_it_is_not_reminded(watched: Clock) -> None:
    publish("pickup_ending", options={"term": "7d", "before": "2d"})
    order = place("1001", date_placed=watched.now)
    watched.tick()
    set_silently(order, "Ready for pick-up")
    watched.tick()
    set_silently(order, "Picked up")
    watched.tick(timedelta(days=6))
    assert told(order, "order_ready", "order_received", "pickup_ending") == [
        "order_ready",
        "order_received",
    ]


def test_a_shop_that_keeps_it_for_longer_is_asked_for_the_real_date(watched: Clock) -> None:
    publish("pickup_ending", options={"term": "7d", "before": "2d"})
    order = place("1001", date_placed=watched.now)
    ends = {"1001": watched.now + timedelta(days=14)}

    def ours(numbers: Any) -> dict[str, Any]:
        return {number: ends[number] for number in numbers if number in ends}

    pickup.source(ours)
    try:
        watched.tick()
        set_silently(order, "Ready for pick-up")
        watched.tick()
        watched.tick(timedelta(days=6))
        assert told(order, "pickup_ending") == []
        watched.tick(timedelta(days=6, minutes=5))
        assert told(order, "pickup_ending") == ["pickup_ending"]
    finally:
        pickup.forget(ours)


@pytest.mark.parametrize("how", ["fails", "naive", "nothing"])
def test_a_shops_code_that_knows_no_date_stops_no_order(watched: Clock, how: str) -> None:
    def keeps(numbers: Any) -> Any:
        if how == "fails":
            raise RuntimeError("no such warehouse")
        return {one: datetime(2020, 1, 1) for one in numbers} if how == "naive" else None  # noqa: DTZ001 - as shops' code may

    publish("pickup_ending", options={"term": "7d", "before": "2d"})
    order = place("1001", status="Ready for pick-up")
    other = place("1002")
    pickup.source(keeps)
    try:
        watched.tick()
        set_silently(other, "Shipped")
        watched.tick()
        watched.tick(timedelta(days=6))
    finally:
        pickup.forget(keeps)
    assert told(other, "order_shipped") == ["order_shipped"]
    assert told(order, "pickup_ending") == ([] if how == "naive" else ["pickup_ending"])


def test_options_that_make_no_sense_are_refused(db: None) -> None:
    for trigger, options in (
        ("order_unpaid", {"after": "1m"}),
        ("pickup_ending", {"term": "2d", "before": "3d"}),
    ):
        with pytest.raises(DefinitionError):
            publish(trigger, options=options)
