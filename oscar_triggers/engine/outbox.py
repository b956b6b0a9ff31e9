"""The outbox: leasing what is due, and taking over what a dead worker left."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from ..conf import triggers_settings
from ..models import RUNNING, Breaker, BreakerState, Dispatch, DispatchState, Flow, Message, light
from ..models.prepared import TEXT, Slot
from ..models.questions import Among, Question
from ..models.sql import lease_rows
from . import (
    allowances,
    blast,
    breakers,
    bundling,
    hand_over,
    installation,
    paces,
    settling,
    watermarks,
    worker,
)
from .planning import BULK_LANE, PROMOTIONAL_LANE, TRANSACTIONAL_LANE
from .preparing import prepare

#: The transactional lane goes first, one-off letters to many go last.
LANES = (TRANSACTIONAL_LANE, PROMOTIONAL_LANE, BULK_LANE)
#: How many are leased to find one that may go: some are too late by then.
_PROBES = 20
_OPEN_GATE = breakers.Gate()
#: Who waits for tokens waits for a few at once (seconds).
_SHORTEST_REST = 0.2
#: Tokens of so long make a batch of a channel that has a rate (seconds).
_RATED_CHUNK = 0.25
#: As words, not parameters: SQLite uses a partial index only if it reads its condition.
_WAITING = f"state IN ('{DispatchState.PLANNED.value}', '{DispatchState.RETRY.value}')"
_HELD = f"state IN ('{DispatchState.LEASED.value}', '{DispatchState.SENDING.value}')"


def send_due(
    now: datetime,
    *,
    limit: int | None = None,
    ids: Sequence[int] | None = None,
    lanes: Sequence[int] = LANES,
    until: float | None = None,
) -> int:
    """Lease a batch of due dispatches, prepare it and hand it over; return its size.

    With `ids`, only those of them that are due are taken; the transactional lane goes first. What
    was in the hands of a worker that died is taken alone, after all others: so it is found out
    who killed it. What is not handed over by `until` (of time.monotonic()) goes back uncounted.
    """
    if installation.hold_reason():
        return 0
    began = time.monotonic()
    me = worker.name()
    gate = breakers.look(now)
    leased: list[int] = []
    try:
        leased = lease_due(
            now, me, limit or triggers_settings().batch_size, gate=gate, ids=ids, lanes=lanes
        )
    finally:
        if not leased:
            breakers.release(gate.probing, now)
    if not leased:
        return 0
    bundling.close(leased)
    rows = _loaded(leased, me)
    prepared = prepare(blast.within_limits(rows, now), now)
    # Who gets no letter needs no token.
    unused = Counter(row.channel for row in rows) - Counter(one.row.channel for one in prepared)
    allowances.return_all(unused, now)
    handed_over = hand_over.hand_over(prepared, now, me, gate, until=until)
    paces.learn(handed_over, time.monotonic() - began)
    return len(leased)


def rest_for(now: datetime, *, ids: Sequence[int] | None = None) -> float:
    """Return how long to rest when nothing could be leased although it is due (seconds).

    0 when nothing is due at all: only RATES make what is due wait for tokens.
    """
    rated = allowances.channel_rates()
    if not rated or installation.hold_reason():
        return 0.0
    due = _due(now) if ids is None else _due(now).filter(pk__in=ids)
    waiting = [name for name in set(rated) - _closed() if due.filter(channel=name).exists()]
    return max(allowances.wait(waiting, now), _SHORTEST_REST) if waiting else 0.0


def still_due(ids: Sequence[int], now: datetime) -> list[int]:
    """Return those of a batch's dispatches that are due and nobody has leased, in their order."""
    rows = _due(now).filter(pk__in=ids).exclude(channel__in=_closed())
    return list(rows.order_by("lane", "due_at", "pk").values_list("pk", flat=True))


def probe(now: datetime) -> int:
    """Send a few where a breaker's pause is over, one first; return how many were leased."""
    waits = Breaker.objects.exclude(state=BreakerState.CLOSED).filter(retry_at__lte=now)
    return send_due(now, limit=max(paces.size(), _PROBES)) if waits.exists() else 0


