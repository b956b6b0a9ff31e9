"""Trips: several statements that are committed together, in one round trip where that is possible.

PostgreSQL takes them in a pipeline: all are sent before the first is answered, and they are one
transaction. No state of the session is used, so PgBouncer may hand the next trip to another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from ..conf import triggers_settings
from . import known


class Trip:
    """Statements on their way; those that were added run in their order, before the last one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def add(self, sql: str, params: Sequence[Any]) -> None:
        """Run a statement whose answer is not needed."""
        self._cursor().execute(sql, params)

    def add_each(self, sql: str, params: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each set of parameters."""
        self._cursor().executemany(sql, params)

    def last(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run the last statement and return its rows."""
        cursor = self._cursor()
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def _cursor(self) -> Any:
        return known.cursor(self._connection)


class _Pipelined(Trip):
    def __init__(self, connection: Any, pipeline: Any) -> None:
        super().__init__(connection)
        self._pipeline = pipeline

    def add(self, sql: str, params: Sequence[Any]) -> None:
        self._cursor().execute(sql, params)

    def last(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._cursor()
        # Answered within execute(): who watches Django's connection sees when it was asked and
        # when it was answered.
        cursor.cursor.waits_for = self._pipeline
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def _cursor(self) -> Any:
        cursor = _cursor_class()(self._connection.connection)
        if self._connection.queries_logged:
            return self._connection.make_debug_cursor(cursor)
        return self._connection.make_cursor(cursor)


def _cursor_class() -> Any:
    global _pipelined_cursor
    if _pipelined_cursor is None:
        from django.db.backends.postgresql.base import (
            ServerBindingCursor,
        )

        class PipelinedCursor(ServerBindingCursor):
            """Parameters go apart from the text, which the server may have prepared."""

            waits_for: Any = None

            def execute(self, *args: Any, **kwargs: Any) -> Any:
                """Queue a statement; the last one waits for all answers."""
                result = super().execute(*args, **kwargs)  # type: ignore[misc]  # psycopg's own
                if self.waits_for is not None:
                    self.waits_for.sync()
                return result

        _pipelined_cursor = PipelinedCursor
    return _pipelined_cursor


_pipelined_cursor: Any = None


@contextmanager
def trip(alias: str) -> Iterator[Trip]:
    """Run statements as one transaction; what fails undoes all of them."""
    connection = connections[alias]
    if not _can_pipeline(connection):
        with transaction.atomic(using=alias):
            yield Trip(connection)
        return
    raw = connection.connection
    if triggers_settings().prepare_statements and raw.prepare_threshold is None:
        # Of Django's own statements none is prepared by this: its cursors bind at the client.
        raw.prepare_threshold = 1
    try:
        with connection.wrap_database_errors, raw.pipeline() as pipeline:
            yield _Pipelined(connection, pipeline)
    except BaseException:
        _leave(connection)
        raise


def _leave(connection: Any) -> None:
    """Give a connection up that a failed trip left in its pipeline: it could say nothing more.

    libpq refuses to leave the mode while an answer is unread, and whoever asks next would fail for
    this trip's sake (seen where two workers mark while a flow is published). What failed is undone.
    """
    raw = connection.connection
    if raw is not None and not raw.closed and raw.pgconn.pipeline_status:
        connection.close()


def _can_pipeline(connection: Any) -> bool:
    if connection.vendor != "postgresql":
        return False
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    if not is_psycopg3:
        return False
    import psycopg

    connection.ensure_connection()
    return (
        psycopg.Pipeline.is_supported()
        and not connection.in_atomic_block
        and bool(connection.get_autocommit())
    )
