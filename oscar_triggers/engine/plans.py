"""A published version in a shape that is quick to walk: steps by key, and what follows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .. import conditions, definitions, steps
from ..conditions import Condition
from ..definitions import FlowDefinition, StepDefinition
from ..models import FlowVersion


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One flow version, read once."""

    definition: FlowDefinition
    by_key: Mapping[str, StepDefinition]
    #: {step key: the key to go on with}, "" at the end; branches rejoin at the next sibling.
    following: Mapping[str, str]

    @cached_property
    def stay(self) -> tuple[Condition, ...]:
        """Build the conditions to stay; raises UnknownKind or InvalidOptions."""
        return tuple(conditions.from_options(data) for data in self.definition.stay)

    @property
    def first(self) -> str:
        """Return the key of the first step, "" for a flow without steps."""
        return self.definition.steps[0].key if self.definition.steps else ""

    @cached_property
    def holds_contacts(self) -> bool:
        """Say whether any of its steps has contacts locked before it is asked."""
        return any(
            steps.registry.get(step.kind).holds_contact
            for step in self.by_key.values()
            if step.kind in steps.registry
        )

    def step(self, key: str) -> steps.Step:
        """Build a step; raises UnknownKind or InvalidOptions when its app is gone or changed."""
        return definitions.read_step(self.by_key[key])

    def after(self, key: str, branch: str = "") -> str:
        """Return the key to go on with after a step, through a branch where it has one."""
        if branch:
            inside = self.by_key[key].branches.get(branch, ())
            if inside:
                return inside[0].key
        return self.following[key]


def plan_of(version: FlowVersion) -> Plan:
    """Return the plan of a version; cached, because versions never change."""
    return _plan(version.pk, version.content_hash)


@lru_cache(maxsize=256)
def _plan(version_id: int, content_hash: str) -> Plan:
    stored = FlowVersion.objects.values_list("definition", flat=True).get(pk=version_id)
    return plan_from(FlowDefinition.from_dict(stored))


def plan_from(definition: FlowDefinition) -> Plan:
    """Return the plan of a flow on paper."""
    following: dict[str, str] = {}
    _link(definition.steps, "", following)
    return Plan(
        definition=definition,
        by_key={step.key: step for step, *_rest in definition.walk()},
        following=following,
    )


def _link(siblings: tuple[StepDefinition, ...], then: str, following: dict[str, str]) -> None:
    for index, step in enumerate(siblings):
        follower = siblings[index + 1].key if index + 1 < len(siblings) else then
        following[step.key] = follower
        for children in step.branches.values():
            _link(children, follower, following)
