"""Resolving: what nobody can know, or what failed for good, is decided by staff or a provider.

Each verb is one UPDATE that names the state it expects, so that two people, or a person and a
provider's report, cannot both decide. Every decision is kept, with who made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from .. import signals
from ..models import (
    RUNNING,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    ExitReason,
    FlowState,
    Message,
    MessageState,
)
from ..models.sql import database_for
from . import enrollments, incentives
from .decisions import Note, note_many

#: Decisions of people and of providers' reports.
STAFF = "staff"
PROVIDER = "provider"
#: Why a restored backup holds something (engine.after_restore).
RESTORED = "restored"

#: What staff can decide about.
OPEN = (DispatchState.UNKNOWN, DispatchState.DEAD)
_MESSAGE_STATE = {
    DispatchState.SENT: MessageState.SENT,
    DispatchState.DEAD: MessageState.DEAD,
    DispatchState.CANCELLED: MessageState.CANCELLED,
}
_WAITING = (DispatchState.PLANNED, DispatchState.RETRY)


class Answer(StrEnum):
    """What became of a wish to resolve something."""

    DONE = "done"
    #: It is not (any more) in a state in which this can be decided.
    NOT_OPEN = "not_open"
    #: Its last moment has passed; `late` would send it all the same.
    TOO_LATE = "too_late"
    #: Whoever it is for has left the flow for a reason that speaks against it.
    NOT_WANTED = "not_wanted"
    #: Its flow is switched off, so nothing of it leaves.
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, kw_only=True)
class Due:
    """How many messages are due, by whether they may still leave."""

    in_time: int
    too_late: int


def count_due(now: datetime) -> Due:
    """Count the messages that are due and not held by a paused flow."""
    due = Dispatch.objects.filter(state__in=_WAITING, due_at__lte=now).filter(
        Q(message__flow=None) | Q(message__flow__state=FlowState.LIVE)
    )
    late = due.filter(message__not_after__lt=now).count()
    return Due(in_time=due.count() - late, too_late=late)


def open_dispatches(states: Sequence[str] = OPEN, *, flow_key: str = "") -> QuerySet[Dispatch]:
    """Return what waits for somebody's decision, the oldest first."""
    rows = Dispatch.objects.filter(state__in=states).select_related("message__flow")
    if flow_key:
        rows = rows.filter(message__flow__key=flow_key)
    return rows.order_by("settled_at", "pk")


def held_enrollments(*, flow_key: str = "") -> QuerySet[Enrollment]:
    """Return the people whom the engine cannot, or after a restore must not, move on."""
    rows = Enrollment.objects.filter(state=EnrollmentState.HELD).select_related("flow")
    return (rows.filter(flow__key=flow_key) if flow_key else rows).order_by("pk")


