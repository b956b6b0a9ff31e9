"""Each stage of an order is told once, whoever set it, and with the time at which it was reached."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from oscar_triggers.models import Decision, Enrollment, Flow, JournalEntry, Message, OrderWatch
from tests.shop.after.conftest import (
    STAGES,
    entry,
    pay,
    place,
    publish,
    set_silently,
    ship,
    told,
)  # fmt: skip
from tests.shop.conftest import Clock, make_order

pytestmark = pytest.mark.django_db


def test_orders_that_were_there_before_us_start_nothing(clock: Clock, shop_site: Any) -> None:
    old = place("1001", status="Delivered")
    clock.tick()
    assert told(old, *STAGES) == []
    assert OrderWatch.objects.get(order_id=old.pk).stages.keys() == {"received"}


def test_a_status_set_by_queryset_update_is_told_once(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    set_silently(order, "Shipped")
    watched.tick()
    watched.tick()
    assert told(order, *STAGES) == ["order_shipped"]
    assert told(order, "order_status_changed") == ["order_status_changed"]
    changed = entry(order, "order_status_changed")
    assert (changed.payload["old"], changed.payload["new"]) == ("Pending", "Shipped")
    assert changed.payload["stage"] == "shipped"
    # Nothing tells when it was: it is dated when it was found.
    assert changed.occurred_at == watched.now - timedelta(seconds=31)


def test_what_oscar_wrote_down_is_told_step_by_step_with_its_own_time(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    for old, new, ago in (("Pending", "Paid", 20), ("Paid", "Shipped", 10)):
        row = order.status_changes.create(old_status=old, new_status=new)
        type(row).objects.filter(pk=row.pk).update(
            date_created=watched.now - timedelta(seconds=ago)
        )
    set_silently(order, "Shipped")
    before = watched.now
    watched.tick()
    assert told(order, *STAGES) == ["order_paid", "order_shipped"]
    assert len(told(order, "order_status_changed")) == 2
    assert entry(order, "order_shipped").occurred_at == before - timedelta(seconds=10)


def test_a_change_seen_before_oscar_wrote_it_down_is_told_once(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    set_silently(order, "Paid")
    watched.tick()
    order.status_changes.create(old_status="Pending", new_status="Paid")
    watched.tick()
    assert len(told(order, "order_status_changed")) == 1


def test_a_status_that_comes_back_is_told_again_but_its_stage_is_not(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    for status in ("Paid", "On hold", "Paid"):
        set_silently(order, status)
        watched.tick()
    assert len(told(order, "order_status_changed")) == 3
    assert told(order, *STAGES) == ["order_paid"]


def test_the_dashboards_own_way_is_heard_at_the_next_tick(
    watched: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = get_model("order", "Order")
    monkeypatch.setattr(model, "pipeline", {"Pending": ("Cancelled",), "Cancelled": ()})
    order = place("1001")
    watched.tick()
    order.set_status("Cancelled")
    # Five seconds later the sweep's own turn has not come yet.
    from oscar_triggers.engine import clockwork
    from tests.shop.conftest import commit

    commit()
    clockwork.tick(watched.now + timedelta(seconds=5), send=False)
    assert told(order, *STAGES) == ["order_cancelled"]


def test_partial_deliveries_are_told_parcel_by_parcel(watched: Clock) -> None:
    order = place("1001", 2, 1)
    watched.tick()
    ship(order, Thing_1=1)
    watched.tick()
    assert told(order, "shipping_event", *STAGES) == ["shipping_event"]
    first = entry(order, "shipping_event").payload
    [mug, tent] = order.lines.order_by("pk")
    assert (first["type"], first["stage"], first["lines"]) == ("Shipped", "shipped", [mug.pk])
    assert first["quantities"] == [1]
    ship(order, Thing_1=1, Thing_2=1)
    watched.tick()
    assert told(order, *STAGES) == ["order_shipped"]
    assert entry(order, "order_shipped").payload["lines"] == [mug.pk, tent.pk]


def test_a_cancelled_line_does_not_keep_an_order_from_being_shipped(watched: Clock) -> None:
    order = place("1001", 1, 1)
    watched.tick()
    mug, tent = order.lines.order_by("pk")
    order.lines.filter(pk=tent.pk).update(status="Cancelled")
    watched.tick()
    assert told(order, *STAGES) == []
    ship(order, Thing_1=1)
    watched.tick()
    assert told(order, *STAGES) == ["order_shipped"]
    assert entry(order, "order_shipped").payload["lines"] == [mug.pk]


def test_lines_that_come_one_by_one_are_told_and_the_order_with_the_last(watched: Clock) -> None:
    order = place("1001", 1, 1)
    watched.tick()
    mug, tent = order.lines.order_by("pk")
    order.lines.filter(pk=mug.pk).update(status="Delivered")
    watched.tick()
    assert told(order, "order_line_status_changed", *STAGES) == ["order_line_status_changed"]
    assert entry(order, "order_line_status_changed").payload["line_id"] == mug.pk
    order.lines.filter(pk=tent.pk).update(status="Delivered")
    watched.tick()
    assert told(order, *STAGES) == ["order_received"]


def test_a_shipping_event_waits_for_its_lines(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    kind = get_model("order", "ShippingEventType").objects.create(name="Shipped")
    event = order.shipping_events.create(event_type=kind)
    watched.now = event.date_created - timedelta(seconds=20)
    watched.tick()
    assert told(order, "shipping_event") == []
    event.line_quantities.create(line=order.lines.get(), quantity=1)
    watched.tick()
    assert told(order, "shipping_event", "order_shipped") == ["shipping_event", "order_shipped"]


@pytest.mark.parametrize(
    ("amounts", "paid"), [(["12.50"], True), (["10", "2.50"], True), (["10"], False)]
)
def test_payments_make_an_order_paid_when_they_reach_its_total(
    watched: Clock, amounts: list[str], paid: bool
) -> None:
    order = place("1001")
    watched.tick()
    for amount in amounts:
        pay(order, amount)
    watched.tick()
    assert told(order, *STAGES) == (["order_paid"] if paid else [])
    assert len(told(order, "payment_event")) == len(amounts)


def test_a_source_that_was_debited_makes_an_order_paid(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    source = order.sources.create(source_type=kind, currency="EUR", amount_debited=Decimal(5))
    watched.tick()
    assert told(order, *STAGES) == []
    type(source).objects.update(amount_debited=Decimal("12.50"))
    watched.tick()
    assert told(order, *STAGES) == ["order_paid"]


def test_a_refund_of_a_part_is_no_refund_of_the_order(watched: Clock) -> None:
    order = place("1001", 2)
    watched.tick()
    pay(order, "6.25", name="Refunded")
    watched.tick()
    assert told(order, *STAGES) == []
    assert entry(order, "payment_event").payload["stage"] == "refunded"
    pay(order, "6.25", name="Refunded")
    watched.tick()
    assert told(order, *STAGES) == ["order_refunded"]


def test_a_refund_may_be_written_as_a_negative_amount(watched: Clock) -> None:
    order = place("1001", 2)
    watched.tick()
    pay(order, "-12.50", name="Refunded")
    watched.tick()
    assert told(order, *STAGES) == ["order_refunded"]


def test_an_order_of_nobody_is_noted_and_starts_nothing(watched: Clock, reminder: Any) -> None:
    send = {"key": "letter", "kind": "send", "options": {"template": "note"}}
    for kind in ("order_placed", "order_shipped"):
        publish(kind, send, key=kind)
    order = place("1001", email="", user=None, date_placed=watched.now)
    other = place("1002", date_placed=watched.now)
    watched.tick()
    for one in (order, other):
        set_silently(one, "Shipped")
    watched.tick()
    assert told(order, "order_placed", "order_shipped") == ["order_placed", "order_shipped"]
    assert set(Enrollment.objects.values_list("about_id", flat=True)) == {"1002"}


def test_orders_from_before_the_flow_went_live_start_nothing(watched: Clock, reminder: Any) -> None:
    send = {"key": "letter", "kind": "send", "options": {"template": "note"}}
    publish("order_placed", send)
    Flow.objects.update(active_since=watched.now - timedelta(hours=1))
    for number in range(3):
        place(f"E-{number}", date_placed=watched.now - timedelta(hours=2))
    watched.tick()
    watched.tick()
    assert not Enrollment.objects.exists()
    assert Decision.objects.filter(reason="before_activation").count() == 3


def test_a_shops_own_words_are_read_from_the_settings(watched: Clock, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "ORDER_STAGES": {"ready": ("Im Laden",)},
    }
    order = place("1001")
    watched.tick()
    set_silently(order, "Im Laden")
    watched.tick()
    assert told(order, *STAGES) == ["order_ready"]
    set_silently(order, "Delivered")
    watched.tick()
    assert told(order, *STAGES) == ["order_ready", "order_received"]


def test_a_stage_of_nobodys_knowledge_is_refused(settings: Any) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from oscar_triggers.conf import triggers_settings

    for stages in ({"sent": ("Sent",)}, {"shipped": "Shipped"}, {"shipped": (1,)}):
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "ORDER_STAGES": stages}
        with pytest.raises(ImproperlyConfigured, match="ORDER_STAGES"):
            triggers_settings()


def test_a_thousand_imported_orders_of_last_month_are_missed_and_flood_nobody(
    watched: Clock, reminder: Any
) -> None:
    publish("order_placed", {"key": "thanks", "kind": "send", "options": {"template": "note"}})
    publish(
        "order_received",
        {"key": "review", "kind": "send", "options": {"template": "note"}},
        key="received",
    )
    model = get_model("order", "Order")
    long_ago = watched.now - timedelta(days=30)
    model.objects.bulk_create(
        model(
            number=f"OLD-{number}",
            guest_email=f"guest{number}@example.com",
            currency="EUR",
            total_incl_tax=Decimal(9),
            total_excl_tax=Decimal(9),
            status="Delivered",
            date_placed=long_ago,
        )
        for number in range(1_000)
    )
    for _round in range(60):
        watched.tick()
        if not JournalEntry.objects.filter(routed_at=None).exists():
            break
    for _round in range(60):
        if not Enrollment.objects.filter(state="active").exists():
            break
        watched.tick()
    assert JournalEntry.objects.filter(kind="order_placed").count() == 1_000
    assert JournalEntry.objects.filter(kind="order_received").count() == 1_000
    assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {"missed"}
    assert Message.objects.count() == 0


def test_an_order_found_in_time_gets_its_letter_and_its_wait_counts_from_the_order(
    watched: Clock, reminder: Any
) -> None:
    publish(
        "order_received",
        {"key": "pause", "kind": "wait", "options": {"duration": "8d"}},
        {"key": "review", "kind": "send", "options": {"template": "note"}},
    )
    order = make_order(
        "1001",
        guest_email="guest@example.com",
        date_placed=watched.now - timedelta(days=3),
        status="Delivered",
    )
    watched.tick()
    watched.tick()
    enrollment = Enrollment.objects.get()
    assert enrollment.due_at == order.date_placed + timedelta(days=8)
    watched.tick(timedelta(days=5, minutes=5))
    assert Message.objects.count() == 1


def test_an_order_that_is_over_is_still_looked_at_in_its_turn(
    watched: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar_triggers.shop.after import sweep

    monkeypatch.setattr(sweep, "SLICE", 2)
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    orders = [place(f"D-{number}", status="Delivered") for number in range(5)]
    sources = [order.sources.create(source_type=kind, currency="EUR") for order in orders]
    watched.tick()
    # No table tells when this was written.
    type(sources[0]).objects.update(amount_refunded=Decimal("12.50"))
    pay(orders[4], "12.50", name="Refunded")
    watched.tick()
    # Two had their turn; of the last one Oscar wrote down that it was paid back.
    refunded = [order.number for order in orders if "order_refunded" in told(order)]
    assert "D-4" in refunded
    assert len(refunded) == 3
    for _turn in range(3):
        watched.tick()
    assert all(told(order).count("order_refunded") == 1 for order in orders)


def test_orders_older_than_the_longest_age_are_let_go(watched: Clock) -> None:
    order = place("1001")
    watched.tick()
    watched.tick(timedelta(days=121))
    assert OrderWatch.objects.get(order_id=order.pk).closed_at is not None
    set_silently(order, "Shipped")
    watched.tick()
    assert told(order, *STAGES) == []


def test_the_sweep_asks_the_same_number_of_questions_for_any_number_of_orders(
    watched: Clock, django_assert_num_queries: Any
) -> None:
    from oscar_triggers.engine import sweeping
    from oscar_triggers.models import Pulse

    sweep = sweeping.registry.get("order_stages")
    pulse = Pulse.objects.get(name="sweep:order_stages")
    orders = [place(f"A-{number}", 1, 2) for number in range(3)]
    sweep.run(watched.now, pulse)

    def changed(rows: list[Any], status: str) -> None:
        for order in rows:
            set_silently(order, status)
            ship(order, name=status)

    changed(orders, "Paid")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        sweep.run(watched.now, pulse)
    orders += [place(f"B-{number}", 1, 2) for number in range(60)]
    sweep.run(watched.now, pulse)
    changed(orders, "Shipped")
    with CaptureQueriesContext(connection) as many:
        sweep.run(watched.now, pulse)
    assert len(many) == len(few)
    # Nothing changed: nothing is read but the counts.
    with django_assert_num_queries(20):
        sweep.run(watched.now, pulse)
