"""Statements that travel together fail together, and the connection is good for the next ones."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from oscar_triggers.models import trips

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def one() -> int:
    """Ask the database something simple."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        (found,) = cursor.fetchone()
    return int(found)


def test_after_a_statement_that_fails_the_connection_answers() -> None:
    def ask() -> None:
        with trips.trip("default") as trip:
            trip.add("SELECT 1 / %s", [0])
            trip.last("SELECT 1", [])

    with pytest.raises(DatabaseError):
        ask()
    assert one() == 1


def test_after_a_trip_that_cannot_end_the_next_question_is_answered() -> None:
    def break_off() -> None:
        with trips.trip("default"):
            # Answers that nobody waits for: with them unread, libpq does not leave the pipeline.
            for _question in range(3):
                connection.connection.pgconn.send_query_params(b"SELECT 1", None)
            raise LookupError

    with pytest.raises(LookupError):
        break_off()
    assert one() == 1
