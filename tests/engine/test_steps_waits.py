"""Steps that wait: for dates, hours, weekdays, events and conditions, on the reader's own clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_triggers.builtin import moments
from oscar_triggers.engine import contacts, fields, intake
from oscar_triggers.models import Contact, Enrollment, ExitReason, FlowVersion, Message
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring, RingTheBell

from .conftest import wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tick = Callable[[datetime], Any]

RING = {"key": "ring", "kind": "ring_the_bell"}


@pytest.fixture
def enter(publish_flow: Publish, tick: Tick) -> Callable[..., Enrollment]:
    """Return a function that publishes a flow of these steps and lets Anna enter it at a moment."""

    def begin(at: datetime, *steps: dict[str, Any], zone: str = "", **rest: Any) -> Enrollment:
        publish_flow(*steps, include_waiting=True, **rest)
        RingTheBell.rung.clear()
        intake.record(
            GiftCardExpiring(code="A1", expires_on=date(2030, 5, 1)),
            person=Person(email="anna@example.com", time_zone=zone),
            about=About(type="gift_card", id="7"),
            occurred_at=at,
        )
        tick(at)
        return Enrollment.objects.select_related("contact").get()

    return begin


def step(kind: str, **options: Any) -> dict[str, Any]:
    """Return a step of a kind, whose key is "pause"."""
    return {"key": "pause", "kind": kind, "options": options}


def utc(text: str) -> datetime:
    """Read a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_fixed_date_is_waited_for_in_the_time_zone_of_the_reader(enter: Any, tick: Tick) -> None:
    pause = step("wait_until_date", source="date", day="2030-03-01", at="09:00")
    row = enter(utc("2030-02-01T00:00"), pause, RING, zone="Asia/Kathmandu")
    # Nepal is 5:45 ahead of UTC.
    assert row.due_at == utc("2030-03-01T03:15")
    tick(utc("2030-03-01T03:14"))
    assert RingTheBell.rung == []
    tick(utc("2030-03-01T03:15"))
    assert RingTheBell.rung == [row.contact_id]


def test_a_value_of_the_event_is_waited_for_with_days_before_it(enter: Any) -> None:
    pause = step("wait_until_date", source="event", field="expires_on", days=-2, at="10:00")
    row = enter(utc("2030-04-01T00:00"), pause, RING, zone="Europe/London")
    assert row.due_at == utc("2030-04-29T09:00")


def test_a_date_just_past_goes_on_and_one_long_past_is_missed(enter: Any) -> None:
    pause = step("wait_until_date", source="event", field="expires_on", at="09:00")
    row = enter(utc("2030-05-01T15:00"), pause, RING)
    assert (row.exit_reason, RingTheBell.rung) == (ExitReason.COMPLETED, [row.contact_id])


def test_who_comes_long_after_the_date_misses_what_follows(enter: Any) -> None:
    pause = step("wait_until_date", source="event", field="expires_on", at="09:00")
    row = enter(utc("2030-05-03T15:00"), pause, RING)
    assert (row.exit_reason, RingTheBell.rung) == (ExitReason.MISSED, [])
    decision = row.decisions.get(rule="lateness")
    assert decision.compared["max_lateness"] == "12h"
    assert decision.compared["step"] == "ring"


@pytest.mark.parametrize(
    ("without", "reason", "rings"),
    [("leave", ExitReason.CONDITION, 0), ("go_on", ExitReason.COMPLETED, 1)],
)
def test_who_has_no_such_date_leaves_or_goes_on(
    without: str, reason: str, rings: int, enter: Any
) -> None:
    pause = step("wait_until_date", field="birthday", without_date=without)
    row = enter(utc("2030-05-01T15:00"), pause, RING)
    assert (row.exit_reason, len(RingTheBell.rung)) == (reason, rings)


@pytest.mark.parametrize(
    ("feb_29", "expected"), [("feb_28", "2030-02-28T09:00"), ("mar_1", "2030-03-01T09:00")]
)
def test_a_birthday_on_29_february_has_a_day_in_every_year(
    feb_29: str, expected: str, enter: Any
) -> None:
    contacts.resolve_many([(Person(email="anna@example.com"), None)], utc("2029-01-01T00:00"))
    Contact.objects.update(fields={"birthday": "1992-02-29"})
    pause = step("wait_until_date", field="birthday", yearly=True, feb_29=feb_29)
    row = enter(utc("2030-01-05T00:00"), pause, RING, zone="UTC")
    assert row.due_at == utc(expected)


