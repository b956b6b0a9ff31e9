"""Enrollments: their snapshots, their clocks, and leaving."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
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
    MessageItem,
    MessageState,
)
from ..models.deadlocks import again_after_deadlock
from ..models.prepared import MOMENT, PreparedUpdate, Slot
from ..models.questions import Among, Question
from ..models.sql import database_for
from ..snapshots import About, Subject
from . import bundling, incentives, plans
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

#: SQLite takes 32,766 values in one statement.
_AT_ONCE = 1_000

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
    for contact_id, channel, normalised in _POINTS.ask(
        {"contacts": {row.contact_id for row in rows}}
    ):
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


_POINTS = Question(
    lambda: ContactPoint,
    lambda rows: rows.filter(Among("contact_id", "contacts")).values_list(
        "contact_id", "channel", "normalised"
    ),
)


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


def who_may_not_stay(rows: Sequence[Enrollment], now: datetime) -> dict[int, Leaving]:
    """Ask the conditions to stay of loaded enrollments (with contact, flow and version).

    Returns those for whom one fails, with the condition and what it compared.
    """
    by_version: dict[int, list[Enrollment]] = defaultdict(list)
    for row in rows:
        if plans.plan_of(row.version).definition.stay:
            by_version[row.version_id].append(row)
    leaving: dict[int, Leaving] = {}
    for group in by_version.values():
        people = list(snapshots_of(group).values())
        for pk, (rule, compared) in failed_stay_conditions(
            plans.plan_of(group[0].version), people, now
        ).items():
            leaving[pk] = Leaving(reason=ExitReason.CONDITION.value, rule=rule, compared=compared)
    return leaving


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Why one enrollment ends: one of ExitReason, the rule that said so, and what it compared.

    Without a rule, no decision is written.
    """

    reason: str
    rule: str = "exit"
    compared: Mapping[str, Any] = field(default_factory=dict)


def exit_many(
    ids: Sequence[int],
    reason: str,
    now: datetime,
    *,
    rule: str = "exit",
    compared: Mapping[str, Any] | None = None,
    cancel: bool = True,
) -> int:
    """End enrollments for one reason and cancel what they were still to send; return how many.

    Without `cancel`, messages on their way leave as planned.
    """
    leaving = Leaving(reason=str(reason), rule=rule, compared=compared or {})
    return exit_each(dict.fromkeys(ids, leaving), now, cancel=cancel)


def exit_each(leaving: Mapping[int, Leaving], now: datetime, *, cancel: bool = True) -> int:
    """End enrollments, each for a reason of its own, by id; return how many ended.

    The number of statements grows with the number of reasons, and with the thousands of people.
    """
    if not leaving:
        return 0
    if len(leaving) > _AT_ONCE:
        ids = sorted(leaving)
        with transaction.atomic(using=database_for(Enrollment)):
            return sum(
                exit_each(
                    {pk: leaving[pk] for pk in ids[start : start + _AT_ONCE]}, now, cancel=cancel
                )
                for start in range(0, len(ids), _AT_ONCE)
            )
    with transaction.atomic(using=database_for(Enrollment)):
        rows = list(
            Enrollment.objects.select_for_update()
            .filter(pk__in=list(leaving), state__in=UNFINISHED)
            .order_by("pk")
        )
        for reason, group in _by_reason(rows, leaving).items():
            Enrollment.objects.filter(pk__in=[row.pk for row in group]).update(
                state=EnrollmentState.ENDED,
                exit_reason=reason,
                ended_at=now,
                due_at=None,
                awaits="",
                crashes=0,
                lease_owner="",
                leased_until=None,
            )
        note_many(
            [
                Note(
                    rule=leaving[row.pk].rule,
                    verdict="exit",
                    reason=leaving[row.pk].reason,
                    compared=leaving[row.pk].compared,
                    enrollment_id=row.pk,
                    flow_id=row.flow_id,
                )
                for row in rows
                if leaving[row.pk].rule
            ],
            now,
        )
    if cancel:
        # Also for those that went through before: their last letter may still be waiting.
        last = _last_letters(set(leaving) - {row.pk for row in rows})
        by_reason: dict[str, list[int]] = defaultdict(list)
        for pk, one in leaving.items():
            by_reason[one.reason].append(pk)
        for reason, ids in by_reason.items():
            cancel_messages(ids, reason, now)
        _note_cancelled(last, leaving, now)
    for reason, group in _by_reason(rows, leaving).items():
        tell_ended(group, reason)
    return len(rows)


