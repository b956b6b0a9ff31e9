"""Workers at once, and workers that die: nobody's crash takes the neighbours along."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from oscar_triggers.conf import triggers_settings
from oscar_triggers.engine import advancing, clockwork, outbox, routing
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Dispatch,
    DispatchState,
    Enrollment,
    JournalEntry,
    Message,
    MessageState,
    point_hash,
)
from oscar_triggers.snapshots import Person

from .conftest import SEND

pytestmark = pytest.mark.django_db

Publish = Callable[..., Any]
Tell = Callable[..., None]

PEOPLE = 6


@pytest.fixture
def crowd(db: None, expire: Tell, publish_flow: Publish, now: datetime) -> datetime:
    """Let six people, who agreed to letters, enter a flow; return the moment of it."""
    publish_flow(SEND)
    for number in range(PEOPLE):
        email = f"p{number}@example.com"
        ConsentEvent.objects.create(
            channel="email", point_hash=point_hash("email", email), topic="offers",
            action=ConsentAction.GRANT, basis=ConsentBasis.CONSENT, source="test",
            occurred_at=now - timedelta(days=1), recorded_at=now,
        )  # fmt: skip
        expire(card=str(number), who=Person(email=email))
    return now


def _after_the_lease(now: datetime) -> datetime:
    return now + triggers_settings().lease_for + timedelta(seconds=1)


def test_events_in_the_hands_of_a_worker_that_died_are_routed_one_by_one(crowd: datetime) -> None:
    died_with = routing._lease(crowd, "crashes = 0", 100)
    assert len(died_with) == PEOPLE
    assert routing.route(crowd) == 0
    later = _after_the_lease(crowd)
    assert [routing.route(later) for _ in range(PEOPLE + 1)] == [1] * PEOPLE + [0]
    assert Enrollment.objects.count() == PEOPLE


def test_an_event_that_kills_every_worker_is_set_aside_alone(crowd: datetime) -> None:
    poison = JournalEntry.objects.order_by("pk")[0].pk
    now, routed = crowd, 0
    assert poison in routing._lease(now, "crashes = 0", 100)
    for _turn in range(20):
        now = _after_the_lease(now)
        # As route() does, but the worker dies whenever it meets the poison.
        if routing._lease(now, "crashes = 0", 100):
            raise AssertionError("nothing new is there")
        [*alone] = JournalEntry.objects.filter(routed_at=None, crashes__lt=3).order_by("pk")
        if alone and alone[0].pk == poison:
            assert routing._lease(now, "crashes > 0", 1) == [poison]
            continue
        routed += routing.route(now)
    assert routed == PEOPLE - 1
    assert JournalEntry.objects.get(routed_at=None).pk == poison


def test_enrollments_in_the_hands_of_a_worker_that_died_move_one_by_one(crowd: datetime) -> None:
    routing.route(crowd)
    assert len(advancing._lease_due(crowd, "crashes = 0", 100)) == PEOPLE
    later = _after_the_lease(crowd)
    assert [advancing.advance(later) for _ in range(PEOPLE + 1)] == [1] * PEOPLE + [0]
    assert Message.objects.count() == PEOPLE


def test_letters_in_the_hands_of_a_worker_that_died_are_sent_one_by_one(crowd: datetime) -> None:
    clockwork.tick(crowd, send=False)
    assert len(outbox.lease_due(crowd, "dead", 100)) == PEOPLE
    later = _after_the_lease(crowd)
    assert outbox.recover(later) == PEOPLE
    assert outbox.due_chunks(later, most=100) == [
        [pk] for pk in Dispatch.objects.order_by("pk").values_list("pk", flat=True)
    ]
    assert [outbox.send_due(later) for _ in range(PEOPLE + 1)] == [1] * PEOPLE + [0]
    assert len(mail.outbox) == PEOPLE


def test_one_tick_sends_also_what_a_dead_worker_left(crowd: datetime) -> None:
    clockwork.tick(crowd, send=False)
    outbox.lease_due(crowd, "dead", 2)
    report = clockwork.tick(_after_the_lease(crowd))
    assert (report.recovered, report.handed_over) == (2, PEOPLE)
    assert len(mail.outbox) == PEOPLE
    assert not report.is_unfinished


def test_a_long_queue_does_not_keep_events_waiting(crowd: datetime, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "BATCH_SIZE": 1,
        "TICK_EVERY": timedelta(microseconds=1),
    }
    report = clockwork.tick(crowd)
    assert report.is_unfinished
    assert 0 < report.handed_over < PEOPLE
    for _turn in range(PEOPLE):
        report = clockwork.tick(crowd + timedelta(seconds=1))
    assert len(mail.outbox) == PEOPLE


@pytest.mark.django_db(transaction=True)
def test_four_threads_over_one_outbox_send_every_letter_once(crowd: datetime) -> None:
    clockwork.tick(crowd, send=False)
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(10)
            while outbox.send_due(crowd, limit=1):
                pass
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert sorted(letter.to[0] for letter in mail.outbox) == [
        f"p{number}@example.com" for number in range(PEOPLE)
    ]
    assert set(Dispatch.objects.values_list("state", "attempt")) == {(DispatchState.SENT, 1)}
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.SENT}
