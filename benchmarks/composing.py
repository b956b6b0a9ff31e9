"""What composing a batch of letters costs by CPU: reading baskets, filling, bytes of the wire.

`python -m benchmarks.composing [profile]`: the part of `benchmarks.letters` between the verdict
and the mark, alone and on SQLite unless BENCHMARK_POSTGRES_URL is in TEST_DATABASE_URL.
"""

from __future__ import annotations

import cProfile
import gc
import os
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from benchmarks import basket_letter
from benchmarks.stage import fresh_database, settle, table

LETTERS = int(os.environ.get("BENCHMARK_LETTERS", "100"))
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "40"))


def due_jobs() -> Sequence[Any]:
    """Return a batch as the engine hands it over to be composed."""
    from django.utils import timezone

    from oscar_triggers.engine import letters, outbox

    class Caught(BaseException):
        """The engine was stopped where it composes."""

    caught: list[Any] = []

    def catch(desk: Any, jobs: Sequence[Any]) -> Any:
        caught.extend(jobs)
        raise Caught

    original = letters.Desk.compose_many
    letters.Desk.compose_many = catch  # type: ignore[assignment,method-assign]  # put back below
    try:
        outbox.send_due(timezone.now() + timedelta(seconds=5))
    except Caught:
        pass
    finally:
        letters.Desk.compose_many = original  # type: ignore[method-assign]  # as it was
    return caught


def best(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the best round: others' work can only make it slower."""
    times = []
    for _round in range(ROUNDS):
        gc.collect()
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def run() -> None:
    """Print what a letter costs, part by part."""
    with fresh_database() as vendor:
        basket_letter.plan(LETTERS)
        jobs = due_jobs()
        settle()
        from django.utils import timezone

        from oscar_triggers.content import context
        from oscar_triggers.engine import letters

        now = timezone.now()
        subjects = [job.subject for job in jobs]

        def compose() -> None:
            letters.Desk(now).compose_many(jobs)

        def read() -> None:
            context.provide_many(subjects, now)

        compose()
        if "profile" in sys.argv:
            profile = cProfile.Profile()
            profile.enable()
            for _round in range(10):
                compose()
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(60)
            return
        parts = [("composing a letter", best(compose)), ("of that, reading its basket", best(read))]
        print(f"### {vendor}: batches of {len(jobs)} letters, best of {ROUNDS}\n")
        table(
            ["", "CPU µs a letter"],
            [(name, f"{seconds / len(jobs) * 1e6:,.0f}") for name, seconds in parts],
        )


if __name__ == "__main__":
    run()
