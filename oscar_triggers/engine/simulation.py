"""Simulation: one person's way through a flow, played by the very engine and taken back (W8).

Everything happens in a transaction that is rolled back, as a rehearsal, and with signals muted:
no letter, voucher, signal or job leaves it. What a third party's step does outside the database
is its own affair: it sees `visit.is_shadow`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from .. import events, signals
from ..conf import triggers_settings
from ..definitions import FlowDefinition
from ..exceptions import TriggersError
from ..kinds import to_json
from ..models import (
    ConsentAction,
    ContactPoint,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    JournalEntry,
    Message,
    Owner,
)
from ..models.contacts import random_id
from ..models.sql import database_for
from ..policy import consent
from ..snapshots import About, Person
from . import advancing, bundling, contacts, fields, flows, hand_over, preparing, reading, routing

LONGEST = timedelta(days=3_660)
DEFAULT_LENGTH = timedelta(days=30)

#: Rounds at one moment, and moments in one simulation: a flow that never rests is cut off.
_MOST_ROUNDS = 50
_MOST_MOMENTS = 2_000
#: What a letter takes on its way through the engine is less than that.
_MOMENT = timedelta(minutes=1)
_WORKER = "simulation"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that happens to the person during the simulation."""

    #: Kind of event; "" for the flow's own trigger.
    event: str = ""
    #: The event's fields, as JSON values.
    payload: Mapping[str, Any] = field(default_factory=dict)
    about: About | None = None
    #: How long after the beginning.
    after: timedelta = timedelta()


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """What is added to a person for the simulation only: consent, fields and tags."""

    #: Topics that the person agreed to by e-mail.
    topics: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class SimulatedDecision:
    """One line of the table: when, where, what was decided, and by which values."""

    #: UTC.
    at: datetime
    step_key: str
    #: "entered", "wait", "shadowed" (a letter that would be sent), "skipped", "exit" …
    verdict: str
    rule: str
    reason: str = ""
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: Of the letter that was composed: its subject, plain text and HTML.
    subject: str = ""
    text: str = ""
    html: str = ""


def simulate(
    definition: FlowDefinition,
    *,
    person: Person,
    act: Act | None = None,
    later: Sequence[Act] = (),
    at: datetime,
    until: timedelta = DEFAULT_LENGTH,
    made_up: MadeUp | None = None,
    site_id: int | None = None,
) -> list[SimulatedDecision]:
    """Play a flow for one person and return what would be decided, in order.

    `act` starts the flow at `at` (UTC); `later` ones happen after it. The flow need not be
    published. Nothing is kept; on SQLite, other writers wait meanwhile. Raises DefinitionError
    for a flow that cannot be published, UnknownKind or InvalidOptions for an event that is none.
    """
    alias = database_for(Flow)
    with signals.muted(), transaction.atomic(using=alias):
        try:
            return _play(
                definition, person, [act or Act(), *later], at, min(until, LONGEST),
                made_up or MadeUp(), site_id,
            )  # fmt: skip
        finally:
            transaction.set_rollback(True, using=alias)


def _play(
    definition: FlowDefinition,
    person: Person,
    acts: Sequence[Act],
    at: datetime,
    until: timedelta,
    made_up: MadeUp,
    site_id: int | None,
) -> list[SimulatedDecision]:
    flow_id = _rehearsing(definition, at)
    _make_up(person, made_up, at, site_id)
    stage = _Stage(flow_id=flow_id, definition=definition, person=person, site_id=site_id)
    stage.happens(acts[0], at)
    coming = sorted(acts[1:], key=lambda act: act.after)
    now = at
    for _moment in range(_MOST_MOMENTS):
        stage.settle(now)
        moments = stage.next_moments()
        if coming and stage.is_on_the_way():
            moments.append(at + coming[0].after)
        following = [max(moment, now) for moment in moments if moment > now or coming]
        if not following or min(following) > at + until:
            break
        now = min(following)
        while coming and at + coming[0].after <= now:
            stage.happens(coming.pop(0), now)
    return stage.lines


