"""A shop with many open orders: an idle look is short, and what stirs is seen at once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers.engine import sweeping
from oscar_triggers.models import Pulse
from oscar_triggers.shop.after import sweep
from tests.shop.after.conftest import pay, place, publish, set_silently, told
from tests.shop.conftest import Clock, commit

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(watched: Clock, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the open orders of a shop that compares two of them at each look, the last ones last."""
    orders = [place(f"M-{number}", date_placed=watched.now) for number in range(12)]
    watched.tick()
    monkeypatch.setattr(sweep, "SLICE", 2)
    return orders


def look(now: Any) -> tuple[dict[str, Any], int]:
    """Look once; return what was found, and how many statements it took."""
    pulse = Pulse.objects.get(name=f"sweep:{sweep.NAME}")
    with CaptureQueriesContext(connection) as asked:
        found = sweeping.registry.get(sweep.NAME).run(now, pulse)
    pulse.save()
    return found, len(asked)


def test_an_idle_look_compares_no_more_orders_in_a_larger_shop(
    many: list[Any], watched: Clock
) -> None:
    # What Oscar wrote down lately is looked at for a while.
    now = watched.now + timedelta(hours=1)
    look(now)
    found, few = look(now)
    assert found["looked"] <= 4
    for number in range(20):
        place(f"N-{number}", date_placed=watched.now)
    look(now)
    found, more = look(now)
    assert found["looked"] <= 4
    assert more == few


def test_every_open_order_has_its_turn(many: list[Any], watched: Clock) -> None:
    for order in many:
        order.lines.update(status="Shipped")
    for _turn in range(8):
        watched.tick()
    assert all(told(order, "order_shipped") == ["order_shipped"] for order in many)


def test_a_status_that_nobody_told_of_is_seen_at_the_next_look(
    many: list[Any], watched: Clock
) -> None:
    set_silently(many[-1], "Shipped")
    watched.tick()
    assert told(many[-1], "order_shipped") == ["order_shipped"]


def test_a_line_that_the_shop_told_of_is_seen_at_the_next_look(
    many: list[Any], watched: Clock, settings: Any
) -> None:
    line = many[-1].lines.get()
    settings.OSCAR_LINE_STATUS_PIPELINE = {"Pending": ("Shipped",), "Shipped": ()}
    type(line).pipeline = settings.OSCAR_LINE_STATUS_PIPELINE
    try:
        line.set_status("Shipped")
    finally:
        type(line).pipeline = {}
    commit()
    watched.tick()
    assert told(many[-1], "order_shipped") == ["order_shipped"]


def test_money_that_moved_is_seen_at_the_next_look(many: list[Any], watched: Clock) -> None:
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    many[-1].sources.create(source_type=kind, currency="EUR").debit(Decimal("12.50"))
    pay(many[-2], "12.50")
    watched.tick()
    assert told(many[-1], "order_paid") == told(many[-2], "order_paid") == ["order_paid"]


def test_who_did_not_pay_in_time_is_seen_at_the_next_look(many: list[Any], watched: Clock) -> None:
    publish("order_unpaid", options={"after": "1h"})
    watched.tick(timedelta(hours=1, seconds=5))
    assert all(told(order, "order_unpaid") == ["order_unpaid"] for order in many)


def test_what_fell_due_while_nobody_looked_is_told_late(many: list[Any], watched: Clock) -> None:
    publish("pickup_ending", options={"term": "7d", "before": "2d"})
    set_silently(many[-1], "Ready for pick-up")
    watched.tick()
    watched.tick(timedelta(days=6))
    assert told(many[-1], "pickup_ending") == ["pickup_ending"]
