"""What a lease costs: 10,000 and 1,000,000 scheduled rows, and under a long snapshot elsewhere.

Each case leases the same number of batches of 100 out of a queue in which all are due, so the
head of the index fills with rows that are done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from benchmarks.stage import Watch, fresh_database, on_each_database, per_unit, table

SIZES = (10_000, int(os.environ.get("BENCHMARK_ROWS", "1000000")))
BATCHES = 90
BATCH = 100


def _fill(count: int) -> None:
    from django.db import connection
    from django.utils import timezone

    from oscar_triggers.models import Dispatch, Message

    now = connection.ops.adapt_datetimefield_value(timezone.now() - timedelta(hours=1))
    numbers = (
        f"SELECT n FROM generate_series(1, {count}) n"  # noqa: S608 - a number
        if connection.vendor == "postgresql"
        else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) "  # noqa: S608 - a number
        "SELECT n FROM s"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
        else:
            cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute(f"DELETE FROM {Dispatch._meta.db_table}")  # noqa: S608 - our own tables
        cursor.execute(f"DELETE FROM {Message._meta.db_table}")  # noqa: S608 - our own tables
        plus = "%s::timestamptz + n * interval '1 millisecond'"
        if connection.vendor != "postgresql":
            plus = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, '+' || (n / 1000.0) || ' seconds')"
        cursor.execute(
            f"INSERT INTO {Dispatch._meta.db_table} (id, message_id, hop, channel, point_hash, "  # noqa: S608 - our own tables
            "state, reason, lane, due_at, lease_owner, attempt, crashes, provider, provider_id, "
            "detail, feedback) SELECT n, n, 0, 'email', '', 'planned', '', 1, "
            f"{plus}, '', 0, 0, '', '', '', '' FROM ({numbers}) x",
            [now],
        )
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute(
            f"VACUUM ANALYZE {Dispatch._meta.db_table}"
            if connection.vendor == "postgresql"
            else "ANALYZE"
        )


def _lease_and_finish() -> None:
    from django.utils import timezone

    from oscar_triggers.engine import outbox
    from oscar_triggers.models import Dispatch, DispatchState

    for _batch in range(BATCHES):
        ids = outbox.lease_due(timezone.now() + timedelta(hours=1), "benchmark", BATCH)
        assert len(ids) == BATCH
        Dispatch.objects.filter(pk__in=ids).update(state=DispatchState.SENT)


@contextmanager
def _long_snapshot() -> Iterator[None]:
    """Hold a snapshot in another connection, as a backup does."""
    from django.db import connection, connections, transaction

    ready, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT COUNT(*) FROM oscar_triggers_flow")
            ready.set()
            over.wait()
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run() -> None:
    """Print what a batch costs in each case."""
    from contextlib import nullcontext

    with fresh_database() as vendor:
        rows: list[list[Any]] = []
        for count in SIZES:
            cases = [("", nullcontext), (", long snapshot elsewhere", _long_snapshot)]
            # SQLite keeps no dead entries: its readers see an older file.
            for name, around in cases[: 2 if vendor == "postgresql" else 1]:
                _fill(count)
                watch = Watch()
                with around():
                    for _third in range(3):
                        if count < 3 * BATCHES * BATCH:
                            _fill(count)
                        watch.time(_lease_and_finish)
                rows.append(
                    [f"{count:,} rows{name}", *(f"{t / BATCHES * 1e6:,.0f}" for t in watch.wall)]
                )
                rows[-1].append(per_unit(watch.wall, BATCHES))
        print(f"### {vendor}: µs a batch of {BATCH}, {BATCHES} batches thrice\n", flush=True)
        table(["", "first third", "second", "last", "median"], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.lease", run)
