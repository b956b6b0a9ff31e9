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


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """Stay at this step and ask it again at that moment (UTC)."""

    moment: datetime


@dataclass(frozen=True, kw_only=True)
class Exit:
    """Leave the flow, with one of models.enrollments.ExitReason."""

    reason: str = "completed"
    compared: Mapping[str, Any] = field(default_factory=dict)


Outcome = Advance | WaitUntil | Exit


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


@dataclass(frozen=True, kw_only=True)
class Step(Kind):
    """What happens to a subject at a node; extensions write `run`, the engine calls `run_many`."""

    #: Names of the branches below this step, in order; empty for a plain step.
    branches: ClassVar[tuple[str, ...]] = ()
    icon: ClassVar[str] = "cog"

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
