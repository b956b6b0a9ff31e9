"""People on their way: entering once, waiting, branching, leaving."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_triggers import events
from oscar_triggers.engine import advancing, enrollments, routing
from oscar_triggers.models import (
    Decision,
    Enrollment,
    EnrollmentState,
    ExitReason,
    FlowVersion,
    JournalEntry,
    Message,
    MessageState,
)
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring, RingTheBell

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]


def test_an_act_reported_many_times_enrolls_once(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"))
    for number in range(20):
        expire(code=f"spelling {number}", at=now - timedelta(seconds=number % 3))
    tick(now)
    assert JournalEntry.objects.count() == 1
    assert Enrollment.objects.count() == 1


def test_two_people_may_be_told_about_the_same_thing(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"))
    expire()
    expire(who=Person(email="ben@example.com"))
    tick(now)
    assert Enrollment.objects.count() == 2


def test_an_event_of_nobody_enters_nothing_and_says_so(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(SEND)
    expire(who=Person())
    tick(now)
    assert not Enrollment.objects.exists()
    assert Decision.objects.get().reason == "unknown_person"


def test_a_wait_counts_from_the_event_and_then_from_the_last_message(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(wait("before", "1h"), SEND, wait("after", "1d"), {**SEND, "key": "second"})
    expire(at=now - timedelta(minutes=20) + timedelta(minutes=20))
    tick(now)
    row = Enrollment.objects.get()
    assert row.due_at == row.clock_at + timedelta(hours=1)
    late = now + timedelta(hours=3)
    tick(late)
    tick(late + timedelta(seconds=5))
    row.refresh_from_db()
    message = Message.objects.get()
    assert message.state == MessageState.SENT
    assert message.settled_at is not None
    assert row.due_at is not None
    assert abs(row.due_at - message.settled_at - timedelta(days=1)) < timedelta(seconds=1)


def test_the_next_letter_never_overtakes_the_one_before_it(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(
        SEND,
        wait("first-pause", "1h"),
        {**SEND, "key": "second"},
        wait("second-pause", "1h"),
        {**SEND, "key": "third"},
        include_waiting=True,
    )
    expire(at=now - timedelta(days=3))
    enrollments_due = now
    for _hour in range(5):
        # The first letter is planned but nothing is handed over: mail is down.
        routing.route(enrollments_due)
        advancing.advance(enrollments_due)
        enrollments_due += timedelta(hours=2)
    assert Message.objects.count() == 1
    tick(now + timedelta(hours=11))
    assert Message.objects.count() == 1
    tick(now + timedelta(hours=13))
    assert Message.objects.count() == 2


def test_a_branch_goes_one_way_keeps_its_values_and_rejoins(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    RingTheBell.rung.clear()
    publish_flow(
        {
            "key": "ask",
            "kind": "branch",
            "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
            "branches": {
                "yes": [{"key": "ring", "kind": "ring_the_bell", "options": {"times": 2}}],
                "no": [],
            },
        },
        {"key": "ring-again", "kind": "ring_the_bell"},
    )
    expire(code="A1", card="1")
    expire(code="B1", card="2", who=Person(email="ben@example.com"))
    tick(now)
    by_card = {row.about_id: row for row in Enrollment.objects.all()}
    assert {row.exit_reason for row in by_card.values()} == {ExitReason.COMPLETED}
    assert RingTheBell.rung.count(by_card["1"].contact_id) == 3
    assert RingTheBell.rung.count(by_card["2"].contact_id) == 1
    decision = Decision.objects.get(enrollment=by_card["2"], rule="ask")
    assert (decision.verdict, decision.compared["code"]) == ("no", "B1")


@pytest.mark.parametrize(
    ("rest", "reason"),
    [([wait("after", "1d")], ExitReason.GOAL), ([], ExitReason.COMPLETED)],
    ids=["on the way", "gone through"],
)
def test_the_goal_ends_the_way_and_cancels_what_was_planned(
    rest: list[dict[str, Any]],
    reason: ExitReason,
    publish_flow: Publish,
    expire: Tell,
    tick: Tick,
    now: datetime,
    agreed: int,
) -> None:
    publish_flow(wait("pause", "1h"), SEND, *rest, goals=["gift_card_expiring"])
    expire(card="1")
    tick(now)
    advancing.advance(now + timedelta(hours=2))
    assert Message.objects.get().state == MessageState.PLANNED
    # Another card of hers; she wrote her address in another way.
    expire(card="2", who=Person(email="ANNA@example.com"))
    tick(now + timedelta(hours=2))
    first = Enrollment.objects.get(about_id="1")
    assert first.exit_reason == reason
    assert Message.objects.get(about_id="1").state == MessageState.CANCELLED


def test_activity_restarts_the_clock_of_a_wait(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"), SEND)
    expire(card="7")
    tick(now)
    later = now + timedelta(hours=20)
    enrollments.restart_clock({About(type="gift_card", id="7"): later}, later)
    tick(later)
    row = Enrollment.objects.get()
    assert row.due_at == later + timedelta(days=1)


def test_a_condition_to_stay_is_asked_before_every_step(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), stay=[{"kind": "card_begins_with", "letters": "A"}])
    expire(code="B1")
    tick(now)
    row = Enrollment.objects.get()
    assert row.exit_reason == ExitReason.CONDITION
    assert row.decisions.get(verdict="exit").compared == {"code": "B1"}


def test_a_condition_to_enter_keeps_others_out_with_its_values(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), entry=[{"kind": "card_begins_with", "letters": "A"}])
    expire(code="B1")
    tick(now)
    assert not Enrollment.objects.exists()
    decision = Decision.objects.get()
    assert (decision.reason, decision.compared) == ("card_begins_with", {"code": "B1"})


def test_people_finish_the_version_that_they_entered_with(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    first = publish_flow(wait("pause", "1h"), {"key": "ring", "kind": "ring_the_bell"})
    expire()
    tick(now)
    publish_flow({"key": "end", "kind": "exit", "options": {"reason": "cancelled"}})
    RingTheBell.rung.clear()
    tick(now + timedelta(hours=2))
    row = Enrollment.objects.get()
    assert row.version == first
    assert RingTheBell.rung == [row.contact_id]


def test_a_step_whose_app_is_gone_holds_people_and_spares_the_others(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    from oscar_triggers import steps

    @steps.register
    class Passing(RingTheBell):
        kind = "passing"

    try:
        publish_flow(wait("pause", "1h"), {"key": "gone", "kind": "passing"})
        publish_flow(wait("pause", "1h"), key="other")
        expire()
        tick(now)
    finally:
        del steps.registry._entries["passing"]
    tick(now + timedelta(hours=2))
    by_flow = {row.flow.key: row for row in Enrollment.objects.select_related("flow")}
    assert by_flow["gift-cards"].state == EnrollmentState.HELD
    assert by_flow["other"].exit_reason == ExitReason.COMPLETED
    assert Decision.objects.filter(reason="broken_step").count() == 1


def test_an_event_whose_app_is_gone_is_set_aside_and_spares_the_others(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"))
    expire(card="1")
    expire(card="2")
    JournalEntry.objects.filter(about_id="1").update(kind="forgotten")
    tick(now)
    assert [row.about_id for row in Enrollment.objects.all()] == ["2"]
    aside = JournalEntry.objects.get(about_id="1")
    assert aside.routed_at is None
    assert "forgotten" in aside.error


def test_recording_costs_one_statement_and_reads_nothing(
    db: None, expire: Tell, django_assert_num_queries: Any
) -> None:
    assert issubclass(GiftCardExpiring, events.Event)
    with django_assert_num_queries(1):
        expire()
    with django_assert_num_queries(1):
        expire()


@pytest.mark.parametrize("people", [2, 40])
def test_a_tick_asks_the_same_number_of_questions_for_few_and_for_many(
    people: int,
    publish_flow: Publish,
    expire: Tell,
    tick: Tick,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    publish_flow(wait("pause", "1h"), SEND)
    for number in range(people):
        expire(card=str(number), who=Person(email=f"p{number}@example.com"))
    tick(now)
    assert Enrollment.objects.count() == people
    with django_assert_max_num_queries(70 + 4 * people):
        advancing.advance(now + timedelta(hours=2))
