"""Why did, or didn't, they get it? The whole story of one person and one flow, from the rows (W3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import pgettext

from ..models import (
    Assignment,
    Contact,
    Decision,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    JournalEntry,
    Message,
    MessageItem,
    MessageState,
    Owner,
)
from ..models.partial import NotIndexed
from . import letters
from .fates import Fates
from .lines import Line, about_words, event_words, exit_words
from .telling import INFO, NOT_SENT, WAITING, clock, values_in_words, why
from .words import verdict_of

_MOST_EVENTS = 50


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The story of one person and one flow, oldest line first."""

    flow_key: str
    contact_id: int
    lines: tuple[Line, ...] = field(default=())

    @property
    def tone(self) -> str:
        """Return how it ended: the tone of the last line that tells of a message or an entry."""
        return next((line.tone for line in reversed(self.lines) if line.tone != INFO), INFO)

    def __str__(self) -> str:
        return "\n".join(f"{clock(line.moment)}  {line.text}" for line in self.lines)


def explain(contact: Contact | int, flow: Flow | str, *, now: datetime) -> Explanation:
    """Tell why a contact did or did not get the messages of a flow.

    `contact` may be its number, `flow` its key. Reads rows only, by a constant number of
    queries; no line holds an address. Raises Flow.DoesNotExist for a key that no flow has.
    """
    if not isinstance(flow, Flow):
        flow = Flow.objects.get(key=flow)
    contact_id = contact.pk if isinstance(contact, Contact) else contact
    if not Contact.objects.filter(pk=contact_id).exists():
        text = pgettext("triggers", "Nobody with the number %(number)s is known.")
        unknown = Line(moment=now, text=text % {"number": contact_id}, tone=NOT_SENT)
        return Explanation(flow_key=flow.key, contact_id=contact_id, lines=(unknown,))
    story = _Story(flow, contact_id, now)
    lines = sorted(story.lines(), key=lambda line: line.moment)
    return Explanation(flow_key=flow.key, contact_id=contact_id, lines=tuple(lines))


