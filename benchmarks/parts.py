"""What each part of a letter's way costs: microseconds of CPU a letter, without profiler's tax.

`python -m benchmarks.parts` runs the whole path with a stopwatch at the borders of its parts, in
groups of 1 and 20, with bare smtplib beside it in the same minutes; `BENCHMARK_LETTERS` and
`BENCHMARK_ROUNDS` set the size. Each part's own time is counted, without the parts inside it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any
from unittest import mock

from benchmarks import letters
from benchmarks.stage import fresh_database, on_each_database, settle, table

ROUNDS = letters.ROUNDS

#: Where parts begin: (what it is called, the module, the name in it).
PARTS = (
    ("lease what is due", "engine.outbox", "lease_due"),
    ("load dispatches, messages, people", "engine.outbox", "_loaded"),
    ("bundles, blast limit", "engine.bundling", "close"),
    ("bundles, blast limit", "engine.blast", "within_limits"),
    ("load enrollments and points", "engine.preparing", "_items"),
    ("load enrollments and points", "engine.preparing", "_cases"),
    ("conditions to stay", "engine.preparing", "_still_wanted"),
    ("consent, suppression, caps, hours", "engine.preparing", "_judge"),
    ("read baskets, products, prices", "content.context", "provide_wanted"),
    ("vouchers granted", "engine.incentives", "granted_to"),
    ("compose: values, headers, parcels", "engine.letters", "Desk.compose_many"),
    ("fill into wire bytes", "content.wire", "filled"),
    ("keep the payload", "engine.preparing", "_write_payloads"),
    ("prepare: the rest", "engine.preparing", "prepare"),
    ("write what went before", "engine.settling", "write_sent"),
    ("write decisions", "engine.hand_over", "note_on"),
    ("the mark", "engine.marking", "mark_many"),
    ("begin, commit", "engine.hand_over", "_Batch._settle_and_mark"),
    ("SMTP", "builtin.email", "EmailChannel.send_many"),
    ("receipts and notes", "engine.hand_over", "_Batch._write"),
    ("restart waits", "engine.settling", "restart_waits"),
    ("hand-over: the rest", "engine.hand_over", "hand_over"),
)
REST = "the rest of send_due"


class Stopwatch:
    """Own times of nested parts, in seconds of this process's CPU and of the wall."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._at = (0.0, 0.0)

    def _turn(self) -> None:
        now = (time.process_time(), time.perf_counter())
        if self._open:
            self.cpu[self._open[-1]] += now[0] - self._at[0]
            self.wall[self._open[-1]] += now[1] - self._at[1]
        self._at = now

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts to a part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._open.append(name)
            try:
                return work(*args, **kwargs)
            finally:
                self._turn()
                self._open.pop()

        return timed


def _watched(watch: Stopwatch, stack: ExitStack) -> None:
    """Put the stopwatch at the borders of all parts."""
    for name, where, what in PARTS:
        holder: Any = import_module(f"oscar_triggers.{where}")
        *inside, last = what.split(".")
        for step in inside:
            holder = getattr(holder, step)
        stack.enter_context(
            mock.patch.object(holder, last, watch.around(name, getattr(holder, last)))
        )


def _round(group: int) -> Stopwatch:
    from django.conf import settings
    from django.test import override_settings

    letters.forget()
    letters.plan()
    settle()
    ours = {**settings.OSCAR_TRIGGERS, "HAND_OVER_GROUP": group, "PREPARE_STATEMENTS": True}
    watch = Stopwatch()
    with override_settings(EMAIL_BACKEND=letters.OURS, OSCAR_TRIGGERS=ours), ExitStack() as stack:
        _watched(watch, stack)
        watch.around(REST, letters.send_all)()
    return watch


def run() -> None:
    """Print the table of parts for one database."""
    from tests.storm.sink import running_sink

    with running_sink(None) as sink:
        os.environ["SMTP_PORT"] = str(sink.port)
        with fresh_database() as vendor:
            caught = letters.Caught()
            letters.plan()
            caught.catch()
            rounds: dict[str, list[Stopwatch]] = defaultdict(list)
            for _turn in range(ROUNDS):
                rounds["1"].append(_round(1))
                rounds["20"].append(_round(20))
                bare = Stopwatch()
                bare.around(REST, letters.bare_smtplib)(caught.wire, sink.port)
                rounds["bare"].append(bare)
    names = list(dict.fromkeys([*(name for name, *_rest in PARTS), REST]))

    def median(group: str, clock: str, name: str) -> float:
        return float(statistics.median(getattr(one, clock)[name] for one in rounds[group]))

    def whole(group: str, clock: str) -> float:
        times = [sum(getattr(one, clock).values()) for one in rounds[group]]
        return float(statistics.median(times))

    print(f"### {vendor}: {ROUNDS} rounds of {letters.LETTERS} letters, medians, µs a letter\n")
    columns = [(group, clock) for group in ("1", "20") for clock in ("cpu", "wall")]
    rows = [
        (name, *(f"{median(*at, name) / letters.LETTERS * 1e6:,.0f}" for at in columns))
        for name in names
    ]
    rows.append(("**all**", *(f"{whole(*at) / letters.LETTERS * 1e6:,.0f}" for at in columns)))
    rows += [
        (
            f"bare smtplib, {clock}",
            *(
                f"{whole('bare', clock) / letters.LETTERS * 1e6:,.0f}" if at == clock else ""
                for _group, at in columns
            ),
        )
        for clock in ("cpu", "wall")
    ]
    table(["part", "group 1, CPU", "wall", "group 20, CPU", "wall"], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.parts", run)