def except_restored(rows: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    """Leave out who is held since a backup was restored: only staff let them go on."""
    last = (
        Decision.objects.filter(enrollment_id=OuterRef("pk"), verdict=EnrollmentState.HELD.value)
        .order_by("-pk")
        .values("reason")[:1]
    )
    return rows.annotate(held_for=Subquery(last)).exclude(held_for=RESTORED)


# ── Dispatches ───────────────────────────────────────────────────────────────────────────────────


def mark_arrived(
    dispatch_id: int, now: datetime, *, by: Any = None, rule: str = PROVIDER
) -> Answer:
    """Write down that a message of which nobody could tell, or that seemed to fail, did arrive.

    One that waits to be sent again because of that doubt is not sent again.
    """
    return _settle_open(
        dispatch_id,
        DispatchState.SENT,
        now,
        by=by,
        rule=rule,
        states=(DispatchState.UNKNOWN, DispatchState.RETRY, DispatchState.DEAD),
    )


def mark_failed(
    dispatch_id: int, now: datetime, *, by: Any = None, rule: str = PROVIDER, reason: str = ""
) -> Answer:
    """Write down that a message of which nobody could tell did not arrive, and never will."""
    return _settle_open(
        dispatch_id, DispatchState.DEAD, now, by=by, rule=rule, reason=reason or "not_arrived"
    )


def drop(dispatch_id: int, now: datetime, *, by: Any = None) -> Answer:
    """Let a message that is in doubt or failed be, without saying that it arrived."""
    return _settle_open(
        dispatch_id, DispatchState.CANCELLED, now, by=by, rule=STAFF, reason="dropped", states=OPEN
    )


def resend(
    dispatch_id: int,
    now: datetime,
    *,
    by: Any = None,
    late: bool = False,
    states: Sequence[DispatchState] = OPEN,
) -> Answer:
    """Try a message in doubt, or one that failed, again: with all its tries, and as itself.

    It keeps its key and its Message-ID, and everything is asked anew before it leaves. With
    `late`, one whose last moment has passed gets the same length of time once more.
    """
    with transaction.atomic(using=database_for(Dispatch)):
        row = _locked(dispatch_id, states)
        if row is None:
            return Answer.NOT_OPEN
        message = row.message
        refused = why_not_again(message, now, late=late)
        if refused is not None:
            return refused
        before = row.state
        Dispatch.objects.filter(pk=row.pk, state=before).update(
            state=DispatchState.PLANNED,
            reason="",
            due_at=now,
            attempt=0,
            crashes=0,
            settled_at=None,
            sending_at=None,
            lease_owner="",
            leased_until=None,
        )
        not_after = message.not_after
        if now > not_after:
            not_after = now + (message.not_after - message.due_at)
        Message.objects.filter(pk=message.pk).update(
            state=MessageState.PLANNED, reason="", settled_at=None, not_after=not_after
        )
        _note(row, "resend", now, by=by, rule=STAFF, compared={"before": before, "late": late})
    return Answer.DONE


def why_not_again(message: Message, now: datetime, *, late: bool) -> Answer | None:
    """Say what speaks against sending a message again; None where nothing does."""
    if message.flow is not None and message.flow.state not in (*RUNNING, FlowState.PAUSED):
        return Answer.SWITCHED_OFF
    if message.is_shadow:
        return Answer.NOT_WANTED
    states = list(message.items.values_list("enrollment__state", "enrollment__exit_reason"))
    # Who went through is still owed the last letter; who ordered or unsubscribed is not.
    if not any(
        state != EnrollmentState.ENDED or reason == ExitReason.COMPLETED for state, reason in states
    ):
        return Answer.NOT_WANTED
    if now > message.not_after and not late:
        return Answer.TOO_LATE
    return None


def _settle_open(
    dispatch_id: int,
    state: DispatchState,
    now: datetime,
    *,
    by: Any,
    rule: str,
    reason: str = "",
    states: Sequence[DispatchState] = (DispatchState.UNKNOWN,),
) -> Answer:
    with transaction.atomic(using=database_for(Dispatch)):
        row = _locked(dispatch_id, states)
        if row is None:
            return Answer.NOT_OPEN
        before = row.state
        Dispatch.objects.filter(pk=row.pk, state=before).update(
            state=state, reason=reason, settled_at=row.settled_at or now
        )
        Message.objects.filter(pk=row.message_id).update(
            state=_MESSAGE_STATE[state], reason=reason, settled_at=row.settled_at or now
        )
        if state is not DispatchState.SENT:
            incentives.revoke_all([row.message_id], now)
        _note(row, state.value, now, by=by, rule=rule, reason=reason, compared={"before": before})
    if state is DispatchState.SENT:
        signals.message_sent.send_robust(
            sender=None,
            dispatch_id=row.pk,
            message_id=row.message_id,
            contact_id=row.message.contact_id,
            channel=row.channel,
        )
    return Answer.DONE


def _locked(dispatch_id: int, states: Sequence[DispatchState]) -> Dispatch | None:
    return (
        Dispatch.objects.select_for_update(of=("self",))
        .select_related("message__flow")
        .filter(pk=dispatch_id, state__in=states)
        .first()
    )


def _note(
    row: Dispatch,
    verdict: str,
    now: datetime,
    *,
    by: Any,
    rule: str,
    compared: Mapping[str, Any],
    reason: str = "",
) -> None:
    note_many(
        [
            Note(
                rule=rule,
                verdict=verdict,
                reason=reason,
                compared={**compared, "user": getattr(by, "pk", None)},
                message_id=row.message_id,
                flow_id=row.message.flow_id,
            )
        ],
        now,
    )


# ── People ───────────────────────────────────────────────────────────────────────────────────────


def let_go_on(enrollment_id: int, now: datetime, *, by: Any = None) -> Answer:
    """Let a person who is held be moved on again, from the step where they stand."""
    held = Enrollment.objects.filter(pk=enrollment_id, state=EnrollmentState.HELD)
    with transaction.atomic(using=database_for(Enrollment)):
        if not held.update(state=EnrollmentState.ACTIVE, crashes=0, due_at=now):
            return Answer.NOT_OPEN
        _note_person(enrollment_id, "released", now, by)
    return Answer.DONE


def end(enrollment_id: int, now: datetime, *, by: Any = None) -> Answer:
    """Let a person who is held out of the flow; what was planned for them is cancelled."""
    if not Enrollment.objects.filter(pk=enrollment_id, state=EnrollmentState.HELD).exists():
        return Answer.NOT_OPEN
    ended = enrollments.exit_many(
        [enrollment_id],
        ExitReason.CANCELLED,
        now,
        rule=STAFF,
        compared={"user": getattr(by, "pk", None)},
    )
    return Answer.DONE if ended else Answer.NOT_OPEN


def _note_person(enrollment_id: int, verdict: str, now: datetime, by: Any) -> None:
    flow_id = Enrollment.objects.values_list("flow_id", flat=True).get(pk=enrollment_id)
    note_many(
        [
            Note(
                rule=STAFF,
                verdict=verdict,
                compared={"user": getattr(by, "pk", None)},
                enrollment_id=enrollment_id,
                flow_id=flow_id,
            )
        ],
        now,
    )
