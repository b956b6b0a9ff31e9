"""Two transactions that wait for each other: the one that is undone begins again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.db import OperationalError, connection, transaction

from oscar_triggers.engine import advancing, enrollments, routing
from oscar_triggers.models import Dispatch, DispatchState, FlowVersion, trips
from oscar_triggers.models.deadlocks import again_after_deadlock
from oscar_triggers.snapshots import Person

from .conftest import SEND

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.slow,
]


@pytest.fixture
def letters(
    publish_flow: Callable[..., FlowVersion], expire: Callable[..., None], now: datetime
) -> list[Dispatch]:
    """Return two letters that are due."""
    publish_flow(SEND)
    for number in range(2):
        expire(card=str(number), at=now, who=Person(email=f"p{number}@example.com"))
    routing.route(now)
    advancing.advance(now)
    found = list(Dispatch.objects.order_by("pk"))
    assert len(found) == 2
    return found


@contextmanager
def somebody_else(first: Dispatch, then: Dispatch) -> Iterator[None]:
    """Let another connection hold one letter, and ask for the other while we wait for the first."""
    holds, errors = threading.Event(), []

    def work() -> None:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    # PostgreSQL undoes whoever looks first: that shall be the other one.
                    cursor.execute("SET LOCAL deadlock_timeout = '20s'")
                touch(first)
                holds.set()
                time.sleep(0.4)
                touch(then)
        except OperationalError as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert holds.wait(10)
    yield
    thread.join(30)
    assert errors == []


def touch(dispatch: Dispatch) -> None:
    """Lock a letter, as a worker does that writes about it."""
    Dispatch.objects.filter(pk=dispatch.pk).update(detail="seen")


def test_who_cancels_letters_that_a_worker_asks_for_the_other_way_round_begins_again(
    letters: list[Dispatch], now: datetime
) -> None:
    earlier, later = letters
    with somebody_else(later, earlier):
        enrollments.cancel_planned([one.message_id for one in letters], "cancelled", now)
    assert set(Dispatch.objects.values_list("state", flat=True)) == {DispatchState.CANCELLED}


def test_a_trip_that_was_undone_goes_again_and_leaves_the_connection_good(
    letters: list[Dispatch],
) -> None:
    earlier, later = letters
    tried = []

    def go() -> int:
        tried.append(time.monotonic())
        sql = "UPDATE oscar_triggers_dispatch SET reason = 'gone' WHERE id = %s"
        with trips.trip("default") as trip:
            trip.add(sql, [earlier.pk])
            return len(trip.last(f"{sql} RETURNING id", [later.pk]))

    with somebody_else(later, earlier):
        assert again_after_deadlock(go) == 1
    assert len(tried) == 2
    assert set(Dispatch.objects.values_list("reason", flat=True)) == {"gone"}


def test_another_error_is_no_deadlock(letters: list[Dispatch]) -> None:
    tried = []

    def go() -> None:
        tried.append(True)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            touch(letters[0])

    with somebody_else(letters[0], letters[1]), pytest.raises(OperationalError, match="timeout"):
        again_after_deadlock(go)
    assert len(tried) == 1
