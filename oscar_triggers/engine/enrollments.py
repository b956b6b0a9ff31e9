"""Enrollments: their snapshots, their clocks, and leaving."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from .. import signals
from ..models import (
    ContactPoint,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Message,
    MessageState,
)
from ..models.sql import database_for
from ..snapshots import About, Subject
from . import incentives, plans
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

UNFINISHED = (EnrollmentState.ACTIVE, EnrollmentState.HELD)

Watermark = Callable[[], int]
_watermarks: dict[str, Watermark] = {}


def watermark(name: str) -> Callable[[Watermark], Watermark]:
    """Have a number remembered with each new enrollment, as the highest order id of the moment."""

    def add(function: Watermark) -> Watermark:
        _watermarks[name] = function
        return function

    return add


def current_watermarks() -> dict[str, int]:
    """Return all registered watermarks as they are now."""
    return {name: function() for name, function in _watermarks.items()}


def snapshots_of(rows: Sequence[Enrollment]) -> dict[int, Subject]:
    """Return snapshots of loaded enrollments (with contact and flow) by id, in one query."""
    points: dict[tuple[int, str], list[str]] = defaultdict(list)
    for contact_id, channel, normalised in ContactPoint.objects.filter(
        contact_id__in={row.contact_id for row in rows}
    ).values_list("contact_id", "channel", "normalised"):
        points[contact_id, channel].append(normalised)
    return {
        row.pk: Subject(
            enrollment_id=row.pk,
            flow_id=row.flow_id,
            flow_key=row.flow.key,
            contact_id=row.contact_id,
            user_id=row.contact.user_id,
            emails=tuple(points.get((row.contact_id, "email"), ())),
            phones=tuple(points.get((row.contact_id, "sms"), ())),
            about=About(type=row.about_type, id=row.about_id),
            language=row.contact.language,
            time_zone=row.contact.time_zone,
            site_id=row.site_id if row.site_id is not None else row.contact.site_id,
            stream=plans.plan_of(row.version).definition.stream,
            is_shadow=row.is_shadow,
            entered_at=row.entered_at,
            clock_at=row.clock_at,
            payload=row.payload,
            watermarks=row.watermarks,
        )
        for row in rows
    }


def failed_stay_conditions(
    plan: plans.Plan, people: Sequence[Subject], now: datetime
) -> dict[int, tuple[str, Mapping[str, Any]]]:
    """Return {enrollment id: (condition kind, compared values)} of those who may not stay."""
    failed: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for condition in plan.stay:
        for person, verdict in zip(people, condition.holds_many(people, now), strict=True):
            if not verdict.holds and person.enrollment_id not in failed:
                failed[person.enrollment_id] = (condition.kind, verdict.compared)
    return failed


def exit_many(
    ids: Sequence[int],
    reason: str,
    now: datetime,
    *,
    rule: str = "exit",
    compared: Mapping[str, Any] | None = None,
    cancel: bool = True,
) -> int:
    """End enrollments and cancel what they were still to send; return how many ended.

    Without `cancel`, messages on their way leave as planned.
    """
    if not ids:
        return 0
    with transaction.atomic(using=database_for(Enrollment)):
        rows = list(
            Enrollment.objects.select_for_update()
            .filter(pk__in=ids, state__in=UNFINISHED)
            .order_by("pk")
        )
        open_ids = [row.pk for row in rows]
        Enrollment.objects.filter(pk__in=open_ids).update(
            state=EnrollmentState.ENDED,
            exit_reason=reason,
            ended_at=now,
            due_at=None,
            crashes=0,
            lease_owner="",
            leased_until=None,
        )
        note_many(
            [
                Note(
                    rule=rule,
                    verdict="exit",
                    reason=str(reason),
                    compared=compared or {},
                    enrollment_id=row.pk,
                    flow_id=row.flow_id,
                )
                for row in rows
            ],
            now,
        )
    # Also for those that went through before: their last letter may still be waiting.
    if cancel:
        cancel_messages(list(ids), str(reason), now)
    tell_ended(rows, reason)
    return len(rows)


def cancel_messages(enrollment_ids: Sequence[int], reason: str, now: datetime) -> None:
    """Cancel the messages of enrollments that were not handed over yet, and their promises."""
    planned = Message.objects.filter(
        items__enrollment_id__in=enrollment_ids, state=MessageState.PLANNED
    )
    cancel_planned(list(planned.values_list("pk", flat=True)), reason, now)


def cancel_planned(message_ids: Sequence[int], reason: str, now: datetime) -> None:
    """Cancel those of these messages that were not handed over yet, and their promises.

    A dispatch that is leased is cancelled too: the statement that would mark it as `sending`
    asks for the leased state and finds none.
    """
    waiting = (DispatchState.PLANNED, DispatchState.RETRY, DispatchState.LEASED)
    candidates = list(message_ids)
    if not candidates:
        return
    with transaction.atomic(using=database_for(Dispatch)):
        Dispatch.objects.filter(message_id__in=candidates, state__in=waiting).update(
            state=DispatchState.CANCELLED, reason=reason, settled_at=now, lease_owner=""
        )
        cancelled = list(
            Message.objects.filter(pk__in=candidates, state=MessageState.PLANNED)
            .exclude(
                dispatches__state__in=[
                    DispatchState.SENDING,
                    DispatchState.SENT,
                    DispatchState.UNKNOWN,
                ]
            )
            .values_list("pk", flat=True)
        )
        Message.objects.filter(pk__in=cancelled).update(
            state=MessageState.CANCELLED, reason=reason, settled_at=now
        )
        # What is being handed over right now is not tried again, should it fail.
        Message.objects.filter(pk__in=candidates, state=MessageState.PLANNED).update(reason=reason)
        incentives.revoke_all(cancelled, now)


def supersede_others(newest: Enrollment, now: datetime) -> None:
    """End the contact's other enrollments in the flow: a newer one took their place."""
    others = (
        Enrollment.objects.filter(
            flow_id=newest.flow_id, contact_id=newest.contact_id, state__in=UNFINISHED
        )
        .exclude(pk=newest.pk)
        .values_list("pk", flat=True)
    )
    exit_many(
        list(others),
        ExitReason.SUPERSEDED,
        now,
        rule="entry",
        compared={"newer_enrollment": newest.pk},
    )