def _rehearsing(definition: FlowDefinition, at: datetime) -> int:
    """Publish the definition as a rehearsal that takes in what happens now; return its flow."""
    version = flows.publish(definition, owner=Owner.FILE, now=at, take_over=True)
    Flow.objects.filter(pk=version.flow_id).update(
        state=FlowState.SHADOW, active_since=None, paused_at=None
    )
    return version.flow_id


def _make_up(person: Person, made_up: MadeUp, at: datetime, site_id: int | None) -> None:
    [contact_id] = contacts.resolve_many([(person, site_id)], at)
    if contact_id is None:
        raise TriggersError("Nobody is meant: name a contact, an account or an e-mail address.")
    point = ContactPoint.objects.filter(contact_id=contact_id, channel="email").first()
    if made_up.topics and point is not None:
        consent.write_many(
            [
                consent.Line(
                    channel="email",
                    point_hash=point.point_hash,
                    topic=topic,
                    action=ConsentAction.GRANT,
                    contact_id=contact_id,
                    source="simulation",
                    occurred_at=at,
                )
                for topic in made_up.topics
            ],
            at,
        )
    for name, value in made_up.fields.items():
        fields.set_field_many([contact_id], name, value, at)
    for tag in made_up.tags:
        fields.add_tag_many([contact_id], tag, at)


