"""What a condition can ask of the messages of this way through the flow, and what came of them.

They look at what left for this enrollment: at one step's message, or at the last one. Nothing
that a machine does counts as an answer of a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..definitions import FlowDefinition
from ..engine import checking, visits
from ..engine.contacts import same_people
from ..exceptions import Problem
from ..kinds import option
from ..models import (
    Dispatch,
    DispatchState,
    Feedback,
    JournalEntry,
    MessageItem,
    MessageState,
)
from ..snapshots import Subject, Verdict

#: A message in one of these states is, or may be, in somebody's mailbox.
LEFT = (MessageState.SENT, MessageState.UNKNOWN)
#: After one of these it is not.
_CAME_BACK = (Feedback.BOUNCED, Feedback.REJECTED, Feedback.FAILED)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One message that left, and what is known of it."""

    message_id: int
    step_key: str
    left_at: datetime
    clicked_at: datetime | None
    #: Whether its state is `sent`; False where nobody can tell.
    is_sure: bool
    #: What providers said of its dispatches, newest last.
    feedback: tuple[str, ...] = field(default=())
    delivered_at: datetime | None = None
    opened_at: datetime | None = None

    @property
    def came_back(self) -> bool:
        """Whether every provider that took it over could not deliver it."""
        return bool(self.feedback) and all(one in _CAME_BACK for one in self.feedback)


def last_messages(subjects: Sequence[Subject], step: str = "") -> dict[int, Told]:
    """Return the last message that left, by enrollment id, in two queries.

    With a step's key only messages of that step; an enrollment without one is missing.
    """
    items = (
        MessageItem.objects.filter(
            enrollment_id__in={one.enrollment_id for one in subjects}, message__state__in=LEFT
        )
        .order_by("message__settled_at", "message_id")
        .values_list(
            "enrollment_id",
            "message_id",
            "message__step_key",
            "message__settled_at",
            "message__planned_at",
            "message__clicked_at",
            "message__state",
        )
    )
    if step:
        items = items.filter(message__step_key=step)
    newest = {row[0]: row[1:] for row in items}
    dispatches = _dispatches({row[0] for row in newest.values()})
    return {
        enrollment_id: Told(
            message_id=pk,
            step_key=step_key,
            left_at=settled_at or planned_at,
            clicked_at=clicked_at,
            is_sure=state == MessageState.SENT,
            feedback=tuple(row["feedback"] for row in dispatches[pk]),
            delivered_at=_latest(row["delivered_at"] for row in dispatches[pk]),
            opened_at=_latest(row["opened_at"] for row in dispatches[pk]),
        )
        for enrollment_id, (
            pk, step_key, settled_at, planned_at, clicked_at, state,
        ) in newest.items()
    }  # fmt: skip


def _messages_of(subjects: Sequence[Subject], step: str) -> list[Told | None]:
    """Return each subject's message; whoever only knocks at a flow's door has none."""
    found = last_messages([one for one in subjects if one.enrollment_id], step)
    return [found.get(one.enrollment_id) for one in subjects]


