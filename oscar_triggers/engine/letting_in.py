"""Letting in: a person comes into a flow because staff want it, where the flow's rules allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from .. import events
from ..definitions import FlowDefinition
from ..exceptions import TriggersError
from ..kinds import shortened
from ..models import (
    RUNNING,
    Contact,
    ContactPoint,
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    JournalEntry,
)
from ..models.sql import database_for, insert_or_ignore
from ..snapshots import About, Subject
from . import admission, contacts, enrollments, jumping, planning, plans
from .admission import Candidate
from .decisions import Note, note_many
from .resolving import STAFF

#: Nothing of the flow's kind happened to them, and the flow is about such a thing.
NOTHING_HAPPENED = "nothing_happened"
_EPISODE_KEY_LENGTH = 120
#: So many events are looked through for one that the flow listens to.
_MOST_EVENTS = 50
_NONE = About(type="", id="")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of it: the way that began, or why none did."""

    enrollment_id: int | None = None
    reason: str = ""
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Occasion:
    """What the way is about: the newest act of the flow's kind, or the person alone."""

    about: About
    episode_key: str
    began_at: datetime
    payload: Mapping[str, Any]
    entry: JournalEntry | None


def let_in(contact: Contact, flow: Flow, now: datetime, *, by: Any) -> Entry:
    """Enroll a contact in a running flow by hand, now.

    A flow about a basket, an order, a product is about the newest one for which its event
    happened to the person. Its conditions to enter, its oldest age and its rule of coming again
    are asked; that it happened before the flow was switched on does not matter.
    """
    if flow.state == FlowState.PAUSED:
        return Entry(reason="paused", compared={"paused_at": flow.paused_at})
    if flow.state not in RUNNING or flow.live_version is None:
        return Entry(reason="switched_off")
    try:
        definition = plans.plan_of(flow.live_version).definition
        occasion = _occasion(contact, flow, definition, now)
    except TriggersError as error:
        return Entry(reason="broken_flow", compared={"error": str(error)})
    if occasion is None:
        label = str(events.registry.get(flow.trigger_kind).label or flow.trigger_kind)
        return Entry(reason=NOTHING_HAPPENED, compared={"event": label})
    oldest = definition.max_age
    if oldest is not None and now - occasion.began_at > oldest:
        return Entry(
            reason="too_old",
            compared={"happened_at": occasion.began_at, "now": now, "max_age": oldest},
        )
    with transaction.atomic(using=database_for(Enrollment)):
        contacts.hold({contact.pk})
        candidate = Candidate(
            flow=flow,
            definition=definition,
            subject=_subject(contact, flow, definition, occasion, now),
            episode_key=occasion.episode_key,
            began_at=now,
        )
        refused = admission.refusals([candidate], now).get(0)
        if refused is not None:
            return Entry(reason=refused.reason, compared=refused.compared)
        return _enroll(candidate, occasion, now, by)


def _occasion(
    contact: Contact, flow: Flow, definition: FlowDefinition, now: datetime
) -> _Occasion | None:
    event_class, options = definition.trigger_event()
    rows = JournalEntry.objects.filter(contact=contact, kind=event_class.kind)
    for row in rows.order_by("-occurred_at", "-pk")[:_MOST_EVENTS]:
        event = events.from_payload(row.kind, row.payload)
        if not event.starts(options):
            continue
        about = About(type=row.about_type, id=row.about_id) if row.about_type else None
        personal = event.personal_fields
        return _Occasion(
            about=about or _NONE,
            episode_key=shortened(event.episode_key(about), _EPISODE_KEY_LENGTH),
            began_at=row.occurred_at,
            payload={k: v for k, v in event.to_options().items() if k not in personal},
            entry=row,
        )
    if event_class.about_type:
        return None
    # A day has one: a button that is pressed twice lets nobody in twice.
    return _Occasion(
        about=_NONE,
        episode_key=f"{STAFF}:{now:%Y-%m-%d}",
        began_at=now,
        payload={},
        entry=None,
    )


def _subject(
    contact: Contact, flow: Flow, definition: FlowDefinition, occasion: _Occasion, now: datetime
) -> Subject:
    points = list(ContactPoint.objects.filter(contact=contact))
    return Subject(
        enrollment_id=0,
        flow_id=flow.pk,
        flow_key=flow.key,
        contact_id=contact.pk,
        user_id=contact.user_id,
        emails=tuple(point.normalised for point in points if point.channel == "email"),
        phones=tuple(point.normalised for point in points if point.channel == "sms"),
        about=occasion.about,
        language=contact.language,
        time_zone=contact.time_zone,
        site_id=contact.site_id,
        stream=definition.stream,
        is_shadow=flow.state == FlowState.SHADOW,
        entered_at=now,
        clock_at=now,
        payload=occasion.payload,
    )


def _enroll(candidate: Candidate, occasion: _Occasion, now: datetime, by: Any) -> Entry:
    flow, subject = candidate.flow, candidate.subject
    version = flow.live_version
    assert version is not None
    place = {
        "flow_id": flow.pk,
        "contact_id": subject.contact_id,
        "episode_key": candidate.episode_key,
    }
    there = Enrollment.objects.filter(**place).first()
    if there is not None:
        return Entry(reason="already_in", compared={"entered_before_at": there.entered_at})
    site_id = occasion.entry.site_id if occasion.entry is not None else None
    row = {
        **place,
        "version_id": version.pk,
        "about_type": occasion.about.type,
        "about_id": occasion.about.id,
        "state": EnrollmentState.ACTIVE,
        "step_key": plans.plan_of(version).first,
        "due_at": now,
        "arrived_at": now,
        "clock_at": now,
        "entered_at": now,
        "payload": dict(occasion.payload),
        "watermarks": enrollments.current_watermarks(),
        "site_id": site_id if site_id is not None else subject.site_id,
        "lane": planning.lane_of(candidate.definition.stream),
        "is_shadow": subject.is_shadow,
        "journal_entry_id": occasion.entry.pk if occasion.entry is not None else None,
    }
    insert_or_ignore(Enrollment, [row], conflict=("flow", "contact", "episode_key"))
    begun = Enrollment.objects.get(**place)
    note_many(
        [
            Note(
                rule=STAFF,
                verdict="entered",
                compared={
                    "user": getattr(by, "pk", None),
                    "event": flow.trigger_kind,
                    "happened_at": occasion.began_at,
                },
                enrollment_id=begun.pk,
                journal_entry_id=begun.journal_entry_id,
                flow_id=flow.pk,
            )
        ],
        now,
    )
    jumping.hold_out([begun], {flow.pk: flow}, now)
    enrollments.tell_entered(begun)
    if events.registry.get(flow.trigger_kind).one_at_a_time:
        enrollments.supersede_others([begun], now)
    return Entry(enrollment_id=begun.pk)