class _Stage:
    """The one enrollment that is played, and what was seen of it."""

    def __init__(
        self, *, flow_id: int, definition: FlowDefinition, person: Person, site_id: int | None
    ) -> None:
        self.flow_id = flow_id
        self.definition = definition
        self.person = person
        self.site_id = site_id
        self.entries: list[int] = []
        #: The enrollment in the flow, and those in flows that it jumped to.
        self.enrollment_ids: list[int] = []
        self.lines: list[SimulatedDecision] = []
        self._newest_decision = 0
        self._last_wait: tuple[str, datetime | None] | None = None
        #: Position of the line that says so.
        self._waits_at = -1

    def happens(self, act: Act, now: datetime) -> None:
        """Write an act to the journal and route it, and it alone."""
        kind = act.event or self.definition.trigger
        event = events.from_payload(kind, dict(act.payload))
        about = act.about
        entry = JournalEntry.objects.create(
            kind=kind,
            dedup_key=f"simulation:{random_id()}",
            about_type=about.type if about else "",
            about_id=about.id if about else "",
            payload=event.to_options(),
            person=to_json(self.person.to_json()),
            site_id=self.site_id,
            occurred_at=now,
            recorded_at=now,
        )
        if self.enrollment_ids:
            self._note(now, verdict="happened", rule=kind, compared=event.to_options())
        routing.route_entries([entry], now)
        if not self.enrollment_ids:
            self.entries.append(entry.pk)
            entered = Enrollment.objects.filter(flow_id=self.flow_id, journal_entry=entry)
            self.enrollment_ids += entered.values_list("pk", flat=True)
        self._collect()

    def settle(self, now: datetime) -> None:
        """Move the enrollment and its letters until nothing more is to be done at this moment."""
        if not self.enrollment_ids:
            return
        for _round in range(_MOST_ROUNDS):
            moved = advancing.advance(now, ids=self.enrollment_ids)
            if not moved and not self._hand_over(now) and not self._follow_jump():
                break
        self._collect()
        row = Enrollment.objects.get(pk=self.enrollment_ids[-1])
        standing = (row.step_key, row.due_at)
        if row.state == EnrollmentState.ACTIVE and standing != self._last_wait:
            if self._is_the_same_wait(row.step_key, now):
                self.lines.pop()
            self._last_wait, self._waits_at = standing, len(self.lines)
            compared = {"until": row.due_at, **({"or_event": row.awaits} if row.awaits else {})}
            self._note(
                now, verdict="wait", rule=row.step_key, compared=compared, step_key=row.step_key
            )

    def _follow_jump(self) -> bool:
        """Go along into another flow; say whether there was a jump to follow."""
        row = Enrollment.objects.get(pk=self.enrollment_ids[-1])
        if row.exit_reason != ExitReason.MOVED:
            return False
        left = Decision.objects.filter(enrollment=row, reason=ExitReason.MOVED).last()
        arrived = Enrollment.objects.filter(
            flow__key=left.compared.get("flow", "") if left else "",
            contact_id=row.contact_id,
            episode_key=row.episode_key,
            is_shadow=True,
        ).exclude(pk__in=self.enrollment_ids)
        found = list(arrived.values_list("pk", flat=True))
        self.enrollment_ids += found
        return bool(found)

    def _is_the_same_wait(self, step_key: str, now: datetime) -> bool:
        """Say whether the last line is this wait, which a letter's outcome made begin anew."""
        return (
            self._last_wait is not None
            and self._waits_at == len(self.lines) - 1
            and self._last_wait[0] == step_key
            and now - self.lines[-1].at < _MOMENT
        )

    def _hand_over(self, now: datetime) -> int:
        """Let due letters go the way of all letters, up to the point where they would leave."""
        due = list(
            self._dispatches().filter(due_at__lte=now).values_list("pk", flat=True)[:_MOST_ROUNDS]
        )
        if not due:
            return 0
        Dispatch.objects.filter(pk__in=due).update(
            state=DispatchState.LEASED,
            lease_owner=_WORKER,
            leased_until=now + triggers_settings().lease_for,
        )
        bundling.close(due)
        rows = list(
            Dispatch.objects.filter(pk__in=due)
            .select_related("message__contact", "message__flow")
            .order_by("pk")
        )
        hand_over.hand_over(preparing.prepare(rows, now), now, _WORKER)
        return len(due)

    def _dispatches(self) -> Any:
        return Dispatch.objects.filter(
            message__items__enrollment_id__in=self.enrollment_ids,
            state__in=[DispatchState.PLANNED, DispatchState.RETRY],
        ).distinct()

    def is_on_the_way(self) -> bool:
        """Say whether anything can still come of it."""
        return bool(self.next_moments())

    def next_moments(self) -> list[datetime]:
        """Return when something is due next."""
        moments = list(
            Enrollment.objects.filter(
                pk__in=self.enrollment_ids, state=EnrollmentState.ACTIVE, due_at__isnull=False
            ).values_list("due_at", flat=True)
        )
        moments += self._dispatches().values_list("due_at", flat=True)
        return [moment for moment in moments if moment is not None]

    def _note(self, at: datetime, *, step_key: str = "", **told: Any) -> None:
        self.lines.append(SimulatedDecision(at=at, step_key=step_key, **told))

    def _collect(self) -> None:
        """Take over what the engine decided since the last time, in its order."""
        messages = {
            message.pk: message
            for message in Message.objects.filter(
                items__enrollment_id__in=self.enrollment_ids
            ).select_related("template_version")
        }
        mine = (
            Q(journal_entry_id__in=self.entries, flow_id=self.flow_id)
            | Q(enrollment_id__in=self.enrollment_ids)
            | Q(message_id__in=list(messages))
        )
        new = Decision.objects.filter(mine, pk__gt=self._newest_decision)
        for decision in new.order_by("pk").distinct():
            self._newest_decision = decision.pk
            self.lines.append(_line(decision, messages, self.definition))


def _line(
    decision: Decision, messages: Mapping[int, Message], definition: FlowDefinition
) -> SimulatedDecision:
    message = messages.get(decision.message_id or 0)
    letter = reading.letter_of(message) if message is not None else None
    keys = {step.key for step, *_rest in definition.walk()}
    return SimulatedDecision(
        at=decision.decided_at,
        step_key=message.step_key if message else decision.rule if decision.rule in keys else "",
        verdict=decision.verdict,
        rule=decision.rule,
        reason=decision.reason,
        compared=decision.compared,
        subject=letter.subject if letter else "",
        text=letter.text if letter else "",
        html=letter.html if letter else "",
    )
