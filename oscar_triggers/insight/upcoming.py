"""What comes next: who waits in which flow, and what is due within a day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet

from ..engine import rolls
from ..models import (
    RUNNING,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    FlowState,
    SegmentRoll,
)
from ..models.partial import OneOf

#: How far ahead is looked.
AHEAD = timedelta(hours=24)


@dataclass(kw_only=True)
class Waiting:
    """Who and what waits in one flow."""

    #: On their way, and held because the engine cannot go on.
    people: int = 0
    held: int = 0
    #: Whose next step comes within a day; more may be decided then than can be told now.
    people_due: int = 0
    #: Written or to be written, and not yet handed over.
    messages: int = 0
    messages_due: int = 0
    #: When the first of what is due comes.
    first_due_at: datetime | None = None

    @property
    def is_due(self) -> bool:
        """Say whether anything comes within a day."""
        return bool(self.people_due or self.messages_due)

    def note_due(self, moment: datetime | None) -> None:
        """Keep the earliest moment."""
        if moment is not None:
            self.first_due_at = min(moment, self.first_due_at or moment)


def waiting(
    now: datetime, *, flow_id: int | None = None, roll: SegmentRoll | None = None
) -> dict[int, Waiting]:
    """Return who and what waits, by flow, or of that what is about the people on a roll.

    Two queries, which read only what waits.
    Nothing of a flow that stands still is due; what a rehearsal wrote waits for nothing.
    """
    found: dict[int, Waiting] = defaultdict(Waiting)
    soon = Q(due_at__lte=now + AHEAD)
    people = unfinished()
    messages = open_tries().filter(message__is_shadow=False).exclude(message__flow=None)
    if flow_id is not None:
        people, messages = people.filter(flow_id=flow_id), messages.filter(message__flow_id=flow_id)
    if roll is not None:
        people = rolls.only(people, roll)
        messages = rolls.only(messages, roll, "message__contact_id")
    is_active = Q(state=EnrollmentState.ACTIVE)
    moves = is_active & Q(flow__state__in=RUNNING) & soon
    for of_flow, active, held, due, first in (
        people.order_by()
        .values_list("flow_id")
        .annotate(
            active=Count("pk", filter=is_active),
            held=Count("pk", filter=~is_active),
            due=Count("pk", filter=moves),
            first=Min("due_at", filter=moves),
        )
    ):
        one = found[of_flow]
        one.people, one.held, one.people_due = active, held, due
        one.note_due(first)
    leaves = Q(message__flow__state=FlowState.LIVE) & soon
    for of_flow, count, due, first in (
        messages.order_by()
        .values_list("message__flow_id")
        .annotate(
            count=Count("pk"),
            due=Count("pk", filter=leaves),
            first=Min("due_at", filter=leaves),
        )
    ):
        one = found[of_flow]
        one.messages, one.messages_due = count, due
        one.note_due(first)
    return dict(found)


def unfinished() -> QuerySet[Enrollment]:
    """Return who is on the way or held: by the indexes of these, not through all who ever were."""
    states = (EnrollmentState.ACTIVE, EnrollmentState.HELD)
    first, second = (Enrollment.objects.filter(state=state).order_by() for state in states)
    return Enrollment.objects.filter(pk__in=first.values("pk").union(second.values("pk"), all=True))


def open_tries() -> QuerySet[Dispatch]:
    """Return the tries that are not over, by the two indexes that hold only these."""
    waiting = OneOf("state", DispatchState.PLANNED, DispatchState.RETRY)
    taken = OneOf("state", DispatchState.LEASED, DispatchState.SENDING)
    first, second = (Dispatch.objects.filter(one).order_by() for one in (waiting, taken))
    return Dispatch.objects.filter(pk__in=first.values("pk").union(second.values("pk"), all=True))