def restart_clock(moments: Mapping[About, datetime], now: datetime) -> int:
    """Let waits count anew from what the shopper did to these things; return how many did."""
    restarted = 0
    for about, moment in moments.items():
        restarted += (
            Enrollment.objects.filter(
                Q(clock_at__lt=moment),
                about_type=about.type,
                about_id=about.id,
                state=EnrollmentState.ACTIVE,
            )
            # Asked again at once: its Wait works out the new end from the new clock.
            .update(clock_at=moment, due_at=now)
        )
    return restarted


def start_waits(enrollment_ids: Sequence[int], settled_at: datetime) -> None:
    """Let waits after a message count from its outcome instead of from its planning."""
    Enrollment.objects.filter(
        pk__in=enrollment_ids, state=EnrollmentState.ACTIVE, clock_at__lt=settled_at
    ).update(clock_at=settled_at, due_at=settled_at)


def tell_entered(row: Enrollment) -> None:
    """Send enrollment_entered once the entry is committed."""
    transaction.on_commit(
        lambda: signals.enrollment_entered.send_robust(
            sender=None, enrollment_id=row.pk, flow_id=row.flow_id, contact_id=row.contact_id
        ),
        using=database_for(Enrollment),
        robust=True,
    )


def tell_ended(rows: Sequence[Enrollment], reason: str) -> None:
    """Send enrollment_ended for each once the end is committed."""
    for row in rows:
        transaction.on_commit(
            lambda row=row: signals.enrollment_ended.send_robust(  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                sender=None,
                enrollment_id=row.pk,
                flow_id=row.flow_id,
                contact_id=row.contact_id,
                exit_reason=str(reason),
            ),
            using=database_for(Enrollment),
            robust=True,
        )
