"""Loyalty points in flows: the step that gives them, and what letters say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import steps
from ..content import context
from ..content.context import ContextProvider, Provided
from ..content.tags import MergeTag, register_tags
from ..definitions import FlowDefinition
from ..engine import checking, loyalty
from ..engine.loyalty import Gift
from ..exceptions import Problem
from ..kinds import option
from ..snapshots import Subject
from ..steps import Advance, Outcome, Step, StepVisit, WaitUntil

#: A programme that failed is asked again after so long, until it is too late for the flow.
_PATIENCE = timedelta(minutes=5)


@steps.register
@dataclass(frozen=True, kw_only=True)
class GivePoints(Step):
    """Gives points of the shop's loyalty programme, once for each coming to the step."""

    kind: ClassVar[str] = "give_points"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Adds points to what the person has in the loyalty programme."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Give loyalty points")
    icon: ClassVar[str] = "pick"
    branches: ClassVar[tuple[str, ...]] = ("given", "not_given")

    points: int = option(label=pgettext_lazy("triggers", "Points"))

    def __post_init__(self) -> None:
        """Refuse a gift of nothing."""
        if self.points < 1:
            raise ValueError(pgettext("triggers", "give one point at least"))

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Give all together; guests have no account to give to, and a rehearsal gives nothing."""
        gifts = {
            _key(visit): Gift(
                key=_key(visit),
                user_id=visit.subject.user_id,
                points=self.points,
                flow_key=visit.subject.flow_key,
                about=visit.subject.about,
            )
            for visit in visits
            if visit.subject.user_id is not None and not visit.is_shadow
        }
        given = loyalty.give(list(gifts.values()), now)
        if given is None:
            return [
                WaitUntil(moment=now + _PATIENCE)
                if _key(visit) in gifts and _has_time(visit, now)
                else self._goes_on(visit)
                for visit in visits
            ]
        return [self._goes_on(visit, is_given=_key(visit) in given) for visit in visits]

    def _goes_on(self, visit: StepVisit, *, is_given: bool = False) -> Outcome:
        compared: dict[str, Any] = {"points": self.points}
        if visit.is_shadow:
            is_given = visit.subject.user_id is not None
            compared["rehearsal"] = True
        return Advance(branch="given" if is_given else "not_given", compared=compared)


def _has_time(visit: StepVisit, now: datetime) -> bool:
    """Say whether the programme may be asked again: as long as the flow may be late."""
    return now < (visit.arrived_at or visit.due_at) + visit.max_lateness


def _key(visit: StepVisit) -> str:
    return f"{visit.subject.enrollment_id}:{visit.step_key}:{visit.pass_no}"


@checking.register
def points_can_be_given(definition: FlowDefinition) -> list[Problem]:
    """Name the steps that give points in a shop without a loyalty programme."""
    if loyalty.is_there():
        return []
    return [
        Problem(
            where=f"steps › {step.key}",
            message=pgettext(
                "triggers", "no app brings a loyalty programme: nobody could give points"
            ),
        )
        for step, *_rest in definition.walk()
        if step.kind == GivePoints.kind
    ]


@context.register
class PointsContext(ContextProvider):
    """Says how many points a customer has, in letters that ask for it."""

    name = "points"
    only_for = "points"

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Ask the shop's programme once for all."""
        known = loyalty.balances({one.user_id for one in subjects} - {None})
        return [
            Provided(values={"points": {"balance": known[one.user_id]}})
            if one.user_id in known
            else Provided()
            for one in subjects
        ]


register_tags(
    [
        MergeTag(
            path="points.balance",
            label=pgettext_lazy("triggers", "Loyalty points that the customer has"),
            group=pgettext_lazy("triggers", "Loyalty programme"),
            sample=350,
        )
    ]
)
