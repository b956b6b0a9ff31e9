"""People on their way: what wakes them, what ends them, and what they miss."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import advancing, contacts, fields, flows, routing
from oscar_triggers.models import (
    Decision,
    Enrollment,
    EnrollmentState,
    ExitReason,
    FlowVersion,
    Message,
    MessageState,
)
from oscar_triggers.snapshots import Person
from sandbox.shop_extras.triggers import RingTheBell

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]

SECOND = {**SEND, "key": "second"}
THIRD = {**SEND, "key": "third"}
DAY = timedelta(days=1)


def test_a_goal_ends_a_wait_of_thirty_days_within_one_tick(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(wait("pause", "30d"), SEND, goals=["contact_changed"])
    expire()
    tick(now)
    later = now + 15 * DAY
    fields.add_tag_many([agreed], "bought", later)
    tick(later)
    assert Enrollment.objects.get().exit_reason == ExitReason.GOAL


def test_any_event_has_the_conditions_to_stay_asked_at_once(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(
        wait("pause", "30d"),
        SEND,
        stay=[{"kind": "not", "condition": {"kind": "has_tag", "tag": "bought"}}],
    )
    expire()
    tick(now)
    later = now + 15 * DAY
    fields.add_tag_many([agreed], "size-m", later)
    tick(later)
    row = Enrollment.objects.get()
    assert (row.state, row.due_at) == (EnrollmentState.ACTIVE, row.clock_at + 30 * DAY)
    fields.add_tag_many([agreed], "bought", later)
    tick(later + timedelta(seconds=5))
    row.refresh_from_db()
    assert row.exit_reason == ExitReason.CONDITION
    assert row.decisions.get(verdict="exit").decided_at == later + timedelta(seconds=5)


def test_a_broken_condition_of_one_flow_does_not_stop_what_an_event_means_to_another(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    from oscar_triggers import conditions
    from sandbox.shop_extras.triggers import CardBeginsWith

    class Broken(CardBeginsWith):
        kind = "broken_today"
        is_broken = False

        def holds_many(self, subjects: Any, now: Any) -> Any:
            if Broken.is_broken:
                raise RuntimeError("out of order")
            return super().holds_many(subjects, now)

    conditions.register(Broken)
    try:
        publish_flow(
            wait("pause", "30d"), key="broken", stay=[{"kind": "broken_today", "letters": "A"}]
        )
        publish_flow(wait("pause", "30d"), key="whole", goals=["contact_changed"])
        expire()
        tick(now)
        Broken.is_broken = True
        fields.add_tag_many([agreed], "bought", now)
        tick(now + timedelta(seconds=5))
    finally:
        del conditions.registry._entries["broken_today"]
    by_flow = {row.flow.key: row for row in Enrollment.objects.select_related("flow")}
    assert by_flow["whole"].exit_reason == ExitReason.GOAL
    assert by_flow["broken"].state == EnrollmentState.ACTIVE


def test_a_flow_that_was_paused_for_ten_days_floods_nobody(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(SEND, wait("one", "2d"), SECOND, wait("two", "20d"), THIRD)
    people = [Person(email=f"p{number}@example.com", language="en") for number in range(3)]
    ids = contacts.resolve_many([(who, None) for who in people], now)
    _agree([pk for pk in ids if pk is not None], now)
    # One stands before the second letter, one before the third, one comes in while it is paused.
    expire(card="1", who=people[0], at=now - timedelta(seconds=1))
    tick(now)
    tick(now + 2 * DAY + timedelta(hours=1))
    tick(now + 2 * DAY + timedelta(hours=2))
    expire(card="2", who=people[1], at=now + 3 * DAY)
    tick(now + 3 * DAY + timedelta(hours=1))
    tick(now + 4 * DAY)
    sent = Message.objects.filter(state=MessageState.SENT).count()
    assert sent == 3
    flows.pause("gift-cards", now + 4 * DAY)
    expire(card="3", who=people[2], at=now + 5 * DAY)
    for days in range(5, 14):
        tick(now + days * DAY)
    assert Message.objects.count() == sent
    flows.resume("gift-cards", now + 14 * DAY)
    tick(now + 14 * DAY)
    tick(now + 14 * DAY + timedelta(seconds=10))
    assert Message.objects.count() == sent, "nobody gets what should have come in the pause"
    by_card = {row.about_id: row for row in Enrollment.objects.all()}
    # The wait for the second letter ended in the pause.
    assert by_card["2"].exit_reason == ExitReason.MISSED
    missed = by_card["2"].decisions.get(rule="lateness")
    assert (missed.reason, missed.compared["step"]) == ("missed", "second")
    assert Decision.objects.get(reason="paused").flow.key == "gift-cards"
    assert "3" not in by_card
    # The wait for the third letter ends after it.
    assert by_card["1"].state == EnrollmentState.ACTIVE
    tick(now + 22 * DAY + timedelta(hours=2))
    tick(now + 22 * DAY + timedelta(hours=3))
    assert Message.objects.filter(step_key="third", state=MessageState.SENT).count() == 1


def _agree(ids: list[int], now: datetime) -> None:
    from oscar_triggers.models import ConsentAction, ConsentBasis, ConsentEvent, ContactPoint

    for point in ContactPoint.objects.filter(contact_id__in=ids, channel="email"):
        ConsentEvent.objects.create(
            contact_id=point.contact_id, channel="email", point_hash=point.point_hash,
            topic="offers", action=ConsentAction.GRANT, basis=ConsentBasis.CONSENT,
            text="Write to me.", source="test", occurred_at=now - DAY, recorded_at=now,
        )  # fmt: skip


def test_a_shopper_who_was_active_in_the_pause_has_not_missed_what_follows(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    from oscar_triggers.engine import enrollments
    from oscar_triggers.snapshots import About

    publish_flow(wait("pause", "3d"), {"key": "ring", "kind": "ring_the_bell"})
    RingTheBell.rung.clear()
    expire()
    tick(now)
    flows.pause("gift-cards", now + DAY)
    touched = now + 8 * DAY
    enrollments.restart_clock({About(type="gift_card", id="7"): touched}, touched)
    flows.resume("gift-cards", now + 10 * DAY)
    tick(now + 10 * DAY)
    row = Enrollment.objects.get()
    assert row.due_at == touched + 3 * DAY
    tick(now + 11 * DAY)
    assert RingTheBell.rung == [row.contact_id]


def test_nothing_is_late_that_is_late_by_less_than_the_flow_allows(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"), {"key": "ring", "kind": "ring_the_bell"}, max_lateness="12h")
    RingTheBell.rung.clear()
    expire(card="1")
    expire(card="2", who=Person(email="ben@example.com"))
    tick(now)
    first, second = Enrollment.objects.order_by("pk")
    Enrollment.objects.filter(pk=second.pk).update(clock_at=first.clock_at - timedelta(hours=1))
    second.refresh_from_db()
    Enrollment.objects.filter(pk=second.pk).update(due_at=second.clock_at + DAY)
    tick(first.clock_at + DAY + timedelta(hours=12))
    assert RingTheBell.rung == [first.contact_id]
    second.refresh_from_db()
    assert second.exit_reason == ExitReason.MISSED


def test_steps_that_were_taken_before_a_move_are_passed_with_all_their_branches(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(
        wait("pause", "1h"),
        {
            "key": "ask",
            "kind": "branch",
            "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
            "branches": {"yes": [{"key": "inside", "kind": "ring_the_bell"}]},
        },
        {"key": "ring", "kind": "ring_the_bell"},
        {"key": "last", "kind": "ring_the_bell"},
    )
    RingTheBell.rung.clear()
    expire(code="A1")
    tick(now)
    Enrollment.objects.update(skips=["ask", "last"])
    tick(now + timedelta(hours=1))
    row = Enrollment.objects.get()
    assert RingTheBell.rung == [row.contact_id]
    assert row.exit_reason == ExitReason.COMPLETED
    assert {d.rule for d in Decision.objects.filter(verdict="passed")} == {"ask", "last"}


def test_a_step_that_asks_to_wait_for_the_past_is_asked_by_the_next_tick(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    from oscar_triggers import steps

    @steps.register
    class Impatient(RingTheBell):
        kind = "impatient"

        def run(self, visit: Any, now: datetime) -> Any:
            self.rung.append(visit.subject.contact_id)
            return steps.WaitUntil(moment=now - timedelta(days=1))

    RingTheBell.rung.clear()
    try:
        publish_flow({"key": "hm", "kind": "impatient"})
        expire()
        tick(now)
    finally:
        del steps.registry._entries["impatient"]
    assert len(RingTheBell.rung) == 1


def _statements(action: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        action()
    return len(queries)


def test_moving_and_waking_cost_the_same_for_few_and_for_many(
    publish_flow: Publish, expire: Tell, now: datetime, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "BATCH_SIZE": 500}
    publish_flow(
        wait("pause", "1h"),
        {"key": "test", "kind": "split", "branches": {"a": [{**SEND, "key": "in-a"}]}},
        SEND,
        {"key": "card", "kind": "wait_for_event",
         "options": {"event": "contact_changed", "timeout": "9d"}},
        wait("end", "90d"),
        stay=[{"kind": "not", "condition": {"kind": "has_tag", "tag": "bought"}}],
        goals=["order_placed"],
    )  # fmt: skip
    costs = []
    start = now
    for people in (5, 5, 200):
        ids = []
        for number in range(people):
            who = Person(email=f"{people}-{number}-{start:%d}@example.com")
            expire(card=who.email, who=who, at=start)
        routed = _statements(lambda at=start: routing.route(at))
        first = _statements(lambda at=start: advancing.advance(at))
        hour = start + timedelta(hours=1)
        moved = _statements(lambda at=hour: advancing.advance(at))
        ids = list(Enrollment.objects.filter(entered_at=start).values_list("contact_id", flat=True))
        assert len(ids) == people
        assert set(
            Enrollment.objects.filter(entered_at=start).values_list("step_key", flat=True)
        ) == {"card"}
        fields.add_tag_many(ids, "seen", hour)
        woken = _statements(lambda at=hour: routing.route(at))
        assert Enrollment.objects.filter(due_at=hour, woken_by__isnull=False).count() == people
        fields.add_tag_many(ids, "bought", hour)
        ended = _statements(lambda at=hour: routing.route(at))
        assert not Enrollment.objects.filter(state=EnrollmentState.ACTIVE).exists()
        costs.append((routed, first, moved, woken, ended))
        start += timedelta(days=2)
    # What a process learns once is learnt in the first round. On SQLite, Django writes many rows
    # in several statements.
    chunks = 0 if connection.vendor == "postgresql" else 4
    assert all(abs(few - many) <= chunks for few, many in zip(costs[1], costs[2], strict=True))
