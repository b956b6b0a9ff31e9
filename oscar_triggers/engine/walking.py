"""Walking: asking the steps of leased enrollments, until everyone waits or has left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .. import events
from ..conf import triggers_settings
from ..exceptions import TriggersError
from ..models import Enrollment, EnrollmentState, ExitReason
from ..models.bulk import update_each
from ..snapshots import Subject
from ..steps import Advance, Exit, Jump, Outcome, Step, StepVisit, WaitUntil, Woken
from . import enrollments, incentives, jumping, plans, splitting
from .decisions import Note, note_many
from .enrollments import Leaving

#: A flow that goes on without end is held after so many steps in one tick.
_MOST_STEPS = 50
#: Decision.rule of those who were taken up too late.
LATENESS = "lateness"
_WRITTEN = (
    "step_key",
    "passes",
    "due_at",
    "arrived_at",
    "awaits",
    "woken_by",
    "crashes",
    "lease_owner",
    "leased_until",
)


@dataclass(kw_only=True)
class _Round:
    """What the steps of one round decided, to be written together."""

    moving: list[Enrollment] = field(default_factory=list)
    resting: list[Enrollment] = field(default_factory=list)
    leaving: list[Enrollment] = field(default_factory=list)
    finished: dict[int, Leaving] = field(default_factory=dict)
    missed: dict[int, Leaving] = field(default_factory=dict)
    jumps: list[jumping.Leap] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def walk(rows: list[Enrollment], now: datetime) -> None:
    """Move locked enrollments on, group by group, in the caller's transaction.

    The number of statements grows with the length of the flow, not with the number of people.
    Raises TriggersError where a flow goes round in circles, and whatever a step raises.
    """
    moving = rows
    resting: list[Enrollment] = []
    for _round in range(_MOST_STEPS):
        moving = _leave_where_conditions_fail(moving, now)
        if not moving:
            break
        done = _ask_all(moving, now)
        update_each(done.leaving, ("step_key", "passes"))
        # What the steps before it planned was meant to be sent: nothing is cancelled.
        enrollments.exit_each({**done.finished, **done.missed}, now, cancel=False)
        note_many(done.notes, now)
        jumping.leap_many(done.jumps, now)
        # Of a voucher that none of these letters told, and none will tell now, nobody knows.
        gone = [*done.finished, *done.missed, *(leap.row.pk for leap in done.jumps)]
        incentives.revoke_untold(gone, now)
        resting += done.resting
        moving = _still_on_the_way(done.moving) if done.jumps else done.moving
    for row in moving:
        raise TriggersError(f"Step {row.step_key!r} goes round in circles; change the flow.")
    # Not those that one of the steps ended meanwhile.
    update_each(resting, _WRITTEN, where="state = 'active'")


def _still_on_the_way(rows: Sequence[Enrollment]) -> list[Enrollment]:
    """Leave out those whose place somebody took who just jumped into their flow."""
    active = Enrollment.objects.filter(
        pk__in=[row.pk for row in rows], state=EnrollmentState.ACTIVE
    )
    left = set(active.values_list("pk", flat=True))
    return [row for row in rows if row.pk in left]


def _ask_all(moving: Sequence[Enrollment], now: datetime) -> _Round:
    done = _Round()
    subjects = enrollments.snapshots_of(moving)
    groups: dict[tuple[int, str], list[Enrollment]] = defaultdict(list)
    for row in moving:
        _pass_what_was_taken(row, done)
        groups[row.version_id, row.step_key].append(row)
    for (_version, step_key), group in groups.items():
        plan = plans.plan_of(group[0].version)
        if not step_key:
            # The row itself says so: no verdict is kept for everybody who went through.
            went_through = Leaving(reason=ExitReason.COMPLETED.value, rule="")
            done.finished.update({row.pk: went_through for row in group})
            done.leaving += group
            continue
        step = plan.step(step_key)
        on_time = _miss_the_late(group, plan, step, done, now)
        if not on_time:
            continue
        variants = _variants(on_time, plan)
        visits = [
            _visit(row, subjects[row.pk], plan, variants.get(row.contact_id, {})) for row in on_time
        ]
        outcomes = step.run_many(visits, now)
        for row, visit, outcome in zip(on_time, visits, outcomes, strict=True):
            _apply(row, visit, plan, outcome, done, now)
    return done


def _pass_what_was_taken(row: Enrollment, done: _Round) -> None:
    """Pass the steps that someone took in a version before this one, with all their branches."""
    if not row.skips:
        return
    plan = plans.plan_of(row.version)
    taken = set(row.skips)
    while row.step_key in taken:
        done.notes.append(
            Note(
                rule=row.step_key,
                verdict="passed",
                reason="taken_before",
                enrollment_id=row.pk,
                flow_id=row.flow_id,
            )
        )
        row.step_key = plan.after(row.step_key)


def _miss_the_late(
    group: Sequence[Enrollment], plan: plans.Plan, step: Step, done: _Round, now: datetime
) -> list[Enrollment]:
    """Let those leave who should have come here too long ago; return the others.

    So a flow that was paused, or an engine that stood still, floods nobody when it goes on. A
    step that waits is asked all the same: its wait may not be over yet.
    """
    if step.is_wait:
        return list(group)
    lateness = plan.definition.max_lateness
    on_time = []
    for row in group:
        if row.due_at is not None and now > row.due_at + lateness:
            compared = {
                "step": row.step_key,
                "due_at": row.due_at,
                "now": now,
                "max_lateness": lateness,
            }
            done.leaving.append(row)
            done.missed[row.pk] = Leaving(
                reason=ExitReason.MISSED.value, rule=LATENESS, compared=compared
            )
        else:
            on_time.append(row)
    return on_time


def _variants(group: Sequence[Enrollment], plan: plans.Plan) -> dict[int, dict[str, str]]:
    names = [step.key for step, *_rest in plan.definition.walk() if step.kind == "split"]
    taken = [name for name in names if any(name in row.passes for row in group)]
    return splitting.variants_of(group[0].flow_id, [row.contact_id for row in group], taken)


def _visit(
    row: Enrollment, subject: Subject, plan: plans.Plan, variants: dict[str, str]
) -> StepVisit:
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
        lane=row.lane,
        woken_by=_woken(row),
        arrived_at=row.arrived_at or row.entered_at,
        variants={name: arm for name, arm in variants.items() if name in row.passes},
    )


def _woken(row: Enrollment) -> Woken | None:
    entry = row.woken_by
    if entry is None:
        return None
    personal = (
        events.registry.get(entry.kind).personal_fields
        if entry.kind in events.registry
        else frozenset(entry.payload)
    )
    return Woken(
        kind=entry.kind,
        payload={name: value for name, value in entry.payload.items() if name not in personal},
        occurred_at=entry.occurred_at,
    )


def _apply(
    row: Enrollment,
    visit: StepVisit,
    plan: plans.Plan,
    outcome: Outcome,
    done: _Round,
    now: datetime,
) -> None:
    """Note what a step decided for one enrollment."""
    if isinstance(outcome, Exit):
        if outcome.reason not in ExitReason.values:
            raise TriggersError(f"Step {row.step_key!r} ended with {outcome.reason!r}, no reason.")
        done.leaving.append(row)
        done.finished[row.pk] = Leaving(
            reason=outcome.reason, rule=row.step_key, compared=outcome.compared
        )
    elif isinstance(outcome, Jump):
        done.leaving.append(row)
        done.jumps.append(jumping.Leap(row=row, subject=visit.subject, jump=outcome))
    elif isinstance(outcome, WaitUntil):
        # A step that wants to be asked in the past is asked by the next tick.
        row.due_at = max(outcome.moment, now + triggers_settings().tick_every)
        row.awaits = outcome.event
        _rest(row)
        done.resting.append(row)
    else:
        _go_on(row, plan, outcome, done, now)


def _go_on(
    row: Enrollment, plan: plans.Plan, outcome: Advance, done: _Round, now: datetime
) -> None:
    if outcome.compared or outcome.branch:
        done.notes.append(
            Note(
                rule=row.step_key,
                verdict=outcome.branch or "advance",
                compared=outcome.compared,
                enrollment_id=row.pk,
                flow_id=row.flow_id,
            )
        )
    row.passes = {**row.passes, row.step_key: row.passes.get(row.step_key, 0) + 1}
    row.step_key = plan.after(row.step_key, outcome.branch)
    row.due_at = outcome.due_at or row.due_at or now
    # Not later than now, and not so late as the engine was: waits count from what was meant.
    row.arrived_at = min(now, row.due_at)
    row.awaits = ""
    row.woken_by = None
    done.moving.append(row)


def _rest(row: Enrollment) -> None:
    row.woken_by = None
    row.crashes = 0
    row.lease_owner = ""
    row.leased_until = None


def _leave_where_conditions_fail(rows: list[Enrollment], now: datetime) -> list[Enrollment]:
    leaving = enrollments.who_may_not_stay(rows, now)
    enrollments.exit_each(leaving, now)
    return [row for row in rows if row.pk not in leaving]
