"""What two rules mean together: goals that come first, dates that change, people who are joined."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from oscar.core.loading import get_model

from oscar_triggers.engine import advancing, contacts, fields, flows, intake, routing
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.insight.explain import explain
from oscar_triggers.models import (
    Assignment,
    Decision,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    JournalEntry,
    Message,
    VoucherGrant,
)
from oscar_triggers.shop.events import BasketLeft, OrderPlaced, about_basket
from oscar_triggers.snapshots import Person

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., Any]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]


def _order(person: Person, number: str, at: datetime) -> None:
    intake.record(OrderPlaced(number=number), person=person, occurred_at=at)


def test_an_order_told_together_with_the_event_that_lets_someone_in_ends_it(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), SEND, goals=["order_placed"])
    expire(at=now)
    _order(person, "1", now + timedelta(seconds=20))
    tick(now + timedelta(minutes=1))
    assert Enrollment.objects.get().exit_reason == ExitReason.GOAL
    tick(now + timedelta(hours=2))
    assert not Message.objects.exists()


def test_an_order_that_was_told_before_the_older_event_that_lets_someone_in_ends_it(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), SEND, goals=["order_placed"])
    _order(person, "1", now + timedelta(seconds=20))
    tick(now + timedelta(minutes=1))
    expire(at=now)
    tick(now + timedelta(minutes=2))
    assert Enrollment.objects.get().exit_reason == ExitReason.GOAL


def test_an_order_from_before_someone_came_in_ends_nothing(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), SEND, goals=["order_placed"])
    _order(person, "1", now - timedelta(seconds=20))
    expire(at=now)
    tick(now + timedelta(minutes=1))
    assert Enrollment.objects.get().state == EnrollmentState.ACTIVE


def _set_birthday(contact_id: int, day: date, at: datetime) -> None:
    fields.set_field_many([contact_id], "birthday", day.isoformat(), at)


@pytest.mark.parametrize(
    ("days_ago", "greeted"), [(30, False), (0, True)], ids=["last month", "this very morning"]
)
def test_a_birth_date_that_is_corrected_to_a_day_of_the_past_waits_for_next_year(
    days_ago: int,
    greeted: bool,
    publish_flow: Publish,
    expire: Tell,
    agreed: int,
    tick: Tick,
    now: datetime,
) -> None:
    birthday = {"field": "birthday", "yearly": True, "at": "00:00"}
    publish_flow({"key": "day", "kind": "wait_until_date", "options": birthday}, SEND)
    _set_birthday(agreed, (now + timedelta(days=60)).date(), now)
    expire(at=now)
    tick(now)
    # In the morning: what began at midnight is too late in the evening.
    later = (now + timedelta(days=40)).replace(hour=9)
    _set_birthday(agreed, (later - timedelta(days=days_ago)).date(), later)
    for seconds in range(0, 120, 30):
        tick(later + timedelta(seconds=seconds))
    row = Enrollment.objects.get()
    assert Message.objects.exists() is greeted
    assert (row.exit_reason == ExitReason.COMPLETED) is greeted
    if not greeted:
        assert row.due_at is not None
        assert row.due_at > later + timedelta(days=300)


def test_a_date_that_is_corrected_to_one_long_past_is_missed(
    publish_flow: Publish, expire: Tell, agreed: int, tick: Tick, now: datetime
) -> None:
    options = {"field": "birthday"}
    publish_flow({"key": "day", "kind": "wait_until_date", "options": options}, SEND)
    _set_birthday(agreed, (now + timedelta(days=60)).date(), now)
    expire(at=now)
    tick(now)
    later = now + timedelta(days=40)
    _set_birthday(agreed, (later - timedelta(days=30)).date(), later)
    for seconds in range(0, 120, 30):
        tick(later + timedelta(seconds=seconds))
    assert Enrollment.objects.get().exit_reason == ExitReason.MISSED
    assert not Message.objects.exists()


VOUCHER = {
    "key": "gift",
    "kind": "voucher",
    "options": {"voucher": {"percent": 10, "valid": "2d"}},
}


@pytest.mark.parametrize("held", [True, False], ids=["in the holdout", "no letter"])
def test_a_voucher_of_which_nobody_was_told_is_taken_back_at_the_flows_end(
    held: bool, publish_flow: Publish, expire: Tell, agreed: int, tick: Tick, now: datetime
) -> None:
    if held:
        publish_flow(VOUCHER, SEND, wait("after", "1h"), holdout=50)
        Assignment.objects.create(
            flow=Flow.objects.get(), contact_id=agreed, name="holdout", arm="held", assigned_at=now
        )
    else:
        publish_flow(VOUCHER, wait("after", "1h"))
    expire(at=now)
    tick(now)
    vouchers = get_model("voucher", "Voucher").objects
    assert vouchers.count() == 1
    for hours in range(1, 4):
        tick(now + timedelta(hours=hours))
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED
    assert vouchers.count() == 0
    assert VoucherGrant.objects.get().revoked_at is not None


def test_who_was_joined_does_not_begin_again_what_the_other_contact_went_through(
    publish_flow: Publish, expire: Tell, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("first", "1h"), SEND)
    expire(at=now)
    tick(now)
    for hours in range(1, 4):
        tick(now + timedelta(hours=hours))
    later = now + timedelta(hours=5)
    bob = Person(email="bob@example.com", language="en")
    expire(who=bob, at=later)
    tick(later)
    [other] = contacts.resolve_many([(bob, None)], later)
    assert other is not None
    contacts.join(agreed, other, later)
    ends = sorted(Enrollment.objects.values_list("exit_reason", flat=True))
    assert ends == [ExitReason.COMPLETED, ExitReason.JOINED]
    tick(later + timedelta(hours=2))
    assert len(mail.outbox) == 1


def test_a_letter_that_waits_for_the_morning_is_not_sent_after_an_order_and_says_why(
    publish_flow: Publish,
    expire: Tell,
    person: Person,
    agreed: int,
    tick: Tick,
    now: datetime,
    settings: Any,
) -> None:
    night = tuple(f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 8))
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "QUIET_HOURS": {"*": night}}
    settings.TIME_ZONE = "UTC"
    publish_flow(SEND, goals=["order_placed"])
    expire(at=now)
    tick(now)
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED
    _order(person, "100017", now + timedelta(minutes=20))
    for hours in range(1, 12):
        tick(now + timedelta(hours=hours))
    assert not mail.outbox
    verdict = Decision.objects.get(verdict="cancelled")
    assert verdict.reason == "goal"
    assert verdict.compared["event"] == "order_placed"
    assert "An order was placed" in str(explain(agreed, "gift-cards", now=now))


def _branch(key: str, yes: list[dict[str, Any]], no: list[dict[str, Any]]) -> dict[str, Any]:
    question = {"kind": "has_tag", "tag": "nobody-has-it"}
    return {
        "key": key,
        "kind": "branch",
        "options": {"condition": question},
        "branches": {"yes": yes, "no": no},
    }


def _letter(key: str) -> dict[str, Any]:
    return {**SEND, "key": key}


def test_people_rejoin_after_three_branches_in_each_other(
    publish_flow: Publish, expire: Tell, agreed: int, tick: Tick, now: datetime
) -> None:
    third = _branch("third", [_letter("never")], [_letter("innermost")])
    second = _branch("second", [_letter("nor-this")], [third, _letter("after-third")])
    first = _branch("first", [], [second])
    publish_flow(first, _letter("after-all"))
    expire(at=now)
    tick(now)
    planned = Message.objects.order_by("pk").values_list("step_key", flat=True)
    assert list(planned) == ["innermost", "after-third", "after-all"]
    with pytest.raises(DefinitionError, match="nested deeper than 3 levels"):
        publish_flow(_branch("zeroth", [first], []))


def test_a_letter_that_expired_in_a_pause_does_not_let_the_next_one_go_at_once(
    publish_flow: Publish, expire: Tell, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(_letter("one"), wait("short", "1h"), _letter("two"), key="short", bundle="10m")
    publish_flow(_letter("one"), wait("long", "20d"), _letter("two"), key="long", bundle="10m")
    expire(at=now)
    tick(now)
    for key in ("short", "long"):
        flows.pause(key, now + timedelta(minutes=1))
    tick(now + timedelta(days=1))
    later = now + timedelta(days=10)
    for key in ("short", "long"):
        flows.resume(key, later)
    for hours in range(20):
        tick(later + timedelta(hours=hours))
    assert not mail.outbox
    by_flow = {row.flow.key: row for row in Enrollment.objects.select_related("flow")}
    assert by_flow["short"].exit_reason == ExitReason.MISSED
    assert by_flow["long"].state == EnrollmentState.ACTIVE
    for hours in range(10 * 24, 11 * 24):
        tick(later + timedelta(hours=hours))
    assert len(mail.outbox) == 1


def test_who_jumps_into_a_flow_of_left_baskets_leaves_it_for_the_basket_before(
    publish_flow: Publish, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    basket = {"trigger": {"kind": "basket_left", "idle": "1h"}}
    publish_flow(wait("pause", "30d"), key="target", **basket)
    jump = {"key": "go", "kind": "jump", "options": {"flow": "target"}}
    publish_flow(jump, key="source", trigger={"kind": "basket_left", "idle": "2h"})
    for number in (1, 2):
        moment = now + timedelta(minutes=number)
        intake.record(
            BasketLeft(basket_id=number, idle=7200),
            person=person,
            about=about_basket(number),
            occurred_at=moment,
        )
        tick(moment)
    there = Enrollment.objects.filter(flow__key="target").order_by("pk")
    assert [(row.about_id, row.exit_reason) for row in there] == [
        ("1", ExitReason.SUPERSEDED),
        ("2", ""),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["entry", "goal"])
def test_a_goal_that_is_routed_while_another_worker_lets_the_person_in_ends_it(
    first: str, publish_flow: Publish, expire: Tell, person: Person, agreed: int, now: datetime
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    publish_flow(wait("pause", "30d"), goals=["order_placed"])
    expire(at=now)
    _order(person, "1", now + timedelta(seconds=1))
    entries = {one.kind: one for one in JournalEntry.objects.all()}
    turns = ["gift_card_expiring", "order_placed"]
    if first == "goal":
        turns.reverse()
    later = now + timedelta(seconds=2)

    def route_second() -> None:
        try:
            routing.route_entries([entries[turns[1]]], later)
        finally:
            connection.close()

    second = threading.Thread(target=route_second)
    with transaction.atomic():
        routing.route_entries([entries[turns[0]]], later)
        second.start()
        # As long as the first is not committed, the second waits for it.
        second.join(timeout=0.5)
    second.join()
    assert Enrollment.objects.get().exit_reason == ExitReason.GOAL


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_routed_while_its_waiter_is_just_asked_is_not_slept_through(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, now: datetime
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    options = {"event": "order_placed", "timeout": "30d"}
    publish_flow({"key": "until", "kind": "wait_for_event", "options": options}, SEND)
    expire(at=now)
    routing.route(now)
    _order(person, "1", now + timedelta(seconds=1))
    later = now + timedelta(seconds=2)

    def route() -> None:
        try:
            routing.route(later)
        finally:
            connection.close()

    second = threading.Thread(target=route)
    with transaction.atomic():
        advancing.advance(now)
        second.start()
        second.join(timeout=0.5)
    second.join()
    advancing.advance(later)
    assert Message.objects.count() == 1


def test_what_the_first_step_waits_for_may_happen_before_the_tick_lets_someone_in(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    options = {"event": "order_placed", "timeout": "1h"}
    until = {"key": "until", "kind": "wait_for_event", "options": options}
    publish_flow({**until, "branches": {"timed_out": [SEND]}})
    expire(at=now)
    _order(person, "1", now + timedelta(seconds=20))
    for minutes in (1, 2, 90, 91):
        tick(now + timedelta(minutes=minutes))
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED
    assert not Message.objects.exists()


def test_who_ordered_before_the_tick_let_them_in_has_ordered_since(
    publish_flow: Publish, expire: Tell, person: Person, agreed: int, tick: Tick, now: datetime
) -> None:
    question = {"kind": "not", "of": [{"kind": "ordered_since_entry"}]}
    publish_flow(wait("pause", "1h"), SEND, stay=[question])
    expire(at=now)
    placed_at = now + timedelta(seconds=20)
    get_model("order", "Order").objects.create(
        number="1",
        guest_email=person.email,
        total_incl_tax=1,
        total_excl_tax=1,
        date_placed=placed_at,
    )
    for minutes in (1, 90, 91):
        tick(now + timedelta(minutes=minutes))
    assert Enrollment.objects.get().exit_reason == ExitReason.CONDITION
    assert not Message.objects.exists()
