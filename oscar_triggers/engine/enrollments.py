"""Enrollments: entering, moving on step by step, and leaving."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from .. import signals
from ..conf import triggers_settings
from ..exceptions import TriggersError
from ..models import (
    ContactPoint,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    Message,
    MessageState,
)
from ..models.sql import database_for, lease
from ..snapshots import About, Subject
from ..steps import Exit, Outcome, StepVisit, WaitUntil
from . import faults, incentives, plans, worker
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

UNFINISHED = (EnrollmentState.ACTIVE, EnrollmentState.HELD)
#: A flow that jumps without end is held after so many steps in one tick.
_MOST_STEPS = 50
_PAUSE_AFTER_ERROR = timedelta(minutes=5)

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


def subjects(ids: Iterable[int]) -> dict[int, Subject]:
    """Return snapshots of enrollments by id, in two queries."""
    rows = Enrollment.objects.filter(pk__in=list(ids)).select_related("contact", "flow")
    return snapshots_of(list(rows))


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
            entered_at=row.entered_at,
            clock_at=row.clock_at,
            payload=row.payload,
            watermarks=row.watermarks,
        )
        for row in rows
    }


def advance(now: datetime, *, limit: int | None = None) -> int:
    """Move a batch of due enrollments as far as they can go; return how many were looked at.

    Those whose worker died are moved one by one, after all others.
    """
    general = triggers_settings()
    ids = _lease_due(now, "crashes = 0", limit or general.batch_size)
    ids = ids or _lease_due(now, "crashes > 0", 1)
    if not ids:
        return 0
    rows = list(Enrollment.objects.filter(pk__in=ids))
    poisoned = [row for row in rows if row.crashes > general.max_crashes]
    _hold(poisoned, "crashed", {"crashes": general.max_crashes}, now)
    healthy = [row for row in rows if row not in poisoned]
    if healthy:
        _advance_rows(healthy, now)
    return len(ids)


def _lease_due(now: datetime, crashes: str, limit: int) -> list[int]:
    not_live = f"(SELECT id FROM {Flow._meta.db_table} WHERE state <> %s)"  # noqa: S608 - our own table
    return lease(
        Enrollment,
        where=f"state = %s AND due_at <= %s AND flow_id NOT IN {not_live} "
        f"AND (leased_until IS NULL OR leased_until < %s) AND {crashes}",
        params=[EnrollmentState.ACTIVE.value, now, FlowState.LIVE.value, now],
        order_by="due_at, id",
        owner=worker.name(),
        until=now + triggers_settings().lease_for,
        limit=limit,
        assignments="crashes = crashes + 1",
    )


def _advance_rows(rows: list[Enrollment], now: datetime) -> None:
    try:
        with transaction.atomic(using=database_for(Enrollment)):
            _walk(_locked(rows), now)
    except Exception as error:  # noqa: BLE001 - one step's bug must not stop the others
        said = faults.told(error)
        if len(rows) > 1:
            logger.error("Moving %d enrollments failed; trying each: %s", len(rows), said)
            for row in rows:
                _advance_rows([row], now)
            return
        logger.error("Enrollment %s cannot go on: %s", rows[0].pk, said)
        _set_aside(rows[0], error, now)


def _locked(rows: Sequence[Enrollment]) -> list[Enrollment]:
    """Return, as they are now, those that are still ours.

    Who ends one from now on waits for our commit, and finds the message that we planned.
    """
    return list(
        Enrollment.objects.select_for_update(of=("self",))
        .select_related("contact", "flow", "version")
        .filter(
            pk__in=[row.pk for row in rows],
            state=EnrollmentState.ACTIVE,
            lease_owner=rows[0].lease_owner,
        )
        .order_by("pk")
    )


def _set_aside(row: Enrollment, error: Exception, now: datetime) -> None:
    detail = str(error) if isinstance(error, TriggersError) else type(error).__name__
    if isinstance(error, TriggersError) or row.crashes >= triggers_settings().max_crashes:
        _hold([row], "broken_step", {"step": row.step_key, "error": detail}, now)
        return
    Enrollment.objects.filter(pk=row.pk).update(
        due_at=now + _PAUSE_AFTER_ERROR * row.crashes, leased_until=None, lease_owner=""
    )


def _hold(
    rows: Sequence[Enrollment], reason: str, compared: Mapping[str, Any], now: datetime
) -> None:
    for row in rows:
        Enrollment.objects.filter(pk=row.pk).update(
            state=EnrollmentState.HELD, leased_until=None, lease_owner=""
        )
        logger.error("Enrollment %s is held: %s (step %s).", row.pk, reason, row.step_key)
    note_many(
        [
            Note(
                rule="step",
                verdict="held",
                reason=reason,
                compared=compared,
                enrollment_id=row.pk,
                flow_id=row.flow_id,
            )
            for row in rows
        ],
        now,
    )


def _walk(rows: list[Enrollment], now: datetime) -> None:
    """Ask the steps of a batch, group by group, until everyone waits or has left."""
    moving = rows
    for _round in range(_MOST_STEPS):
        moving = _leave_where_conditions_fail(moving, now)
        if not moving:
            return
        by_subject = snapshots_of(moving)
        groups: dict[tuple[int, str], list[Enrollment]] = defaultdict(list)
        for row in moving:
            groups[row.version_id, row.step_key].append(row)
        moving = []
        for (_version, step_key), group in groups.items():
            plan = plans.plan_of(group[0].version)
            if not step_key:
                _finish(group, now)
                continue
            step = plan.step(step_key)
            visits = [_visit(row, by_subject[row.pk], plan) for row in group]
            outcomes = step.run_many(visits, now)
            for row, outcome in zip(group, outcomes, strict=True):
                if _apply(row, plan, outcome, now):
                    moving.append(row)
    for row in moving:
        raise TriggersError(f"Step {row.step_key!r} goes round in circles; change the flow.")


def _visit(row: Enrollment, subject: Subject, plan: plans.Plan) -> StepVisit:
    return StepVisit(
        subject=subject,
        step_key=row.step_key,
        pass_no=row.passes.get(row.step_key, 0),
        due_at=row.due_at or row.clock_at,
        stream=plan.definition.stream,
        topic=plan.definition.topic,
        max_lateness=plan.definition.max_lateness,
        on_doubt=plan.definition.on_doubt,
    )


def _apply(row: Enrollment, plan: plans.Plan, outcome: Outcome, now: datetime) -> bool:
    """Write what a step decided; return whether the enrollment goes on in this tick."""
    if isinstance(outcome, Exit):
        if outcome.reason not in ExitReason.values:
            raise TriggersError(f"Step {row.step_key!r} ended with {outcome.reason!r}, no reason.")
        # What the steps before it planned was meant to be sent.
        exit_many(
            [row.pk],
            outcome.reason,
            now,
            rule=row.step_key,
            compared=outcome.compared,
            cancel=False,
        )
        return False
    mine = Enrollment.objects.filter(pk=row.pk, lease_owner=row.lease_owner)
    if isinstance(outcome, WaitUntil):
        mine.update(
            due_at=outcome.moment,
            step_key=row.step_key,
            passes=row.passes,
            crashes=0,
            lease_owner="",
            leased_until=None,
        )
        return False
    if outcome.compared or outcome.branch:
        note_many(
            [
                Note(
                    rule=row.step_key,
                    verdict=outcome.branch or "advance",
                    compared=outcome.compared,
                    enrollment_id=row.pk,
                    flow_id=row.flow_id,
                )
            ],
            now,
        )
    row.passes = {**row.passes, row.step_key: row.passes.get(row.step_key, 0) + 1}
    row.step_key = plan.after(row.step_key, outcome.branch)
    mine.update(step_key=row.step_key, passes=row.passes)
    return True


def _finish(rows: Sequence[Enrollment], now: datetime) -> None:
    """End those who went through; messages still on their way leave as planned."""
    ids = [row.pk for row in rows]
    Enrollment.objects.filter(pk__in=ids).update(
        state=EnrollmentState.ENDED,
        exit_reason=ExitReason.COMPLETED,
        ended_at=now,
        due_at=None,
        step_key="",
        crashes=0,
        lease_owner="",
        leased_until=None,
    )
    _tell_ended(rows, ExitReason.COMPLETED)


def _leave_where_conditions_fail(rows: list[Enrollment], now: datetime) -> list[Enrollment]:
    staying = []
    by_version: dict[int, list[Enrollment]] = defaultdict(list)
    for row in rows:
        by_version[row.version_id].append(row)
    for group in by_version.values():
        plan = plans.plan_of(group[0].version)
        failed = failed_stay_conditions(plan, list(snapshots_of(group).values()), now)
        for row in group:
            if row.pk in failed:
                rule, compared = failed[row.pk]
                exit_many([row.pk], ExitReason.CONDITION, now, rule=rule, compared=compared)
            else:
                staying.append(row)
    return staying


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
    _tell_ended(rows, reason)
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


def _tell_ended(rows: Sequence[Enrollment], reason: str) -> None:
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