def _dispatches(message_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = Dispatch.objects.filter(
        message_id__in=set(message_ids), state__in=[DispatchState.SENT, DispatchState.UNKNOWN]
    ).order_by("hop")
    for row in rows.values("message_id", "feedback", "delivered_at", "opened_at"):
        found[row["message_id"]].append(dict(row))
    return found


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class MessageCondition(Condition):
    """Base of what is asked of one message of this enrollment."""

    needs_event: ClassVar[bool] = True

    step: str = option(
        default="",
        label=pgettext_lazy("triggers", "Message of the step"),
        help_text=pgettext_lazy("triggers", "The step's key. Empty: the last message that left."),
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Read the messages once for all."""
        verdicts = []
        for message in _messages_of(subjects, self.step):
            if message is None:
                nothing = {"step": self.step, "message": None}
                verdicts.append(Verdict(holds=False, compared=nothing))
            else:
                holds, compared = self.asked(message)
                compared = {
                    "step": message.step_key,
                    "message": message.message_id,
                    "left_at": message.left_at,
                    **compared,
                }
                verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts

    def asked(self, message: Told) -> tuple[bool, dict[str, Any]]:
        """Answer for one message, with what was compared."""
        raise NotImplementedError


@conditions.register
@dataclass(frozen=True, kw_only=True)
class MessageDelivered(MessageCondition):
    """Whether a message was taken over and did not come back."""

    kind: ClassVar[str] = "message_delivered"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The message was delivered")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Taken over by the mail server and not returned; most mail servers say no more than that.",
    )

    confirmed: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Only when the provider confirmed it"),
        help_text=pgettext_lazy("triggers", "For providers that report what they delivered."),
    )

    def asked(self, message: Told) -> tuple[bool, dict[str, Any]]:
        """Ask the dispatches."""
        arrived = message.delivered_at is not None if self.confirmed else message.is_sure
        return arrived and not message.came_back, {
            "sent": message.is_sure,
            "feedback": list(filter(None, message.feedback)),
            "delivered_at": message.delivered_at,
        }


@conditions.register
@dataclass(frozen=True, kw_only=True)
class MessageClicked(MessageCondition):
    """Whether a person followed a link of a message; machines do not count."""

    kind: ClassVar[str] = "message_clicked"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A link of the message was clicked")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "By a person: clicks of mail scanners are told apart and do not count."
    )

    def asked(self, message: Told) -> tuple[bool, dict[str, Any]]:
        """Ask the message."""
        return message.clicked_at is not None, {"clicked_at": message.clicked_at}


@conditions.register
@dataclass(frozen=True, kw_only=True)
class MessageOpened(MessageCondition):
    """Whether a picture of a message was fetched: not the same as a reader."""

    kind: ClassVar[str] = "message_opened"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The message was opened (unreliable)")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Unreliable both ways: many mailboxes open messages by themselves, others never show "
        "pictures. Better ask “No reaction to the message”.",
    )

    def asked(self, message: Told) -> tuple[bool, dict[str, Any]]:
        """Ask the dispatches."""
        return message.opened_at is not None, {
            "opened_at": message.opened_at,
            "unreliable": True,
        }


@conditions.register
@dataclass(frozen=True, kw_only=True)
class Visited(Condition):
    """Whether the person was in the shop since the last message, or since the flow began."""

    kind: ClassVar[str] = "visited"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "Visited the shop since")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Since the message, or since the flow began when none left yet. Who follows a link counts "
        "as a visitor.",
    )

    step: str = option(
        default="",
        label=pgettext_lazy("triggers", "Message of the step"),
        help_text=pgettext_lazy("triggers", "The step's key. Empty: the last message that left."),
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Read messages and visits once for all."""
        told = _messages_of(subjects, self.step)
        since = [since_of(one, message) for one, message in zip(subjects, told, strict=True)]
        return [
            Verdict(
                holds=visit is not None,
                compared={
                    "since": moment,
                    "message": message.message_id if message is not None else None,
                    **_visit_compared(visit),
                },
            )
            for message, moment, visit in zip(
                told, since, visits_since(subjects, told, since), strict=True
            )
        ]


def since_of(subject: Subject, message: Told | None) -> datetime:
    """Return the moment since which a reaction counts: the message, else the entry."""
    return message.left_at if message is not None else subject.entered_at


def visits_since(
    subjects: Sequence[Subject], told: Sequence[Told | None], since: Sequence[datetime]
) -> list[tuple[datetime, str] | None]:
    """Return for each subject the last visit since its moment, with what tells of it."""
    earliest: dict[int, datetime] = {}
    for one, moment in zip(subjects, since, strict=True):
        earliest[one.contact_id] = min(moment, earliest.get(one.contact_id, moment))
    seen = visits.last_visits(earliest)
    found: list[tuple[datetime, str] | None] = []
    for one, message, moment in zip(subjects, told, since, strict=True):
        possible = [seen[one.contact_id]] if one.contact_id in seen else []
        if message is not None and message.clicked_at is not None:
            possible.append((message.clicked_at, "click"))
        found.append(max((visit for visit in possible if visit[0] > moment), default=None))
    return found


def _visit_compared(visit: tuple[datetime, str] | None) -> dict[str, Any]:
    return {"visited_at": visit[0], "sign": visit[1]} if visit is not None else {"visited_at": None}


def orders_since(
    subjects: Sequence[Subject], since: Sequence[datetime], kinds: Sequence[str]
) -> list[datetime | None]:
    """Return for each subject when the person first ordered since its moment.

    The journal knows every order: the shop's signal tells of it, or its sweep finds it.
    """
    people = same_people(subjects)
    orders: dict[int, list[datetime]] = defaultdict(list)
    for contact_id, moment in JournalEntry.objects.filter(
        contact_id__in={pk for ids in people for pk in ids},
        kind__in=kinds,
        occurred_at__gt=min(since, default=datetime.max.replace(tzinfo=UTC)),
    ).values_list("contact_id", "occurred_at"):
        orders[contact_id].append(moment)
    return [
        min((at for pk in ids for at in orders[pk] if at > moment), default=None)
        for ids, moment in zip(people, since, strict=True)
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class NoReaction(Condition):
    """Whether nothing came of a message: no click, no visit, no order.

    What other systems ask as "did not open", which nobody can know.
    """

    kind: ClassVar[str] = "no_reaction"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "No reaction to the message")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "No click, no visit and no order since. Ask this where you would ask “did not open”.",
    )
    #: Kinds of events that are an order.
    orders: ClassVar[tuple[str, ...]] = ("order_placed",)

    step: str = option(
        default="",
        label=pgettext_lazy("triggers", "Message of the step"),
        help_text=pgettext_lazy("triggers", "The step's key. Empty: the last message that left."),
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Read messages, visits and orders once for all."""
        told = _messages_of(subjects, self.step)
        since = [since_of(one, message) for one, message in zip(subjects, told, strict=True)]
        seen = visits_since(subjects, told, since)
        ordered = orders_since(subjects, since, self.orders)
        verdicts = []
        for message, moment, visit, order in zip(told, since, seen, ordered, strict=True):
            clicked_at = message.clicked_at if message is not None else None
            compared = {
                "since": moment,
                "message": message.message_id if message is not None else None,
                "clicked_at": clicked_at,
                **_visit_compared(visit),
                "ordered_at": order,
            }
            silent = clicked_at is None and visit is None and order is None
            verdicts.append(Verdict(holds=silent, compared=compared))
        return verdicts


@checking.register
def asked_steps_exist(definition: FlowDefinition) -> list[Problem]:
    """Name the questions about the message of a step that the flow does not have."""
    keys = {step.key for step, *_rest in definition.walk()}
    asked: list[tuple[str, Any]] = [("entry", data) for data in definition.entry]
    asked += [("stay", data) for data in definition.stay]
    for step, *_rest in definition.walk():
        asked += [
            (f"steps › {step.key}", value)
            for value in step.options.values()
            if isinstance(value, Mapping) and "kind" in value
        ]
    return [
        Problem(
            where=place,
            message=pgettext("triggers", "there is no step '%(step)s'") % {"step": data["step"]},
        )
        for where, tree in asked
        for place, data in conditions.walk(tree, where)
        if str(data.get("kind")) in _ABOUT_STEPS
        and data.get("step")
        and str(data["step"]) not in keys
    ]


_ABOUT_STEPS = frozenset(
    {"message_delivered", "message_clicked", "message_opened", "visited", "no_reaction"}
)