def _last_letters(ended_before: Collection[int]) -> list[MessageItem]:
    """Return what speaks for these in messages that still wait."""
    if not ended_before:
        return []
    return list(
        MessageItem.objects.filter(
            enrollment_id__in=ended_before, message__state=MessageState.PLANNED
        )
        .select_related("enrollment")
        .order_by("pk")
    )


def _note_cancelled(
    items: Sequence[MessageItem], leaving: Mapping[int, Leaving], now: datetime
) -> None:
    """Say why the last letters of those who went through before are not sent, or not for them."""
    if not items:
        return
    wait_on = set(
        MessageItem.objects.filter(
            pk__in=[item.pk for item in items], message__state=MessageState.PLANNED
        ).values_list("pk", flat=True)
    )
    note_many(
        [
            Note(
                rule=leaving[item.enrollment_id].rule or "exit",
                verdict="cancelled",
                reason=leaving[item.enrollment_id].reason,
                compared=leaving[item.enrollment_id].compared,
                message_id=item.message_id,
                enrollment_id=item.enrollment_id,
                flow_id=item.enrollment.flow_id,
            )
            for item in items
            if item.pk not in wait_on
        ],
        now,
    )


def _by_reason(
    rows: Sequence[Enrollment], leaving: Mapping[int, Leaving]
) -> dict[str, list[Enrollment]]:
    groups: dict[str, list[Enrollment]] = defaultdict(list)
    for row in rows:
        groups[leaving[row.pk].reason].append(row)
    return groups


def cancel_messages(enrollment_ids: Sequence[int], reason: str, now: datetime) -> None:
    """Cancel the messages of enrollments that were not handed over yet, and their promises.

    A message that speaks for others too goes on without them.
    """
    bundling.detach(enrollment_ids, now)
    planned = Message.objects.filter(
        items__enrollment_id__in=enrollment_ids, state=MessageState.PLANNED
    )
    cancel_planned(list(planned.values_list("pk", flat=True)), reason, now)
    incentives.revoke_untold(enrollment_ids, now)


def cancel_planned(message_ids: Sequence[int], reason: str, now: datetime) -> None:
    """Cancel those of these messages that were not handed over yet, and their promises.

    A dispatch that is leased is cancelled too: the statement that would mark it as `sending`
    asks for the leased state and finds none.
    """
    candidates = list(message_ids)
    if candidates:
        # A worker that hands over holds the letter before and asks for the next: in any order.
        again_after_deadlock(lambda: _cancel_planned(candidates, reason, now))


def _cancel_planned(candidates: Sequence[int], reason: str, now: datetime) -> None:
    waiting = (DispatchState.PLANNED, DispatchState.RETRY, DispatchState.LEASED)
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


def supersede_others(newest: Sequence[Enrollment], now: datetime) -> None:
    """End the other enrollments of these contacts in these flows: newer ones took their place.

    At most one enrollment of a contact in a flow may be given.
    """
    if not newest:
        return
    by_place = {(row.flow_id, row.contact_id): row for row in newest}
    others = (
        Enrollment.objects.filter(
            flow_id__in={flow_id for flow_id, _contact in by_place},
            contact_id__in={contact_id for _flow, contact_id in by_place},
            state__in=UNFINISHED,
        )
        .exclude(pk__in=[row.pk for row in newest])
        .values_list("pk", "flow_id", "contact_id")
    )
    exit_each(
        {
            pk: Leaving(
                reason=ExitReason.SUPERSEDED.value,
                rule="entry",
                compared={"newer_enrollment": by_place[flow_id, contact_id].pk},
            )
            for pk, flow_id, contact_id in others
            if (flow_id, contact_id) in by_place
        },
        now,
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
    if enrollment_ids:
        _restart(database_for(Enrollment)).run({"ids": enrollment_ids, "at": settled_at})


@cache
def _restart(alias: str) -> PreparedUpdate:
    at = Slot("at", MOMENT)
    rows = Enrollment.objects.using(alias).filter(
        Among("id", "ids"), state=EnrollmentState.ACTIVE, clock_at__lt=at
    )
    return PreparedUpdate(rows, {"clock_at": at, "due_at": at})


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
