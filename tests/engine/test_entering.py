"""Who may come in again, whose event is too old, and who is kept without messages."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections

from oscar_triggers.engine import contacts, flows, intake, joining, routing
from oscar_triggers.models import (
    Assignment,
    Decision,
    Enrollment,
    FlowVersion,
    JournalEntry,
)
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring

from .conftest import wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tick = Callable[[datetime], Any]

LONG = wait("pause", "9d")
DAY = timedelta(days=1)


def tell(card: str, at: datetime, *, zone: str = "UTC", email: str = "anna@example.com") -> None:
    """Tell of a gift card of Anna's."""
    intake.record(
        GiftCardExpiring(code="A1", expires_on=date(2030, 5, 1)),
        person=Person(email=email, time_zone=zone),
        about=About(type="gift_card", id=card),
        occurred_at=at,
    )


def refusals() -> list[str]:
    """Return why people did not enter, in order."""
    return list(
        Decision.objects.filter(verdict="not_entered").order_by("pk").values_list(
            "reason", flat=True
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "entered"),
    [("every_episode", 3), ("never", 1), ("after 30d", 2), ("once_a_year", 1)],
)
def test_someone_comes_in_again_as_the_rule_says(
    rule: str, entered: int, publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, reentry=rule, include_waiting=True)
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for card, days in (("1", 0), ("2", 10), ("3", 40)):
        tell(card, start + timedelta(days=days))
        tick(start + timedelta(days=days))
    assert Enrollment.objects.count() == entered
    assert refusals() == ["reentry"] * (3 - entered)
    decision = Decision.objects.filter(reason="reentry").first()
    assert decision is None or decision.compared["rule"] == rule


def test_two_events_in_one_batch_obey_the_rule_too(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, reentry="never", include_waiting=True)
    for card in "123":
        tell(card, now - timedelta(seconds=int(card)))
    tick(now)
    # The oldest act brings them in.
    assert Enrollment.objects.get().about_id == "3"
    assert refusals() == ["reentry", "reentry"]


@pytest.mark.parametrize(
    ("first", "second", "zone", "enters"),
    [
        ("2026-12-31T09:00", "2027-12-31T09:00", "UTC", True),
        # The same day of two years, by the reader's own calendar.
        ("2026-12-31T11:30", "2027-12-31T11:30", "Pacific/Kiritimati", True),
        ("2026-01-01T09:00", "2026-12-31T09:00", "UTC", False),
        # A birth date that was changed from December to January.
        ("2026-12-20T09:00", "2027-01-05T09:00", "UTC", False),
        # Changed from January to December: 340 days, and still the same year.
        ("2026-01-10T09:00", "2026-12-16T09:00", "UTC", False),
        ("2026-03-01T09:00", "2027-03-01T09:00", "UTC", True),
        ("2024-02-29T09:00", "2025-02-28T09:00", "UTC", True),
        # 28 February and then, by another option, 1 March.
        ("2027-02-28T09:00", "2028-02-29T09:00", "UTC", True),
    ],
)
def test_once_a_year_is_once_a_calendar_year_and_never_twice_around_new_year(
    first: str, second: str, zone: str, enters: bool, publish_flow: Publish, tick: Tick
) -> None:
    publish_flow(LONG, reentry="once_a_year", include_waiting=True)
    for card, moment in (("1", first), ("2", second)):
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        tell(card, at, zone=zone)
        tick(at + timedelta(hours=3))
    assert (Enrollment.objects.count() == 2) is enters


def test_an_event_told_late_counts_for_the_year_in_which_it_happened(
    publish_flow: Publish, tick: Tick
) -> None:
    publish_flow(LONG, reentry="once_a_year", include_waiting=True)
    tell("1", datetime(2026, 12, 31, 23, tzinfo=UTC))
    tick(datetime(2027, 1, 1, 4, tzinfo=UTC))
    tell("2", datetime(2027, 12, 31, 23, tzinfo=UTC))
    tick(datetime(2028, 1, 1, 0, 0, 5, tzinfo=UTC))
    assert Enrollment.objects.count() == 2


def test_who_was_in_the_flow_as_a_guest_does_not_come_in_again_as_a_customer(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, reentry="never", include_waiting=True)
    tell("1", now)
    tick(now)
    guest = Enrollment.objects.get().contact_id
    [other] = contacts.resolve_many([(Person(email="anna@work.example"), None)], now)
    assert other is not None
    assert joining.join(other, guest, now)
    tell("2", now, email="anna@work.example")
    tick(now + timedelta(minutes=1))
    assert Enrollment.objects.count() == 1
    assert refusals() == ["reentry"]


def test_the_same_act_told_again_is_no_second_entry_and_says_so(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, reentry="never", include_waiting=True)
    tell("1", now)
    tick(now)
    JournalEntry.objects.update(routed_at=None, dedup_key="told-by-another-sweep")
    Enrollment.objects.update(journal_entry=None)
    tick(now + timedelta(minutes=1))
    assert refusals() == ["already_in"]


def test_an_event_that_is_too_old_starts_nothing(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, max_age="2h", include_waiting=True)
    tell("1", now - timedelta(hours=3))
    tell("2", now - timedelta(hours=1))
    tick(now)
    assert Enrollment.objects.get().about_id == "2"
    decision = Decision.objects.get(reason="too_old")
    assert decision.compared["max_age"] == "2h"


def test_what_happens_while_a_flow_is_paused_does_not_start_it_later(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, include_waiting=True)
    flows.pause("gift-cards", now)
    tell("1", now)
    tick(now)
    flows.resume("gift-cards", now + DAY)
    tick(now + DAY)
    assert not Enrollment.objects.exists()
    assert refusals() == ["paused"]


def test_a_share_of_the_people_is_held_out_and_stays_so(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    publish_flow(LONG, holdout=30, include_waiting=True)
    for number in range(100):
        tell(str(number), now, email=f"p{number}@example.com")
    tick(now)
    arms = dict(Assignment.objects.filter(name="holdout").values_list("contact_id", "arm"))
    assert len(arms) == 100
    assert 15 < list(arms.values()).count("held") < 45
    assert set(arms.values()) == {"held", "in"}
    publish_flow(LONG, holdout=1, include_waiting=True)
    for number in range(100):
        tell(f"again-{number}", now, email=f"p{number}@example.com")
    tick(now + timedelta(minutes=1))
    assert dict(Assignment.objects.values_list("contact_id", "arm")) == arms


@pytest.mark.django_db(transaction=True)
def test_four_workers_let_one_person_in_once(publish_flow: Publish, now: datetime) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite in memory has one connection")
    publish_flow(LONG, reentry="never", include_waiting=True)
    contacts.resolve_many([(Person(email="anna@example.com"), None)], now)
    for card in range(12):
        tell(str(card), now)
    barrier = Barrier(4)

    def work() -> None:
        try:
            barrier.wait()
            for _batch in range(20):
                routing.route(now, limit=1)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(work) for _worker in range(4)]:
            one.result()
    assert not JournalEntry.objects.filter(routed_at=None).exists()
    assert Enrollment.objects.count() == 1
    assert refusals() == ["reentry"] * 11
