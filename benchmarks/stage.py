"""The stage of a benchmark: a fresh database on each server that is there, a stopwatch, a table."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

POSTGRES = os.environ.get("BENCHMARK_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@dataclass(kw_only=True)
class Watch:
    """What one contestant took, round by round (seconds)."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], object]) -> None:
        """Run one round."""
        wall, cpu = time.perf_counter(), _cpu()
        work()
        self.cpu.append(_cpu() - cpu)
        self.wall.append(time.perf_counter() - wall)


def _cpu() -> float:
    """Return what this process and its finished children used (seconds)."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def side_by_side(count: int, work: Callable[[int], object]) -> None:
    """Run work in so many processes at once, each with its number; raises when one fails."""
    from django.db import connections

    connections.close_all()
    children = []
    for number in range(count):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(number)
                status = 0
            except Exception:  # noqa: BLE001 - told to the parent by the exit code
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert not any(codes), "a worker failed"


def settle() -> None:
    """Bring database and process to where they are after a while: statistics, loaded modules.

    Autovacuum gathers statistics within a minute, and `triggers_run` freezes what is loaded;
    all contestants get both.
    """
    from django.db import connection

    from oscar_triggers.engine import worker

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    worker.settle_in()


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how many times longer theirs took: the median over rounds that ran side by side."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def per_unit(times: Sequence[float], units: int) -> str:
    """Return the median time of one unit, in microseconds."""
    return f"{statistics.median(times) / units * 1e6:,.0f}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


@contextmanager
def fresh_database() -> Iterator[str]:
    """Set Django up with an empty database and yield its vendor."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        yield connection.vendor
    finally:
        name = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = name
        connection.creation.destroy_test_db(os.devnull, verbosity=0)


def on_each_database(module: str, run: Callable[[], None]) -> None:
    """Run a benchmark on SQLite and, where it answers, on PostgreSQL; each in its own process."""
    if os.environ.get("BENCHMARK_CHILD"):
        run()
        return
    from tests import services

    urls = [""]
    if services.answers(POSTGRES):
        urls.append(POSTGRES)
    else:
        print("PostgreSQL does not answer (BENCHMARK_POSTGRES_URL): SQLite only.\n")
    for url in urls:
        environment = {**os.environ, "BENCHMARK_CHILD": "1"}
        environment.pop("TEST_DATABASE_URL", None)
        if url:
            environment["TEST_DATABASE_URL"] = url
        subprocess.run([sys.executable, "-m", module], env=environment, check=True)