def test_a_birth_date_that_is_corrected_moves_the_end_of_the_wait(enter: Any, tick: Tick) -> None:
    contacts.resolve_many([(Person(email="anna@example.com"), None)], utc("2029-01-01T00:00"))
    Contact.objects.update(fields={"birthday": "1992-06-10"})
    pause = step("wait_until_date", field="birthday", yearly=True)
    row = enter(utc("2030-01-05T00:00"), pause, RING, zone="UTC")
    assert row.due_at == utc("2030-06-10T09:00")
    fields.set_field_many([row.contact_id], "birthday", "1992-03-04", utc("2030-02-01T00:00"))
    tick(utc("2030-02-01T00:01"))
    row.refresh_from_db()
    assert row.due_at == utc("2030-03-04T09:00")


@pytest.mark.parametrize(
    ("came", "at", "zone", "due"),
    [
        ("2030-03-30T12:00", "02:30", "Europe/Berlin", "2030-03-31T01:30"),  # the gap: shown 03:30
        ("2030-10-26T12:00", "02:30", "Europe/Berlin", "2030-10-27T00:30"),  # the first of two
        ("2030-10-05T00:00", "02:15", "Australia/Lord_Howe", "2030-10-05T15:45"),  # shown 02:45
        ("2030-06-01T09:00", "09:00", "UTC", "2030-06-01T09:00"),  # at this very moment
        ("2030-06-01T09:01", "09:00", "UTC", "2030-06-02T09:00"),
        ("2030-06-01T20:00", "07:00", "Pacific/Kiritimati", "2030-06-02T17:00"),
    ],
)
def test_a_time_of_day_is_right_over_every_change_of_the_clock(
    came: str, at: str, zone: str, due: str
) -> None:
    hour, minute = at.split(":")
    found = moments.next_at(time(int(hour), int(minute)), ZoneInfo(zone), utc(came))
    assert found == utc(due)


@given(
    since=st.integers(0, 7 * 365 * 24 * 60).map(
        lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    shown=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
    zone=st.sampled_from(
        ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo", "Asia/Gaza",
         "Africa/Casablanca", "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo",
         "Asia/Beirut", "Pacific/Kiritimati", "Antarctica/Troll", "UTC"]
    ),
)  # fmt: skip
def test_the_next_time_of_day_comes_within_a_day_and_shows_that_time(
    since: datetime, shown: time, zone: str
) -> None:
    found = moments.next_at(shown, ZoneInfo(zone), since)
    assert since <= found <= since + timedelta(hours=27)
    local = found.astimezone(ZoneInfo(zone))
    jumped = local.replace(tzinfo=None) - datetime.combine(local.date(), shown)
    # Only a gap shows another time: up to two hours later (Troll).
    assert timedelta() <= jumped <= timedelta(hours=2)
    if jumped:
        before = (found - timedelta(hours=3)).astimezone(ZoneInfo(zone))
        assert before.utcoffset() != local.utcoffset()


def test_a_weekday_is_waited_for_where_the_reader_lives(enter: Any, tick: Tick) -> None:
    pause = step("wait_for_weekdays", days=["mon"], from_time="09:00", until_time="11:00")
    # A Saturday; Monday 09:00 in Auckland is Sunday 21:00 in UTC.
    row = enter(utc("2030-06-01T12:00"), pause, RING, zone="Pacific/Auckland")
    assert row.due_at == utc("2030-06-02T21:00")
    # Asked late, after the window: next Monday.
    tick(utc("2030-06-03T04:00"))
    row.refresh_from_db()
    assert row.due_at == utc("2030-06-09T21:00")
    tick(utc("2030-06-09T21:30"))
    assert RingTheBell.rung == [row.contact_id]


WAIT_FOR_CARD = {
    "key": "pause",
    "kind": "wait_for_event",
    "options": {"event": "contact_changed", "timeout": "30d"},
    "branches": {"came": [RING], "timed_out": [{**RING, "key": "ring-late", "options": {"times": 2}}]},
}  # fmt: skip