def _loaded(ids: Sequence[int], owner: str) -> list[Dispatch]:
    """Read what every letter needs and nothing else: dates and JSON cost more than the query."""
    rows = _LEASED.read({"ids": ids, "owner": owner})
    # Of flows there are few: each is read once, not once for every letter.
    flows = _with_version().in_bulk({row.message.flow_id for row in rows} - {None})
    for row in rows:
        row.message.flow = flows.get(row.message.flow_id or 0)
    return rows


_OF_DISPATCH = (
    *("message_id", "channel", "hop", "state", "reason", "lane", "attempt", "crashes"),
    "point_hash",
)
_OF_OTHERS = (
    (
        "message",
        (
            *("contact_id", "flow_id", "template_id", "public_id", "step_key", "stream", "topic"),
            *("priority", "about_type", "about_id", "site_id", "options", "not_after", "state"),
            *("reason", "is_shadow", "bundle_key"),
        ),
    ),
    (
        "message__contact",
        (
            *("user_id", "first_name", "last_name", "language", "time_zone", "site_id"),
            "joined_into_id",
        ),
    ),
)


_LEASED = light.Reader(
    Dispatch,
    _OF_DISPATCH,
    lambda rows: rows.filter(Among("id", "ids"), lease_owner=Slot("owner", TEXT)).order_by(
        "lane", "due_at", "pk"
    ),
    _OF_OTHERS,
)
_STANDING = Question(
    lambda: Flow, lambda rows: rows.exclude(state__in=RUNNING).order_by("pk").values_list("pk")
)


def _with_version() -> QuerySet[Flow]:
    return Flow.objects.select_related("live_version").defer("live_version__definition")


def _in_states(condition: str) -> RawSQL:
    table = Dispatch._meta.db_table
    return RawSQL(f"{table}.{condition}", [], output_field=BooleanField())  # noqa: S611 - our own words


def _closed() -> set[str]:
    return set(Breaker.objects.exclude(state=BreakerState.CLOSED).values_list("name", flat=True))


def _due(now: datetime) -> QuerySet[Dispatch]:
    """Return what is due and may be leased; what a paused flow holds would fill every batch."""
    return Dispatch.objects.filter(_in_states(_WAITING), due_at__lte=now).filter(
        Q(message__flow=None) | Q(message__flow__state__in=RUNNING)
    )


def due_chunks(now: datetime, *, most: int) -> list[list[int]]:
    """Return the ids of up to `most` due dispatches, cut into batches for separate workers.

    What was in the hands of a worker that died is a batch of its own. Of a channel with a rate
    there is no more than it has tokens for until the tick after the next.
    """
    if installation.hold_reason():
        return []
    general, closed = triggers_settings(), _closed()
    rated = allowances.channel_rates()
    chunks = _cut(_due(now).exclude(channel__in={*closed, *rated}), most, general.batch_size)
    for channel, rate in rated.items():
        if channel not in closed:
            tokens = math.ceil(2 * rate * general.tick_every.total_seconds())
            size = min(general.batch_size, math.ceil(rate * _RATED_CHUNK))
            chunks += _cut(_due(now).filter(channel=channel), min(most, tokens), size)
    return chunks


def _cut(due: QuerySet[Dispatch], most: int, size: int) -> list[list[int]]:
    rows = due.order_by("lane", "due_at", "pk").values_list("pk", "crashes")[:most]
    found = list(rows)
    ids = [pk for pk, crashes in found if not crashes]
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
    return chunks + [[pk] for pk, crashes in found if crashes]


def lease_due(
    now: datetime,
    me: str,
    limit: int,
    *,
    gate: breakers.Gate = _OPEN_GATE,
    ids: Sequence[int] | None = None,
    lanes: Sequence[int] = LANES,
) -> list[int]:
    """Lease lane by lane; what killed its worker before comes last, and alone."""
    rated = allowances.channel_rates()
    if gate.probing:
        # Whoever has the turn tries whatever is due: nobody else may.
        ids, lanes = None, LANES
    leased: list[int] = []
    for crashes, most in (("crashes = 0", limit), ("crashes > 0", 1)):
        for lane in lanes:
            ask = partial(_lease_lane, now, me, lane=lane, ids=ids, crashes=crashes)
            room = most - len(leased)
            if room > 0:
                leased += ask(room, _names("channel NOT IN", {*gate.closed, *rated}))
            for channel in rated:
                room = most - len(leased)
                if room > 0 and channel not in gate.closed:
                    due = _due(now).filter(lane=lane, channel=channel)
                    leased += _lease_rated(channel, room, ask, now, due, ids)
        if leased:
            break
    return leased


