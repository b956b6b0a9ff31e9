"""The steps that choose a way without asking: Split by chance, Jump to another flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import events, steps
from ..definitions import FlowDefinition
from ..engine import checking, splitting
from ..exceptions import Problem
from ..kinds import option
from ..models import Flow, FlowState
from ..steps import Advance, Jump, Outcome, Step, StepVisit

ARMS = ("a", "b", "c", "d", "e")


def _even() -> dict[str, int]:
    return {"a": 50, "b": 50}


@steps.register
@dataclass(frozen=True, kw_only=True)
class Split(Step):
    """Sends people different ways by chance; each stays with the way that chance gave them.

    Weights that are changed later count for those who come later: nobody is moved from one arm
    to another, in this version or the next, also where the weight of their arm is 0 by then.
    """

    kind: ClassVar[str] = "split"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Sends people different ways by lot, to see which works better."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Split by chance")
    icon: ClassVar[str] = "resubmit"
    branches: ClassVar[tuple[str, ...]] = ARMS

    weights: dict[str, int] = option(
        default_factory=_even,
        label=pgettext_lazy("triggers", "Shares"),
        help_text=pgettext_lazy("triggers", "Of the people who come here, by branch."),
        format="weights",
    )

    def __post_init__(self) -> None:
        """Refuse arms that there are not, and weights that divide nobody."""
        unknown = sorted(set(self.weights) - set(ARMS))
        if unknown:
            raise ValueError(
                pgettext("triggers", "weights: no branch %(unknown)s (there are: %(known)s)")
                % {"unknown": ", ".join(map(str, unknown)), "known": ", ".join(ARMS)}
            )
        # Whatever a file holds stands here: a mapping is read without looking into it.
        weights: dict[str, Any] = dict(self.weights)
        for arm, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
                raise ValueError(
                    pgettext("triggers", "weights: '%(arm)s' must be a whole number of 0 or more")
                    % {"arm": arm}
                )
        if not sum(self.weights.values()):
            raise ValueError(pgettext("triggers", "weights: at least one must be more than 0"))

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Give each their arm: the one that they have, or a new one by the weights."""
        if not visits:
            return []
        subject = visits[0].subject
        arms = splitting.assign_many(
            subject.flow_id,
            subject.flow_key,
            visits[0].step_key,
            {visit.subject.contact_id for visit in visits},
            self.weights,
            now,
        )
        return [
            Advance(
                branch=arms[visit.subject.contact_id],
                compared={"arm": arms[visit.subject.contact_id], "weights": dict(self.weights)},
            )
            for visit in visits
        ]


@steps.register
@dataclass(frozen=True, kw_only=True)
class JumpTo(Step):
    """Ends this flow for those who come here, and begins another about the same thing."""

    kind: ClassVar[str] = "jump"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Leaves this flow and begins another one."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Go on in another flow")
    icon: ClassVar[str] = "redirect"
    holds_contact: ClassVar[bool] = True

    flow: str = option(
        label=pgettext_lazy("triggers", "Flow"),
        help_text=pgettext_lazy(
            "triggers", "Key of a published flow about the same kind of thing."
        ),
        format="flow",
    )

    def __post_init__(self) -> None:
        """Refuse no flow at all."""
        if not self.flow:
            raise ValueError(pgettext("triggers", "needs the key of a flow"))

    def run(self, visit: StepVisit, now: datetime) -> Outcome:
        """Leave for it."""
        return Jump(flow_key=self.flow)


@checking.register
def jumps_lead_somewhere(definition: FlowDefinition) -> list[Problem]:
    """Name the Jump steps whose flow is not there, is this one, or is about something else."""
    targets = {
        step.key: str(step.options.get("flow", ""))
        for step, *_rest in definition.walk()
        if step.kind == JumpTo.kind
    }
    if not targets:
        return []
    flows = {flow.key: flow for flow in Flow.objects.filter(key__in=set(targets.values()))}
    found = []
    for step_key, target in targets.items():
        message = _problem(definition, target, flows)
        if message:
            found.append(Problem(where=f"steps › {step_key}", message=message))
    return found


def _problem(definition: FlowDefinition, target: str, flows: Mapping[str, Flow]) -> str:
    if target == definition.key:
        return pgettext("triggers", "a flow cannot jump to itself")
    flow = flows.get(target)
    if flow is None or flow.live_version_id is None or flow.state == FlowState.ARCHIVED:
        return pgettext("triggers", "the flow '%(key)s' is not published; publish it first") % {
            "key": target
        }
    mine, its = _about_type(definition.trigger), _about_type(flow.trigger_kind)
    if its and mine != its:
        return pgettext(
            "triggers", "the flow '%(key)s' is about '%(its)s', this one about '%(mine)s'"
        ) % {"key": target, "its": its, "mine": mine or pgettext("triggers", "a person")}
    return ""


def _about_type(kind: str) -> str:
    return events.registry.get(kind).about_type if kind in events.registry else ""
