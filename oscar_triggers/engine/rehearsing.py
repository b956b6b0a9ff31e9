"""Rehearsing: a flow that decides, records and shows its letters, and sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..models import (
    Dispatch,
    DispatchState,
    Enrollment,
    ExitReason,
    Flow,
    FlowState,
    Message,
    MessageState,
)
from . import enrollments, incentives

WENT_LIVE = "went_live"

_WAITING = (DispatchState.PLANNED, DispatchState.RETRY, DispatchState.LEASED)
_HANDED_OVER = (DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN)
#: SQLite takes 32,766 values in one statement.
_AT_ONCE = 1_000


def begin(flow: Flow) -> None:
    """Turn a locked flow, and everybody and everything on its way, into a rehearsal.

    The flow is not saved: the caller does. The mark of a letter asks for the flow's state, so
    that one which is being prepared at this moment is not handed over either.
    """
    flow.state = FlowState.SHADOW
    flow.paused_at = None
    waiting = Message.objects.filter(flow=flow, state=MessageState.PLANNED, is_shadow=False)
    # Twice: settling locks messages before enrollments, and a step may plan one in between.
    waiting.update(is_shadow=True)
    Enrollment.objects.filter(flow=flow, state__in=enrollments.UNFINISHED).update(is_shadow=True)
    waiting.update(is_shadow=True)


def end(flow: Flow, now: datetime) -> None:
    """Let everybody out who rehearsed, and settle their letters; in the caller's transaction.

    Whoever is on the way in a flow that rehearsed until now did nothing but rehearse.
    """
    # In the order in which settling locks: the dispatch first, the enrollment after it.
    list(
        Dispatch.objects.select_for_update()
        .filter(message__flow=flow, state__in=_WAITING)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    ids = list(
        Enrollment.objects.filter(flow=flow, state__in=enrollments.UNFINISHED)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    for start in range(0, len(ids), _AT_ONCE):
        enrollments.exit_many(
            ids[start : start + _AT_ONCE],
            ExitReason.CANCELLED,
            now,
            rule=WENT_LIVE,
            compared={"flow": flow.key},
            cancel=False,
        )
    waiting = list(
        Message.objects.filter(flow=flow, state=MessageState.PLANNED)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    for start in range(0, len(waiting), _AT_ONCE):
        _shadow_messages(waiting[start : start + _AT_ONCE], now)


def _shadow_messages(ids: Sequence[int], now: datetime) -> None:
    """Settle messages as rehearsed. A leased one is not marked any more: the mark asks for it."""
    Dispatch.objects.filter(message_id__in=ids, state__in=_WAITING).update(
        state=DispatchState.SHADOWED,
        reason=WENT_LIVE,
        settled_at=now,
        lease_owner="",
        leased_until=None,
    )
    rehearsed = list(
        Message.objects.filter(pk__in=ids, state=MessageState.PLANNED)
        .exclude(dispatches__state__in=_HANDED_OVER)
        .values_list("pk", flat=True)
    )
    Message.objects.filter(pk__in=rehearsed).update(
        state=MessageState.SHADOWED, reason=WENT_LIVE, settled_at=now, is_shadow=True
    )
    # What was being handed over when the rehearsal began is not tried again, should it fail.
    Message.objects.filter(pk__in=ids, state=MessageState.PLANNED).update(reason=WENT_LIVE)
    incentives.revoke_all(rehearsed, now)
