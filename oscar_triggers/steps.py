"""Steps: the nodes of a flow, and the outcomes that they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext_lazy

from .exceptions import InvalidOptions
from .kinds import Kind
from .registry import Registry
from .snapshots import Subject


@dataclass(frozen=True, kw_only=True)
class Advance:
    """Go on: into the named branch, or to the next step."""

    branch: str = ""
    #: Values that were compared; kept as a decision when not empty.
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: When the subject should have gone on (UTC), where that is not the moment at which the
    #: step was to be asked: what follows is late when it is later than this by `max_lateness`.
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """Stay at this step and ask it again at that moment (UTC), or when an event comes."""

    moment: datetime
    #: Kind of event, of this person or about the same thing, that has the step asked at once;
    #: "*" for any, "" for none.
    event: str = ""


@dataclass(frozen=True, kw_only=True)
class Exit:
    """Leave the flow, with one of models.enrollments.ExitReason."""

    reason: str = "completed"
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Jump:
    """Leave the flow for another one, at its first step, about the same thing."""

    flow_key: str
    compared: Mapping[str, Any] = field(default_factory=dict)


Outcome = Advance | WaitUntil | Exit | Jump


@dataclass(frozen=True, kw_only=True)
class Woken:
    """The event that ended a wait early."""

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class StepVisit:
    """One subject standing at one step."""

    subject: Subject
    step_key: str
    #: How often this enrollment came to this step before.
    pass_no: int = 0
    #: When the subject should have come here; later than that is lateness.
    due_at: datetime
    stream: str
    topic: str
    #: How late a message of this flow may leave.
    max_lateness: timedelta
    #: "hold" or "resend": what becomes of a message whose hand-over nobody can tell.
    on_doubt: str
    #: Of two flows that want to write to one person at once, the higher number goes first.
    priority: int = 50
    #: How long a message waits for more to say about the same kind of thing; None: not at all.
    bundle: timedelta | None = None
    #: Whether this is a rehearsal: whatever is planned is recorded and never sent.
    is_shadow: bool = False
    #: In which lane its messages leave; None: that of the stream.
    lane: int | None = None
    #: The event for which the step was waiting, if it came.
    woken_by: Woken | None = None
    #: When the enrollment came to this step, or was moved on it: waits that count from the
    #: arrival begin there.
    arrived_at: datetime | None = None
    #: The arms of the splits that led here: {"split-1": "a"}.
    variants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step(Kind):
    """What happens to a subject at a node; extensions write `run`, the engine calls `run_many`."""

    #: Names of the branches below this step, in order; empty for a plain step.
    branches: ClassVar[tuple[str, ...]] = ()
    icon: ClassVar[str] = "cog"
    #: Whether it lets time pass. Such a step is asked however late it is, because its wait may
    #: have been prolonged meanwhile; whoever comes late to any other step has missed it.
    is_wait: ClassVar[bool] = False
    #: Whether it waits for acts of the contact, or writes to it. The contact is locked before
    #: such a step is asked, so that no act slips by between its question and its wait.
    holds_contact: ClassVar[bool] = False

    def run(self, visit: StepVisit, now: datetime) -> Outcome:
        """Decide for one subject what comes next; asked again after a WaitUntil."""
        raise NotImplementedError(f"{type(self).__name__} must define run() or run_many().")

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Decide for a batch, in its order; override it to write or read in bulk."""
        return [self.run(visit, now) for visit in visits]


S = TypeVar("S", bound=type[Step])

registry: Registry[type[Step]] = Registry(pgettext_lazy("triggers", "step"))


def register(step_class: S) -> S:
    """Register a step class under its kind (a class decorator)."""
    if not step_class.kind:
        raise InvalidOptions(f"{step_class.__name__} must define a kind.")
    registry.add(step_class.kind, step_class)
    return step_class
