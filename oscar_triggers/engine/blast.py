"""The blast guard: a flow that sends far more than expected in its first hour is paused (W9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import pgettext

from ..conf import triggers_settings
from ..models import Alarm, Dispatch, DispatchState, Flow, FlowState
from ..models.sql import database_for
from . import alarms, plans, settling
from .decisions import Note, note_many

#: How long after Flow.blast_since a flow is watched.
FIRST = timedelta(hours=1)

#: Stands in the details of what a worker has leased and may hand over, until that has an end.
_COUNTED = "Counted by the blast guard."
_WENT = (DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN)


def alarm_key(flow_key: str) -> str:
    """Return the key of the alarm about a flow."""
    return f"blast:{flow_key}"


def within_limits(rows: Sequence[Dispatch], now: datetime) -> list[Dispatch]:
    """Return those of a leased batch that may go on; the others go back, uncounted.

    A flow that reached its limit is paused, and staff are told. Workers count one after the other,
    and what each lets go on counts at once, so that together they keep to the limit exactly.
    """
    by_flow: dict[int, list[Dispatch]] = defaultdict(list)
    for row in rows:
        if row.message.flow_id is not None and not row.message.is_shadow:
            by_flow[row.message.flow_id].append(row)
    kept_back: set[int] = set()
    for mine in by_flow.values():
        # Each row has its own copy of the flow: asked once, so that a batch costs the same.
        flow = mine[0].message.flow
        assert flow is not None
        limit = _limit(flow, now)
        if limit is not None:
            kept_back |= _beyond_limit(flow, limit, mine, now)
    return [row for row in rows if row.pk not in kept_back]


def confirm(flow: Flow, now: datetime) -> datetime | None:
    """Return since when a flow that staff let go on is watched: no more, if the guard paused it."""
    if not Alarm.objects.filter(key=alarm_key(flow.key), cleared_at=None).exists():
        return now
    alarms.clear(alarm_key(flow.key), now, by_staff=True)
    return None


def forget(now: datetime) -> None:
    """End the alarms about flows that do not stand still any more: switched off, or rehearsing."""
    paused = Flow.objects.filter(state=FlowState.PAUSED).values_list("key", flat=True)
    alarms.keep_only(alarm_key(""), {alarm_key(key) for key in paused}, now)


def _limit(flow: Flow, now: datetime) -> int | None:
    """Return how many messages a flow may send; None when it is not (or no more) watched."""
    if flow.state != FlowState.LIVE or flow.blast_since is None or flow.live_version is None:
        return None
    if now >= flow.blast_since + FIRST:
        return None
    own = plans.plan_of(flow.live_version).definition.blast_limit
    return own if own is not None else triggers_settings().blast_limit


def _beyond_limit(flow: Flow, limit: int, mine: Sequence[Dispatch], now: datetime) -> set[int]:
    """Return the ids of what must go back, and send it back; pause the flow at its limit."""
    assert flow.blast_since is not None
    of_flow = Dispatch.objects.filter(message__flow=flow, message__is_shadow=False)
    ids = [row.pk for row in mine]
    with transaction.atomic(using=database_for(Dispatch)):
        # No key: rows that only refer to the flow need not wait.
        Flow.objects.select_for_update(no_key=True).get(pk=flow.pk)
        went = of_flow.filter(state__in=_WENT, sending_at__gte=flow.blast_since).count()
        ahead = of_flow.filter(state=DispatchState.LEASED, detail=_COUNTED).exclude(pk__in=ids)
        held = ahead.count()
        free = max(0, limit - went - held)
        Dispatch.objects.filter(pk__in=ids[:free]).update(detail=_COUNTED)
        Dispatch.objects.filter(pk__in=ids[free:], detail=_COUNTED).update(detail="")
    beyond = ids[free:]
    if not beyond:
        return set()
    is_over = went >= limit
    # While others hold what is left of the limit, what becomes of that decides.
    again_at = now + triggers_settings().tick_every if held and not is_over else now
    for pk in beyond:
        settling.requeue(pk, again_at)
    if is_over:
        _pause(flow, limit, went, now)
    return set(beyond)


def _pause(flow: Flow, limit: int, went: int, now: datetime) -> None:
    paused = Flow.objects.filter(pk=flow.pk, state=FlowState.LIVE).update(
        state=FlowState.PAUSED, paused_at=now
    )
    if not paused:
        return
    waiting = Dispatch.objects.filter(
        message__flow=flow, state__in=(DispatchState.PLANNED, DispatchState.LEASED)
    ).count()
    note_many(
        [
            Note(
                rule="blast_guard",
                verdict="paused",
                reason="blast_limit",
                compared={
                    "limit": limit,
                    "sent": went,
                    "waiting": waiting,
                    "since": flow.blast_since,
                },
                flow_id=flow.pk,
            )
        ],
        now,
    )
    alarms.raise_alarm(
        alarm_key(flow.key),
        pgettext(
            "triggers",
            "The flow “%(flow)s” sent %(limit)s messages in its first hour and wants to send "
            "%(waiting)s more; it is paused.",
        )
        % {"flow": flow.name, "limit": limit, "waiting": waiting},
        now,
        advice=pgettext(
            "triggers",
            "See who waits. To let it send on: 'manage.py triggers_flow %(key)s resume'. "
            "To allow more from the beginning: blast_limit in the flow.",
        )
        % {"key": flow.key},
    )
