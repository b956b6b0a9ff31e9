"""Playing a flow: an event happens to somebody, and time passes as fast as the test wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, Q

from .. import events
from ..definitions import FlowDefinition
from ..engine import clockwork, intake
from ..events import Event
from ..models import (
    Contact,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    FlowVersion,
    Message,
)
from ..snapshots import About
from .clock import Clock, read_duration

#: A flow that never rests is cut off.
_MOST_TICKS = 10_000


@dataclass(frozen=True, kw_only=True)
class StagedFlow:
    """A published flow, ready to be played."""

    version: FlowVersion
    definition: FlowDefinition
    clock: Clock

    @property
    def key(self) -> str:
        """Return the flow's key."""
        return self.definition.key

    def run(
        self,
        until: str | timedelta | datetime | None = None,
        *,
        contact: Contact,
        event: Event | dict[str, Any] | None = None,
        about: About | str | None = None,
    ) -> FlowRun:
        """Let the flow's event happen to somebody now, and play on: `flow.run(until="+8d")`."""
        run = play(self, contact=contact, event=event, about=about)
        return run.until(until) if until is not None else run


class FlowRun:
    """One person's way through a flow, and the clock by which it goes."""

    def __init__(self, flow: StagedFlow, contact: Contact, clock: Clock) -> None:
        self.flow = flow
        self.contact = contact
        self.clock = clock
        self.started_at = clock.now

    def happens(
        self, event: Event | str, about: About | str | None = None, **payload: Any
    ) -> FlowRun:
        """Let something else happen to the person now, as `run.happens("order_placed", …)`."""
        if isinstance(event, str):
            event = events.from_payload(event, payload)
        intake.record(
            event, contact=self.contact, about=read_about(about), occurred_at=self.clock.now
        )
        clockwork.tick(self.clock.now)
        return self

    def until(
        self, moment: str | timedelta | datetime, *, every: str | timedelta | None = None
    ) -> FlowRun:
        """Play until "+8d" after the start, or until a moment; return the run.

        The engine ticks whenever something is due. With `every` it also ticks in between, for
        what only sweeps find: baskets that are left, orders that no signal told.
        """
        if not isinstance(moment, datetime):
            moment = self.started_at + read_duration(moment)
        for _tick in range(_MOST_TICKS):
            due = self._next_due(moment, read_duration(every) if every else None)
            if due is None:
                break
            self.clock.to(due)
            clockwork.tick(due)
        self.clock.to(max(moment, self.clock.now))
        clockwork.tick(self.clock.now)
        return self

    def _next_due(self, end: datetime, every: timedelta | None) -> datetime | None:
        """Return when the engine should look again; what is overdue was just looked at."""
        now = self.clock.now
        waiting = Q(state__in=[DispatchState.PLANNED, DispatchState.RETRY])
        found = [
            Enrollment.objects.filter(state=EnrollmentState.ACTIVE, due_at__gt=now).aggregate(
                first=Min("due_at")
            )["first"],
            Dispatch.objects.filter(waiting, due_at__gt=now).aggregate(first=Min("due_at"))[
                "first"
            ],
            now + every if every else None,
        ]
        coming = [moment for moment in found if moment is not None and moment <= end]
        return min(coming, default=None)

    @property
    def enrollment(self) -> Enrollment | None:
        """Return the newest enrollment of the person in the flow; None who never entered."""
        return (
            Enrollment.objects.filter(flow_id=self.flow.version.flow_id, contact_id=self.contact.pk)
            .order_by("-pk")
            .first()
        )

    @property
    def messages(self) -> list[Message]:
        """Return the person's messages of this flow, oldest first."""
        return list(
            Message.objects.filter(flow_id=self.flow.version.flow_id, contact_id=self.contact.pk)
            .select_related("template_version")
            .order_by("pk")
        )

    @property
    def decisions(self) -> list[Decision]:
        """Return everything that was decided about the person in this flow, in order."""
        mine = (
            Q(enrollment__contact_id=self.contact.pk)
            | Q(message__contact_id=self.contact.pk)
            | Q(journal_entry__contact_id=self.contact.pk)
        )
        return list(
            Decision.objects.filter(mine, flow_id=self.flow.version.flow_id)
            .select_related("message")
            .order_by("pk")
            .distinct()
        )

    def __str__(self) -> str:
        """Return the decisions as a table: what a failing test shows."""
        lines = [f"started {self.started_at:%Y-%m-%d %H:%M}, now {self.clock.now:%Y-%m-%d %H:%M}"]
        for one in self.decisions:
            step = one.message.step_key if one.message else ""
            lines.append(
                f"  {one.decided_at:%Y-%m-%d %H:%M}  {step or one.rule}: {one.verdict} "
                f"{one.reason} {one.compared}"
            )
        return "\n".join(lines)


def play(
    flow: StagedFlow,
    *,
    contact: Contact,
    event: Event | dict[str, Any] | None = None,
    about: About | str | None = None,
) -> FlowRun:
    """Let the flow's event happen to somebody now, and tick once; return the run.

    `event` is an event or the fields of the flow's own one; `about` may be written "basket:123".
    """
    if not isinstance(event, Event):
        event = events.from_payload(flow.definition.trigger, dict(event or {}))
    run = FlowRun(flow, contact, flow.clock)
    intake.record(event, contact=contact, about=read_about(about), occurred_at=flow.clock.now)
    clockwork.tick(flow.clock.now)
    return run


def read_about(about: About | str | None) -> About | None:
    """Read "basket:123"; raises ValueError."""
    if about is None or isinstance(about, About):
        return about
    type_, colon, id_ = about.partition(":")
    if not (type_ and colon and id_):
        raise ValueError(f"Write about as 'basket:123', not {about!r}.")
    return About(type=type_, id=id_)
