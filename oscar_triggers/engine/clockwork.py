"""The clockwork: one tick does everything that is due, whoever rings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..conf import triggers_settings
from ..models import Pulse
from ..models.sql import database_now, insert_or_ignore
from . import advancing, installation, outbox, routing, sweeping, watching

#: A tick that finds ever more work gives way after so many batches of each kind.
_MOST_BATCHES = 200

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class TickReport:
    """What one tick did."""

    at: datetime
    sweeps: dict[str, dict[str, Any]] = field(default_factory=dict)
    routed: int = 0
    advanced: int = 0
    recovered: int = 0
    handed_over: int = 0
    #: Whether more is due: the tick gave way after OSCAR_TRIGGERS["TICK_EVERY"] of sending.
    is_unfinished: bool = False

    @property
    def was_idle(self) -> bool:
        """Say whether there was nothing to do."""
        return not (self.routed or self.advanced or self.recovered or self.handed_over)


def tick(now: datetime | None = None, *, send: bool = True) -> TickReport:
    """Do what is due at a moment (UTC; the database's own clock when it is not given).

    A moment that is given stands still. The database's clock is asked once and goes on: what a
    long tick leases late must not be leased as of its beginning.

    Two ticks at once, on one machine or several, change nothing: every batch is leased. With
    `send=False` the outbox is left to separate workers (`outbox.due_chunks`).
    """
    clock = _standing(now) if now is not None else _going(database_now(Pulse))
    moment = clock()
    installation.ensure(moment)
    if installation.is_foreign():
        watching.watch(moment)
        _beat(moment)
        return TickReport(at=moment)
    found = sweeping.run_due(moment)
    routed = _until_empty(lambda: routing.route(clock()))
    advanced = _until_empty(lambda: advancing.advance(clock()))
    recovered = outbox.recover(clock())
    handed_over, is_unfinished = _send(clock) if send else (0, False)
    watching.watch(clock())
    _beat(clock())
    return TickReport(
        at=moment,
        sweeps=found,
        routed=routed,
        advanced=advanced,
        recovered=recovered,
        handed_over=handed_over,
        is_unfinished=is_unfinished,
    )


def _standing(moment: datetime) -> Clock:
    return lambda: moment


def _going(start: datetime) -> Clock:
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def _until_empty(work: Callable[[], int]) -> int:
    total = 0
    for _batch in range(_MOST_BATCHES):
        done = work()
        total += done
        if not done:
            break
    return total


def _send(clock: Clock) -> tuple[int, bool]:
    """Send what is due, but not for so long that orders, events and dead workers would wait."""
    total = 0
    until = time.monotonic() + triggers_settings().tick_every.total_seconds()
    while True:
        done = outbox.send_due(clock())
        total += done
        if not done or time.monotonic() >= until:
            return total, bool(done)


def _beat(moment: datetime) -> None:
    insert_or_ignore(Pulse, [{"name": "tick"}], conflict="name")
    Pulse.objects.filter(name="tick").update(ran_at=moment)
