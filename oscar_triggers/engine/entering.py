"""Entering: who enters a flow on an event, and why others do not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..definitions import FlowDefinition
from ..events import TriggerOptions
from ..exceptions import TriggersError
from ..kinds import shortened
from ..models import RUNNING, Enrollment, EnrollmentState, Flow, FlowState
from ..models.sql import insert_or_ignore
from ..snapshots import About, Subject
from . import admission, enrollments, jumping, planning, plans, waking
from .admission import Candidate
from .decisions import Note, note_many
from .intake import Routed

logger = logging.getLogger(__name__)

_EPISODE_KEY_LENGTH = 120


@dataclass(frozen=True, kw_only=True, eq=False)
class _Comer(Candidate):
    """Someone whom an event brings."""

    entry: Routed


def enter_flows(routed: Sequence[Routed], now: datetime) -> None:
    """Enroll the contacts of these events in the live flows that listen to them."""
    kinds = {one.event.kind for one in routed if one.event.can_trigger}
    if not kinds:
        return
    listeners = list(
        Flow.objects.filter(
            state__in=(*RUNNING, FlowState.PAUSED),
            trigger_kind__in=kinds,
            live_version__isnull=False,
        ).select_related("live_version")
    )
    notes: list[Note] = []
    candidates: list[_Comer] = []
    for flow in listeners:
        listening = [one for one in routed if one.event.kind == flow.trigger_kind]
        try:
            definition, options = _read(flow)
        except TriggersError as error:
            logger.error("The flow %s takes nobody in: %s", flow.key, error)
            compared = {"error": str(error)}
            notes += [_not_entered(one, flow, "broken_flow", compared) for one in listening]
            continue
        for one in listening:
            if not one.event.starts(options):
                continue
            refusal = _refusal(one, flow, definition, now)
            if refusal is not None:
                notes.append(refusal)
                continue
            candidates.append(
                _Comer(
                    entry=one,
                    flow=flow,
                    definition=definition,
                    subject=_subject(one, flow, definition),
                    episode_key=shortened(one.event.episode_key(one.about), _EPISODE_KEY_LENGTH),
                    began_at=one.occurred_at,
                )
            )
    refused = admission.refusals(candidates, now)
    for index, why in refused.items():
        comer = candidates[index]
        notes.append(_not_entered(comer.entry, comer.flow, why.reason, dict(why.compared)))
    begun = _enroll(
        [one for index, one in enumerate(candidates) if index not in refused], notes, now
    )
    note_many(notes, now)
    waking.catch_up(begun, routed, now)


def _read(flow: Flow) -> tuple[FlowDefinition, TriggerOptions]:
    """Read a live flow; raises TriggersError where an app that it needs is gone."""
    definition = plans.plan_of(_version(flow)).definition
    _event_class, options = definition.trigger_event()
    return definition, options


def _version(flow: Flow) -> Any:
    return flow.live_version


def _refusal(one: Routed, flow: Flow, definition: FlowDefinition, now: datetime) -> Note | None:
    if one.contact_id is None:
        return _not_entered(one, flow, "unknown_person", {})
    if flow.state == FlowState.PAUSED:
        return _not_entered(
            one, flow, "paused", {"happened_at": one.occurred_at, "paused_at": flow.paused_at}
        )
    since = flow.active_since
    if since is not None and one.occurred_at < since and not definition.include_waiting:
        return _not_entered(
            one,
            flow,
            "before_activation",
            {"happened_at": one.occurred_at, "active_since": since},
        )
    oldest = definition.max_age
    if oldest is not None and now - one.occurred_at > oldest:
        return _not_entered(
            one,
            flow,
            "too_old",
            {"happened_at": one.occurred_at, "now": now, "max_age": oldest},
        )
    if one.event.is_timely and now - one.occurred_at > definition.max_lateness:
        return _not_entered(
            one,
            flow,
            "too_late",
            {
                "happened_at": one.occurred_at,
                "now": now,
                "max_lateness": definition.max_lateness,
            },
        )
    return None


def _not_entered(one: Routed, flow: Flow, reason: str, compared: dict[str, Any]) -> Note:
    return Note(
        rule="entry",
        verdict="not_entered",
        reason=reason,
        compared=compared,
        journal_entry_id=one.entry_id,
        flow_id=flow.pk,
    )


def _subject(one: Routed, flow: Flow, definition: FlowDefinition) -> Subject:
    personal = one.event.personal_fields
    payload = {k: v for k, v in one.event.to_options().items() if k not in personal}
    return Subject(
        enrollment_id=0,
        flow_id=flow.pk,
        flow_key=flow.key,
        contact_id=one.contact_id or 0,
        user_id=one.person.user_id,
        about=one.about or About(type="", id=""),
        language=one.person.language,
        time_zone=one.person.time_zone,
        site_id=one.site_id,
        stream=definition.stream,
        is_shadow=flow.state == FlowState.SHADOW,
        entered_at=one.occurred_at,
        clock_at=one.occurred_at,
        payload=payload,
    )


def _enroll(candidates: list[_Comer], notes: list[Note], now: datetime) -> list[Enrollment]:
    """Begin an enrollment for each whose episode is new; return those that began."""
    if not candidates:
        return []
    watermarks = enrollments.current_watermarks()
    rows = []
    for candidate in candidates:
        one, about = candidate.entry, candidate.entry.about
        rows.append(
            {
                "flow_id": candidate.flow.pk,
                "version_id": candidate.flow.live_version_id,
                "contact_id": one.contact_id,
                "episode_key": candidate.episode_key,
                "about_type": about.type if about else "",
                "about_id": about.id if about else "",
                "state": EnrollmentState.ACTIVE,
                "step_key": plans.plan_of(_version(candidate.flow)).first,
                "due_at": min(one.occurred_at, now) if one.event.counts_from_act else now,
                # What they wait for may have happened before the tick let them in.
                "arrived_at": min(one.occurred_at, now),
                "clock_at": one.occurred_at,
                "entered_at": now,
                "payload": dict(candidate.subject.payload),
                "watermarks": watermarks,
                "site_id": one.site_id,
                "lane": planning.lane_of(candidate.definition.stream),
                "is_shadow": candidate.flow.state == FlowState.SHADOW,
                "journal_entry_id": one.entry_id,
            }
        )
    insert_or_ignore(Enrollment, rows, conflict=("flow", "contact", "episode_key"))
    entered = {
        (e.flow_id, e.journal_entry_id): e
        for e in Enrollment.objects.select_related("version", "journal_entry")
        .defer("version__definition")
        .filter(journal_entry_id__in={c.entry.entry_id for c in candidates})
    }
    newest: dict[tuple[int, int], Enrollment] = {}
    begun: list[Enrollment] = []
    for candidate in sorted(candidates, key=lambda c: (c.entry.occurred_at, c.entry.entry_id)):
        enrollment = entered.get((candidate.flow.pk, candidate.entry.entry_id))
        if enrollment is None:
            notes.append(_not_entered(candidate.entry, candidate.flow, "already_in", {}))
            continue
        notes.append(
            Note(
                rule="entry",
                verdict="entered",
                compared={
                    "event": candidate.entry.event.kind,
                    "happened_at": candidate.entry.occurred_at,
                    "active_since": candidate.flow.active_since,
                    **candidate.subject.payload,
                },
                enrollment_id=enrollment.pk,
                journal_entry_id=candidate.entry.entry_id,
                flow_id=candidate.flow.pk,
            )
        )
        if candidate.entry.event.one_at_a_time:
            newest[enrollment.flow_id, enrollment.contact_id] = enrollment
        begun.append(enrollment)
    jumping.hold_out(begun, {one.flow.pk: one.flow for one in candidates}, now)
    for enrollment in begun:
        enrollments.tell_entered(enrollment)
    enrollments.supersede_others(list(newest.values()), now)
    return begun
