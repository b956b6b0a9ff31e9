"""Jumping: leaving one flow for the beginning of another, about the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .. import events
from ..models import RUNNING, Enrollment, EnrollmentState, ExitReason, Flow, FlowState
from ..models.sql import insert_or_ignore
from ..policy import holdouts
from ..snapshots import Subject
from ..steps import Jump
from . import admission, enrollments, planning, plans
from .admission import Candidate, Refusal
from .decisions import Note, note_many
from .enrollments import Leaving


@dataclass(frozen=True, kw_only=True, eq=False)
class Leap:
    """One enrollment on its way into another flow."""

    row: Enrollment
    subject: Subject
    jump: Jump


def leap_many(leaps: Sequence[Leap], now: datetime) -> None:
    """End enrollments as moved, and begin new ones in the flows that they jump to.

    The new one has the same episode, so that a ring of flows ends where it would close: nobody
    is in a flow twice for one episode. The other flow's conditions to enter and its rule of
    coming again are asked. Where the other flow does not run, the enrollment ends as failed, and
    the decision says why. Letters on their way leave as planned.
    """
    if not leaps:
        return
    flows = {
        flow.key: flow
        for flow in Flow.objects.filter(
            key__in={leap.jump.flow_key for leap in leaps}
        ).select_related("live_version")
    }
    open_leaps = [leap for leap in leaps if _is_open(flows.get(leap.jump.flow_key), leap)]
    refused = _refused(open_leaps, flows, now)
    enrollments.exit_each(
        {leap.row.pk: _leaving(leap, flows.get(leap.jump.flow_key), refused) for leap in leaps},
        now,
        cancel=False,
    )
    _enroll([leap for leap in open_leaps if leap.row.pk not in refused], flows, now)


def _is_open(flow: Flow | None, leap: Leap) -> bool:
    return (
        flow is not None
        and flow.pk != leap.row.flow_id
        and flow.state in RUNNING
        and flow.live_version is not None
    )


def _refused(leaps: Sequence[Leap], flows: dict[str, Flow], now: datetime) -> dict[int, Refusal]:
    candidates = [
        Candidate(
            flow=flow,
            definition=plans.plan_of(_version(flow)).definition,
            subject=replace(leap.subject, flow_id=flow.pk, flow_key=flow.key, clock_at=now),
            episode_key=leap.row.episode_key,
            began_at=leap.row.entered_at,
        )
        for leap in leaps
        for flow in (flows[leap.jump.flow_key],)
    ]
    found = admission.refusals(candidates, now)
    return {leaps[index].row.pk: refusal for index, refusal in found.items()}


def _leaving(leap: Leap, flow: Flow | None, refused: dict[int, Refusal]) -> Leaving:
    compared: dict[str, Any] = {**leap.jump.compared, "flow": leap.jump.flow_key}
    reason = ExitReason.MOVED
    if not _is_open(flow, leap):
        reason = ExitReason.FAILED
        compared["state"] = flow.state if flow is not None else "not published"
    elif leap.row.pk in refused:
        refusal = refused[leap.row.pk]
        compared.update({"not_entered": refusal.reason, **refusal.compared})
    return Leaving(reason=reason.value, rule=leap.row.step_key, compared=compared)


def _enroll(leaps: Sequence[Leap], flows: dict[str, Flow], now: datetime) -> None:
    if not leaps:
        return
    there = _there(leaps, flows)
    insert_or_ignore(
        Enrollment,
        [_enrollment(leap, flows[leap.jump.flow_key], now) for leap in leaps],
        conflict=("flow", "contact", "episode_key"),
    )
    entered = _there(leaps, flows)
    notes = []
    begun: list[Enrollment] = []
    for leap in leaps:
        flow = flows[leap.jump.flow_key]
        place = (flow.pk, leap.row.contact_id, leap.row.episode_key)
        is_new = place not in there
        row = entered.get(place)
        notes.append(
            Note(
                rule="entry",
                verdict="entered" if is_new else "not_entered",
                reason="" if is_new else "already_in",
                compared={"from_enrollment": leap.row.pk, "from_step": leap.row.step_key},
                enrollment_id=row.pk if row is not None else None,
                flow_id=flow.pk,
            )
        )
        if is_new and row is not None:
            begun.append(row)
            there[place] = row
    note_many(notes, now)
    hold_out(begun, {flow.pk: flow for flow in flows.values()}, now)
    for row in begun:
        enrollments.tell_entered(row)
    single = {flow.pk for flow in flows.values() if _takes_one_at_a_time(flow)}
    newest = {(row.flow_id, row.contact_id): row for row in begun if row.flow_id in single}
    enrollments.supersede_others(list(newest.values()), now)


def _takes_one_at_a_time(flow: Flow) -> bool:
    """Say whether a newer event of its kind takes the place of the one before, as left baskets do."""
    kind = flow.trigger_kind
    return kind in events.registry and events.registry.get(kind).one_at_a_time


def hold_out(begun: Sequence[Enrollment], flows: dict[int, Flow], now: datetime) -> None:
    """Say of each new enrollment whether its contact is kept without messages, for comparison."""
    for flow_id, flow in flows.items():
        people = {row.contact_id for row in begun if row.flow_id == flow_id}
        if not people or flow.live_version is None:
            continue
        percent = plans.plan_of(flow.live_version).definition.holdout
        if percent:
            holdouts.arms_of(
                [
                    holdouts.Draw(flow_id=flow_id, contact_id=pk, percent=percent)
                    for pk in sorted(people)
                ],
                now,
            )


def _there(leaps: Sequence[Leap], flows: dict[str, Flow]) -> dict[tuple[int, int, str], Enrollment]:
    return {
        (row.flow_id, row.contact_id, row.episode_key): row
        for row in Enrollment.objects.filter(
            flow_id__in={flows[leap.jump.flow_key].pk for leap in leaps},
            contact_id__in={leap.row.contact_id for leap in leaps},
            episode_key__in={leap.row.episode_key for leap in leaps},
        )
    }


def _enrollment(leap: Leap, flow: Flow, now: datetime) -> dict[str, Any]:
    row, version = leap.row, _version(flow)
    plan = plans.plan_of(version)
    return {
        "flow_id": flow.pk,
        "version_id": version.pk,
        "contact_id": row.contact_id,
        "episode_key": row.episode_key,
        "about_type": row.about_type,
        "about_id": row.about_id,
        "state": EnrollmentState.ACTIVE,
        "step_key": plan.first,
        "due_at": now,
        "arrived_at": now,
        # Its first wait begins here, not where the other flow began.
        "clock_at": now,
        "entered_at": now,
        "payload": row.payload,
        # What was ordered since the person entered the first flow counts.
        "watermarks": row.watermarks,
        "site_id": row.site_id,
        "lane": planning.lane_of(plan.definition.stream),
        "is_shadow": row.is_shadow or flow.state == FlowState.SHADOW,
        "journal_entry_id": row.journal_entry_id,
    }


def _version(flow: Flow) -> Any:
    return flow.live_version
