"""Advancing: moving due enrollments on, step by step, until they wait or leave."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ..conf import triggers_settings
from ..exceptions import TriggersError
from ..models import (
    RUNNING,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
)
from ..models.sql import database_for, lease
from ..snapshots import Subject
from ..steps import Exit, Jump, Outcome, StepVisit, WaitUntil
from . import enrollments, faults, plans, worker
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

#: A flow that jumps without end is held after so many steps in one tick.
_MOST_STEPS = 50
_PAUSE_AFTER_ERROR = timedelta(minutes=5)


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
    not_live = f"(SELECT id FROM {Flow._meta.db_table} WHERE state NOT IN (%s, %s))"  # noqa: S608 - our own table
    return lease(
        Enrollment,
        where=f"state = %s AND due_at <= %s AND flow_id NOT IN {not_live} "
        f"AND (leased_until IS NULL OR leased_until < %s) AND {crashes}",
        params=[EnrollmentState.ACTIVE.value, now, *(state.value for state in RUNNING), now],
        order_by="lane, due_at, id",
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
        by_subject = enrollments.snapshots_of(moving)
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
        priority=plan.definition.priority,
        bundle=plan.definition.bundle,
        is_shadow=row.is_shadow,
    )


def _apply(row: Enrollment, plan: plans.Plan, outcome: Outcome, now: datetime) -> bool:
    """Write what a step decided; return whether the enrollment goes on in this tick."""
    if isinstance(outcome, Exit):
        if outcome.reason not in ExitReason.values:
            raise TriggersError(f"Step {row.step_key!r} ended with {outcome.reason!r}, no reason.")
        # What the steps before it planned was meant to be sent.
        enrollments.exit_many(
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
    assert not isinstance(outcome, Jump)  # Until flows can be left for others.
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
    enrollments.tell_ended(rows, ExitReason.COMPLETED)


def _leave_where_conditions_fail(rows: list[Enrollment], now: datetime) -> list[Enrollment]:
    staying = []
    by_version: dict[int, list[Enrollment]] = defaultdict(list)
    for row in rows:
        by_version[row.version_id].append(row)
    for group in by_version.values():
        plan = plans.plan_of(group[0].version)
        failed = enrollments.failed_stay_conditions(
            plan, list(enrollments.snapshots_of(group).values()), now
        )
        for row in group:
            if row.pk in failed:
                rule, compared = failed[row.pk]
                enrollments.exit_many(
                    [row.pk], ExitReason.CONDITION, now, rule=rule, compared=compared
                )
            else:
                staying.append(row)
    return staying