def _lease_rated(
    channel: str,
    room: int,
    ask: Callable[[int, tuple[str, list[object]]], list[int]],
    now: datetime,
    due: QuerySet[Dispatch],
    ids: Sequence[int] | None,
) -> list[int]:
    """Lease no more of a channel than it has tokens: what does not fit stays in its order."""
    if ids is not None:
        due = due.filter(pk__in=ids)
    # Tokens that are taken for nothing are missing elsewhere until they are given back.
    wanted = due.values_list("pk", flat=True)[:room].count()
    granted = allowances.take(channel, wanted, now) if wanted else 0
    if not granted:
        return []
    leased = ask(granted, _names("channel IN", {channel}))
    allowances.give_back(channel, granted - len(leased), now)
    return leased


def _names(question: str, names: Collection[str]) -> tuple[str, list[object]]:
    if not names:
        return "", []
    return f" AND {question} ({', '.join(['%s'] * len(names))})", list[object](sorted(names))


def _lease_lane(
    now: datetime,
    me: str,
    limit: int,
    channels: tuple[str, list[object]],
    *,
    lane: int,
    ids: Sequence[int] | None,
    crashes: str,
) -> list[int]:
    where = f"{_WAITING} AND lane = {int(lane)} AND due_at <= %s AND {crashes}{channels[0]}"
    params: list[object] = [now, *channels[1]]
    if ids is not None:
        where += f" AND id IN ({', '.join(str(int(pk)) for pk in ids) or 'NULL'})"
    standing = _STANDING.ask()
    if standing:
        flows = ", ".join(str(pk) for (pk,) in standing)
        where += (
            f" AND message_id NOT IN (SELECT id FROM {Message._meta.db_table} "  # noqa: S608 - integers and our own table
            f"WHERE flow_id IN ({flows}))"
        )

    def take(since: datetime | None, most: int) -> list[tuple[int, datetime]]:
        return lease_rows(
            Dispatch,
            where=where if since is None else f"{where} AND due_at >= %s",
            params=params if since is None else [*params, since],
            order_by="lane, due_at, id",
            owner=me,
            until=now + triggers_settings().lease_for,
            limit=most,
            assignments=f"state = '{DispatchState.LEASED.value}'",
            returning="due_at",
        )

    if ids is not None or "= 0" not in crashes:
        return [pk for pk, _due_at in take(None, limit)]
    return watermarks.of(f"dispatch:{lane}:{channels}").take(take, limit)


def recover(now: datetime) -> int:
    """Take over what a dead worker left; a crash counts, and the third one ends it.

    What was only being prepared goes back uncounted. What was being handed over may have
    arrived: the flow's `on_doubt` decides whether it is held as unknown or sent again.
    """
    left = list(
        Dispatch.objects.filter(_in_states(_HELD), leased_until__lt=now).select_related("message")[
            : triggers_settings().batch_size
        ]
    )
    for row in left:
        # One taker only: the row must still be as we saw it.
        taken = Dispatch.objects.filter(
            pk=row.pk, state=row.state, lease_owner=row.lease_owner, leased_until=row.leased_until
        ).update(lease_owner=worker.name(), crashes=row.crashes + 1)
        if taken:
            _take_over(row, now)
    return len(left)


def _take_over(row: Dispatch, now: datetime) -> None:
    parties = settling.parties_of(row)
    if row.state == DispatchState.SENDING and row.message.options.get("on_doubt") != "resend":
        # Also at the last try: what may have arrived must not be listed as failed.
        settling.settle(
            parties,
            DispatchState.UNKNOWN,
            now,
            reason="worker_died",
            detail="The worker died while it handed the message over.",
        )
    elif row.crashes + 1 >= triggers_settings().max_crashes:
        settling.settle(
            parties, DispatchState.DEAD, now, reason="crashed", detail="Its workers died."
        )
    elif row.state == DispatchState.LEASED:
        settling.requeue(row.pk, now)
    else:
        Dispatch.objects.filter(pk=row.pk).update(
            state=DispatchState.RETRY, due_at=now, lease_owner="", leased_until=None
        )
