"""The clockwork: one tick does everything that is due, whoever rings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..conf import triggers_settings
from ..models import Pulse
from ..models.sql import database_now, insert_or_ignore
from . import advancing, hand_over, installation, outbox, paces, routing, sweeping, watching
from .planning import TRANSACTIONAL_LANE

#: How long one kind of work goes on before the next has its turn (seconds).
_SLICE = 0.25
#: How long a worker is busy with one batch of ids before other tasks have their turn (seconds).
_CHUNK = 0.5

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
    #: Whether more is due: the tick gave way after OSCAR_TRIGGERS["TICK_EVERY"].
    is_unfinished: bool = False

    @property
    def was_idle(self) -> bool:
        """Say whether there was nothing to do."""
        return not (self.routed or self.advanced or self.recovered or self.handed_over)


def tick(
    now: datetime | None = None, *, send: bool = True, lanes: Sequence[int] = outbox.LANES
) -> TickReport:
    """Do what is due at a moment (UTC; the database's own clock when it is not given).

    A moment that is given stands still. The database's clock is asked once and goes on: what a
    long tick leases late must not be leased as of its beginning.

    Two ticks at once, on one machine or several, change nothing: every batch is leased. With
    `send=False` the outbox is left to separate workers (`outbox.due_chunks`), or with `lanes` what
    is of the other lanes.
    """
    clock = _standing(now) if now is not None else _going(database_now(Pulse))
    moment = clock()
    installation.ensure(moment)
    if installation.is_foreign():
        watching.watch(moment)
        _beat(moment)
        return TickReport(at=moment)
    found = sweeping.run_due(moment)
    recovered = outbox.recover(clock())
    with hand_over.connections_kept():
        done = _take_turns(clock, lanes if send else ())
    watching.watch(clock())
    _beat(clock())
    return TickReport(
        at=moment,
        sweeps=found,
        routed=done.routed,
        advanced=done.advanced,
        recovered=recovered,
        handed_over=done.handed_over,
        is_unfinished=done.is_unfinished,
    )


def do_urgent(now: datetime) -> int:
    """Do a batch of what somebody waits for: events, steps, transactional messages; count them.

    For workers that are busy with a heap of other messages. Like the tick, it rests on a copy.
    """
    if installation.is_foreign():
        return 0
    return (
        routing.route(now)
        + advancing.advance(now)
        + outbox.send_due(now, lanes=(TRANSACTIONAL_LANE,))
    )


def work_on(ids: Sequence[int]) -> list[int]:
    """Send of a batch of dispatches for a short time; return those to go on with at once.

    Before each few, what somebody waits for is done: whoever is busy does not make it late, and
    a tick that waits behind other tasks neither.
    """
    clock, until = _going(database_now(Pulse)), time.monotonic() + _CHUNK
    with hand_over.connections_kept():
        while True:
            do_urgent(clock())
            sent = _send(clock, until, ids=ids)
            if time.monotonic() >= until or not sent:
                break
    # Where only a pause of seconds brings more, the next tick looks again.
    goes_on = sent or 0 < outbox.rest_for(clock(), ids=ids) <= _CHUNK
    return outbox.still_due(ids, clock()) if goes_on else []


@dataclass(kw_only=True)
class _Done:
    routed: int = 0
    advanced: int = 0
    handed_over: int = 0
    is_unfinished: bool = False


def _take_turns(clock: Clock, lanes: Sequence[int]) -> _Done:
    """Route, advance and send by turns of a slice each, for as long as a tick may take.

    However much there is of one, an event is routed, its steps are asked and its message leaves
    within a few slices.
    """
    done = _Done()
    length = triggers_settings().tick_every.total_seconds()
    until, a_slice = time.monotonic() + length, min(_SLICE, length)
    while True:
        routed, more_to_route = _for_a_slice(lambda: routing.route(clock()), _SLICE)
        advanced, more_to_advance = _for_a_slice(lambda: advancing.advance(clock()), _SLICE)
        sent, more_to_send = (
            _for_a_slice(lambda: _send(clock, until, lanes=lanes), a_slice) if lanes else (0, False)
        )
        done.routed += routed
        done.advanced += advanced
        done.handed_over += sent
        if not (more_to_route or more_to_advance or more_to_send):
            return done
        if time.monotonic() >= until:
            done.is_unfinished = True
            return done


def _for_a_slice(work: Callable[[], int], length: float) -> tuple[int, bool]:
    """Work batch by batch; return how much was done, and whether time was up before the end."""
    total, until = 0, time.monotonic() + length
    while done := work():
        total += done
        if time.monotonic() >= until:
            return total, True
    return total, False


def _send(
    clock: Clock,
    until: float,
    *,
    ids: Sequence[int] | None = None,
    lanes: Sequence[int] = outbox.LANES,
) -> int:
    """Send a small batch; wait a moment for tokens when only RATES hold back what is due."""

    def send() -> int:
        over = time.monotonic() + _SLICE + paces.MEANT
        return outbox.send_due(clock(), limit=paces.size(), ids=ids, lanes=lanes, until=over)

    sent = send()
    if sent or clock() == clock():  # A clock that stands still brings no tokens.
        return sent
    rest = outbox.rest_for(clock(), ids=ids)
    if rest and time.monotonic() + rest < until:
        time.sleep(min(rest, _SLICE))
        return send()
    return 0


def _standing(moment: datetime) -> Clock:
    return lambda: moment


def _going(start: datetime) -> Clock:
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def _beat(moment: datetime) -> None:
    insert_or_ignore(Pulse, [{"name": "tick"}], conflict="name")
    Pulse.objects.filter(name="tick").update(ran_at=moment)