class _Story:
    """Reads the rows of one person and one flow, and tells them."""

    def __init__(self, flow: Flow, contact_id: int, now: datetime) -> None:
        self.flow, self.contact_id, self.now = flow, contact_id, now
        self.enrollments = list(
            Enrollment.objects.filter(flow=flow, contact_id=contact_id).order_by("entered_at")
        )
        self.entries = list(
            JournalEntry.objects.filter(
                Q(contact_id=contact_id, kind=flow.trigger_kind)
                | Q(pk__in=[row.journal_entry_id for row in self.enrollments])
            ).order_by("-occurred_at")[:_MOST_EVENTS]
        )
        # What speaks for several flows is of one of them, and always to the same person.
        spoken = MessageItem.objects.filter(message=OuterRef("pk"), enrollment__in=self.enrollments)
        self.messages = list(
            Message.objects.filter(contact_id=contact_id)
            .filter(Q(flow=flow) | Exists(spoken))
            .order_by("planned_at", "pk")
            .prefetch_related("dispatches", "items", "conversions")
        )
        self.decisions = list(
            Decision.objects.alias(of_flow=NotIndexed("flow_id"))
            .filter(
                Q(enrollment__in=self.enrollments)
                | Q(message__in=self.messages)
                | Q(journal_entry__in=self.entries, of_flow=flow.pk)
                | Q(flow=flow, rule="blast_guard")
            )
            .order_by("decided_at", "pk")
        )
        self.by_message: dict[int | None, list[Decision]] = defaultdict(list)
        self.exits: dict[int | None, Decision] = {}
        #: Enrollments of which something was sent.
        self.written_to = {
            item.enrollment_id
            for message in self.messages
            if message.state == MessageState.SENT
            for item in message.items.all()
        }
        for decision in self.decisions:
            self.by_message[decision.message_id].append(decision)
            if decision.verdict == "exit":
                self.exits[decision.enrollment_id] = decision

    def lines(self) -> Iterator[Line]:
        """Yield every sentence, in no order."""
        yield from self._happened()
        yield from self._arms()
        for decision in self.decisions:
            if decision.message_id is None:
                yield from self._decided(decision)
        for enrollment in self.enrollments:
            yield from self._stands(enrollment)
        fates = Fates(self.flow, self.by_message, self.exits, self.now)
        for message in self.messages:
            yield from fates.told(message)
        yield from self._flow_now()

    # ── What happened, and who entered ───────────────────────────────────────────────────────

    def _happened(self) -> Iterator[Line]:
        if not self.entries:
            yield from self._never_happened()
        decided = {one.journal_entry_id for one in self.decisions}
        entered = {row.journal_entry_id for row in self.enrollments}
        for entry in self.entries:
            said = {
                "event": event_words(entry.kind),
                "about": about_words(entry.about_type, entry.about_id),
            }
            yield Line(
                moment=entry.occurred_at,
                text=pgettext("triggers", "It happened: %(event)s%(about)s.") % said,
            )
            if entry.error:
                yield Line(
                    moment=entry.recorded_at,
                    text=pgettext("triggers", "The event could not be looked at: %(error)s")
                    % {"error": entry.error},
                    tone=NOT_SENT,
                )
            elif entry.routed_at is None:
                yield Line(
                    moment=entry.recorded_at,
                    text=pgettext("triggers", "The event waits to be looked at."),
                    tone=WAITING,
                )
            elif entry.pk not in decided | entered:
                yield Line(
                    moment=entry.routed_at,
                    text=pgettext(
                        "triggers",
                        "They did not enter: the flow was not live then, or listens to other "
                        "events of this kind.",
                    ),
                    tone=NOT_SENT,
                )

    def _never_happened(self) -> Iterator[Line]:
        if self.enrollments:
            return
        if self.flow.owner == Owner.LETTER:
            yield from letters.not_chosen(self.flow, self.contact_id, self.now)
            return
        text = pgettext(
            "triggers", "“%(event)s”, with which the flow begins, never happened to them."
        )
        yield Line(
            moment=self.now,
            text=text % {"event": event_words(self.flow.trigger_kind)},
            tone=NOT_SENT,
        )
        strangers = Decision.objects.filter(flow=self.flow, reason="unknown_person").count()
        if strangers:
            text = pgettext(
                "triggers",
                "It happened %(count)s times to people of whom nobody knows who they are: one of "
                "them may have been this person.",
            )
            yield Line(moment=self.now, text=text % {"count": strangers})

    def _arms(self) -> Iterator[Line]:
        for one in Assignment.objects.filter(flow=self.flow, contact_id=self.contact_id):
            text = pgettext(
                "triggers", "In “%(name)s” they were given the arm “%(arm)s”, for good."
            )
            yield Line(moment=one.assigned_at, text=text % {"name": one.name, "arm": one.arm})

    def _decided(self, one: Decision) -> Iterator[Line]:
        compared: Mapping[str, Any] = one.compared
        because = {"why": why(one.reason, compared)}
        tone = INFO
        if one.verdict == "not_entered":
            text = pgettext("triggers", "They did not enter the flow, because %(why)s.") % because
            tone = NOT_SENT
        elif one.verdict == "entered":
            text = pgettext("triggers", "They entered the flow.")
        elif one.verdict == "exit":
            text = pgettext("triggers", "They left the flow, because %(why)s.") % {
                "why": exit_words(one)
            }
            tone = INFO if one.enrollment_id in self.written_to else NOT_SENT
        elif one.verdict == "held":
            text = pgettext("triggers", "They are held, and staff are needed: %(why)s.") % because
            tone = WAITING
        elif one.rule == "blast_guard":
            text = pgettext("triggers", "Nothing more was sent: %(why)s.") % because
            tone = WAITING if self.flow.state == FlowState.PAUSED else INFO
        else:
            values = values_in_words(compared)
            text = pgettext("triggers", "At “%(step)s” they went “%(way)s”%(values)s.") % {
                "step": one.rule,
                "way": verdict_of(one.verdict),
                "values": f" ({values})" if values else "",
            }
        yield Line(moment=one.decided_at, text=text, tone=tone)

    def _stands(self, row: Enrollment) -> Iterator[Line]:
        if row.state == EnrollmentState.ACTIVE and row.due_at is not None:
            text = pgettext(
                "triggers", "They stand at the step “%(step)s” and go on at %(moment)s or earlier."
            )
            if row.awaits != "":
                text = pgettext(
                    "triggers",
                    "They stand at the step “%(step)s” until an event comes, or %(moment)s.",
                )
            yield Line(
                moment=self.now,
                text=text % {"step": row.step_key, "moment": clock(row.due_at)},
                tone=WAITING,
            )
        elif row.exit_reason == ExitReason.COMPLETED and row.pk not in self.exits and row.ended_at:
            yield Line(
                moment=row.ended_at, text=pgettext("triggers", "They went through the flow.")
            )

    def _flow_now(self) -> Iterator[Line]:
        if self.flow.owner == Owner.LETTER:
            yield from letters.stands(self.flow, self.now)
            return
        if self.flow.state == FlowState.PAUSED:
            text = pgettext("triggers", "The flow is paused.")
        elif self.flow.state == FlowState.SHADOW:
            text = pgettext("triggers", "The flow is rehearsing: it decides, and sends nothing.")
        elif self.flow.state == FlowState.ARCHIVED:
            text = pgettext("triggers", "The flow is switched off.")
        else:
            return
        yield Line(moment=self.flow.paused_at or self.now, text=text)
