"""The outbox: leasing what is due, and taking over what a dead worker left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from ..conf import triggers_settings
from ..models import RUNNING, Dispatch, DispatchState, Flow, Message
from ..models.sql import lease
from . import blast, bundling, hand_over, installation, settling, worker
from .preparing import prepare


def send_due(now: datetime, *, limit: int | None = None, ids: Sequence[int] | None = None) -> int:
    """Lease a batch of due dispatches, prepare it and hand it over; return its size.

    With `ids`, only those of them that are due are taken. What was in the hands of a worker that
    died is taken alone, after all others: so it is found out who killed it.
    """
    if installation.hold_reason():
        return 0
    me = worker.name()
    leased = _lease(now, me, limit or triggers_settings().batch_size, ids, "crashes = 0")
    leased = leased or _lease(now, me, 1, ids, "crashes > 0")
    if not leased:
        return 0
    bundling.close(leased)
    rows = list(
        Dispatch.objects.filter(pk__in=leased, lease_owner=me)
        .select_related("message__contact", "message__flow")
        .prefetch_related("message__items")
        .order_by("lane", "due_at", "pk")
    )
    prepared = prepare(blast.within_limits(rows, now), now)
    hand_over.hand_over(prepared, now, me)
    return len(leased)


def due_chunks(now: datetime, *, most: int) -> list[list[int]]:
    """Return the ids of up to `most` due dispatches, cut into batches for separate workers.

    What was in the hands of a worker that died is a batch of its own.
    """
    if installation.hold_reason():
        return []
    size = triggers_settings().batch_size
    due = list(
        Dispatch.objects.filter(
            state__in=[DispatchState.PLANNED, DispatchState.RETRY], due_at__lte=now
        )
        # What a paused flow holds would fill every batch, and nobody would lease it.
        .filter(Q(message__flow=None) | Q(message__flow__state__in=RUNNING))
        .order_by("lane", "due_at", "pk")
        .values_list("pk", "crashes")[:most]
    )
    ids = [pk for pk, crashes in due if not crashes]
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
    return chunks + [[pk] for pk, crashes in due if crashes]


def _lease(
    now: datetime, me: str, limit: int, ids: Sequence[int] | None, crashes: str
) -> list[int]:
    where = f"state IN (%s, %s) AND due_at <= %s AND {crashes}"
    params: list[object] = [DispatchState.PLANNED.value, DispatchState.RETRY.value, now]
    if ids is not None:
        where += f" AND id IN ({', '.join(str(int(pk)) for pk in ids) or 'NULL'})"
    standing = Flow.objects.exclude(state__in=RUNNING).values_list("pk", flat=True)
    if standing:
        flows = ", ".join(str(pk) for pk in standing)
        where += (
            f" AND message_id NOT IN (SELECT id FROM {Message._meta.db_table} "  # noqa: S608 - integers and our own table
            f"WHERE flow_id IN ({flows}))"
        )
    return lease(
        Dispatch,
        where=where,
        params=params,
        order_by="lane, due_at, id",
        owner=me,
        until=now + triggers_settings().lease_for,
        limit=limit,
        assignments=f"state = '{DispatchState.LEASED.value}'",
    )


def recover(now: datetime) -> int:
    """Take over what a dead worker left; a crash counts, and the third one ends it.

    What was only being prepared goes back uncounted. What was being handed over may have
    arrived: the flow's `on_doubt` decides whether it is held as unknown or sent again.
    """
    left = list(
        Dispatch.objects.filter(
            state__in=[DispatchState.LEASED, DispatchState.SENDING], leased_until__lt=now
        ).select_related("message")[: triggers_settings().batch_size]
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
    if row.crashes + 1 >= triggers_settings().max_crashes:
        settling.settle(
            parties, DispatchState.DEAD, now, reason="crashed", detail="Its workers died."
        )
    elif row.state == DispatchState.LEASED:
        settling.requeue(row.pk, now)
    elif row.message.options.get("on_doubt") == "resend":
        Dispatch.objects.filter(pk=row.pk).update(
            state=DispatchState.RETRY, due_at=now, lease_owner="", leased_until=None
        )
    else:
        settling.settle(
            parties,
            DispatchState.UNKNOWN,
            now,
            reason="worker_died",
            detail="The worker died while it handed the message over.",
        )