def test_an_event_ends_the_wait_within_one_tick(enter: Any, tick: Tick) -> None:
    start = utc("2030-06-01T12:00")
    row = enter(start, WAIT_FOR_CARD)
    assert (row.awaits, row.due_at) == ("contact_changed", start + timedelta(days=30))
    fields.add_tag_many([row.contact_id], "vip", start + timedelta(days=10))
    tick(start + timedelta(days=10, seconds=5))
    row.refresh_from_db()
    assert (row.exit_reason, RingTheBell.rung) == (ExitReason.COMPLETED, [row.contact_id])
    decision = row.decisions.get(rule="pause")
    assert (decision.verdict, decision.compared["event"]) == ("came", "contact_changed")


def test_time_runs_out_when_the_event_does_not_come(enter: Any, tick: Tick) -> None:
    start = utc("2030-06-01T12:00")
    row = enter(start, WAIT_FOR_CARD)
    tick(start + timedelta(days=29))
    assert RingTheBell.rung == []
    tick(start + timedelta(days=30))
    assert RingTheBell.rung == [row.contact_id] * 2


def test_an_event_that_came_before_the_wait_does_not_end_it(enter: Any, tick: Tick) -> None:
    start = utc("2030-06-01T12:00")
    row = enter(start, wait("before", "1d"), WAIT_FOR_CARD)
    fields.add_tag_many([row.contact_id], "vip", start + timedelta(hours=10))
    tick(start + timedelta(hours=10))
    tick(start + timedelta(days=1))
    row.refresh_from_db()
    assert (row.step_key, row.awaits) == ("pause", "contact_changed")
    assert RingTheBell.rung == []


def test_an_event_that_brought_someone_is_not_the_one_they_wait_for(enter: Any) -> None:
    again = {**WAIT_FOR_CARD, "options": {"event": "gift_card_expiring", "timeout": "1d"}}
    row = enter(utc("2030-06-01T12:00"), again)
    assert (row.step_key, RingTheBell.rung) == ("pause", [])


def test_an_event_that_comes_while_nobody_looks_is_found_in_the_journal(
    enter: Any, tick: Tick
) -> None:
    start = utc("2030-06-01T12:00")
    row = enter(start, WAIT_FOR_CARD)
    fields.add_tag_many([row.contact_id], "vip", start + timedelta(days=10))
    # Routed by a worker that did not see the wait yet.
    Enrollment.objects.update(awaits="")
    tick(start + timedelta(days=10, seconds=5))
    Enrollment.objects.update(due_at=start + timedelta(days=10, seconds=5))
    tick(start + timedelta(days=10, seconds=10))
    assert RingTheBell.rung == [row.contact_id]


def test_a_condition_is_asked_at_once_when_the_person_does_something(
    enter: Any, tick: Tick
) -> None:
    start = utc("2030-06-01T12:00")
    pause = {
        **WAIT_FOR_CARD,
        "kind": "wait_for_condition",
        "options": {"condition": {"kind": "has_tag", "tag": "vip"}, "timeout": "30d"},
        "branches": {"met": [RING], "timed_out": []},
    }
    row = enter(start, pause)
    assert row.due_at == start + timedelta(minutes=15)
    later = start + timedelta(minutes=1)
    fields.add_tag_many([row.contact_id], "vip", later)
    tick(later)
    assert RingTheBell.rung == [row.contact_id]


def test_a_letter_on_its_way_is_not_overtaken_after_any_wait(
    enter: Any, publish_flow: Publish, agreed: int, now: datetime
) -> None:
    from oscar_triggers.engine import advancing, routing

    publish_flow(
        {"key": "one", "kind": "send", "options": {"template": "card"}},
        {"key": "pause", "kind": "wait_until_date",
         "options": {"source": "date", "day": now.date().isoformat(), "at": "00:00"}},
        {"key": "two", "kind": "send", "options": {"template": "card"}},
        include_waiting=True, max_lateness="2d",
    )  # fmt: skip
    intake.record(
        GiftCardExpiring(code="A1", expires_on=date(2030, 5, 1)),
        person=Person(email="anna@example.com"),
        about=About(type="gift_card", id="7"),
    )
    routing.route(now)
    advancing.advance(now)
    advancing.advance(now + timedelta(hours=1))
    assert Message.objects.count() == 1
