"""Who enters a flow on an event, and who has reached a flow's goal."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from .. import conditions
from ..definitions import FlowDefinition
from ..events import TriggerOptions
from ..exceptions import TriggersError
from ..kinds import shortened
from ..models import (
    RUNNING,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    FlowVersion,
    MessageState,
)
from ..models.sql import database_for, insert_or_ignore
from ..snapshots import About, Subject, Verdict
from . import contacts, enrollments, planning, plans
from .decisions import Note, note_many
from .intake import Routed

logger = logging.getLogger(__name__)

_EPISODE_KEY_LENGTH = 120


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    entry: Routed
    flow: Flow
    definition: FlowDefinition
    subject: Subject


def reach_goals(routed: Sequence[Routed], now: datetime) -> None:
    """End the enrollments whose goal is one of these events, about the same thing or person.

    The goals are those of the version that someone entered with.
    """
    versions = _versions_by_goal()
    for one in routed:
        version_ids = versions.get(one.event.kind)
        if not version_ids:
            continue
        people = contacts.same_person_ids(one.person)
        if one.contact_id is not None:
            people.add(one.contact_id)
        concerned = Q(contact_id__in=people)
        for about in (one.about, *one.event.concerns()):
            if about is not None:
                concerned |= Q(about_type=about.type, about_id=about.id)
        # Who went through but whose last letter still waits has reached the goal too.
        unfinished = Q(state__in=enrollments.UNFINISHED) | Q(
            message_items__message__state=MessageState.PLANNED
        )
        ids = (
            Enrollment.objects.filter(concerned, unfinished, version_id__in=version_ids)
            .values_list("pk", flat=True)
            .distinct()
        )
        enrollments.exit_many(
            list(ids),
            ExitReason.GOAL,
            now,
            rule=one.event.kind,
            compared={
                "event": one.event.kind,
                "about": str(one.about or ""),
                "at": one.occurred_at,
            },
        )


def _versions_by_goal() -> dict[str, list[int]]:
    versions: dict[str, list[int]] = defaultdict(list)
    for pk, goals in FlowVersion.objects.values_list("pk", "definition__goals"):
        for goal in goals or ():
            versions[goal].append(pk)
    return versions


def enter_flows(routed: Sequence[Routed], now: datetime) -> None:
    """Enroll the contacts of these events in the live flows that listen to them."""
    kinds = {one.event.kind for one in routed if one.event.can_trigger}
    if not kinds:
        return
    live = list(
        Flow.objects.filter(
            state__in=RUNNING, trigger_kind__in=kinds, live_version__isnull=False
        ).select_related("live_version")
    )
    notes: list[Note] = []
    candidates: list[_Candidate] = []
    for flow in live:
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
            refusal = _refusal(one, flow, definition)
            if refusal is not None:
                notes.append(refusal)
                continue
            candidates.append(
                _Candidate(entry=one, flow=flow, definition=definition, subject=_subject(one, flow))
            )
    admitted = _meet_entry_conditions(candidates, notes, now)
    _enroll(admitted, notes, now)
    note_many(notes, now)


def _read(flow: Flow) -> tuple[FlowDefinition, TriggerOptions]:
    """Read a live flow; raises TriggersError where an app that it needs is gone."""
    definition = plans.plan_of(_version(flow)).definition
    _event_class, options = definition.trigger_event()
    return definition, options


def _version(flow: Flow) -> Any:
    return flow.live_version


def _refusal(one: Routed, flow: Flow, definition: FlowDefinition) -> Note | None:
    if one.contact_id is None:
        return _not_entered(one, flow, "unknown_person", {})
    since = flow.active_since
    if since is not None and one.occurred_at < since and not definition.include_waiting:
        return _not_entered(
            one,
            flow,
            "before_activation",
            {"happened_at": one.occurred_at, "active_since": since},
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


def _subject(one: Routed, flow: Flow) -> Subject:
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
        entered_at=one.occurred_at,
        clock_at=one.occurred_at,
        payload=payload,
    )


def _meet_entry_conditions(
    candidates: list[_Candidate], notes: list[Note], now: datetime
) -> list[_Candidate]:
    admitted = []
    by_flow: dict[int, list[_Candidate]] = {}
    for candidate in candidates:
        by_flow.setdefault(candidate.flow.pk, []).append(candidate)
    for group in by_flow.values():
        for data in group[0].definition.entry:
            try:
                condition, verdicts = _ask(data, [c.subject for c in group], now)
            except Exception as error:  # noqa: BLE001 - one flow's condition must not stop the others
                said = str(error) if isinstance(error, TriggersError) else type(error).__name__
                logger.error("A condition of the flow %s fails: %s", group[0].flow.key, said)
                compared = {"condition": data.get("kind"), "error": said}
                notes += [
                    _not_entered(c.entry, c.flow, "broken_condition", compared) for c in group
                ]
                group = []
                break
            kept = []
            for candidate, verdict in zip(group, verdicts, strict=True):
                if verdict.holds:
                    kept.append(candidate)
                else:
                    notes.append(
                        _not_entered(
                            candidate.entry,
                            candidate.flow,
                            condition.kind,
                            dict(verdict.compared),
                        )
                    )
            group = kept
        admitted += group
    return admitted


def _ask(
    data: Any, subjects: Sequence[Subject], now: datetime
) -> tuple[conditions.Condition, list[Verdict]]:
    condition = conditions.from_options(data)
    # A savepoint: what fails in the database must not spoil the transaction of the others.
    with transaction.atomic(using=database_for(Enrollment)):
        return condition, condition.holds_many(subjects, now)


def _enroll(candidates: list[_Candidate], notes: list[Note], now: datetime) -> None:
    if not candidates:
        return
    watermarks = enrollments.current_watermarks()
    rows = []
    for candidate in candidates:
        one, about = candidate.entry, candidate.entry.about
        rows.append(
            {
                "flow_id": candidate.flow.pk,
                "version_id": candidate.flow.live_version_id,
                "contact_id": one.contact_id,
                "episode_key": shortened(one.event.episode_key(about), _EPISODE_KEY_LENGTH),
                "about_type": about.type if about else "",
                "about_id": about.id if about else "",
                "state": EnrollmentState.ACTIVE,
                "step_key": plans.plan_of(_version(candidate.flow)).first,
                "due_at": now,
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
        for e in Enrollment.objects.filter(
            journal_entry_id__in={c.entry.entry_id for c in candidates}
        )
    }
    newest: dict[tuple[int, int], Enrollment] = {}
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
        enrollments.tell_entered(enrollment)
    for enrollment in newest.values():
        enrollments.supersede_others(enrollment, now)
