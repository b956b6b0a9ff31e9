"""Conditions: yes/no questions that keep the values they compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext, pgettext_lazy

from .exceptions import InvalidOptions
from .kinds import Kind
from .registry import Registry
from .snapshots import Subject, Verdict


@dataclass(frozen=True, kw_only=True)
class Condition(Kind):
    """A question about a subject; extensions write `holds`, the engine calls `holds_many`."""

    #: Types of `about` that the question makes sense for; empty means any.
    about_types: ClassVar[frozenset[str]] = frozenset()

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Answer for one subject."""
        raise NotImplementedError(f"{type(self).__name__} must define holds() or holds_many().")

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch, in its order; override it to ask the database once."""
        return [self.holds(subject, now) for subject in subjects]


C = TypeVar("C", bound=type[Condition])

registry: Registry[type[Condition]] = Registry(pgettext_lazy("triggers", "condition"))


def register(condition_class: C) -> C:
    """Register a condition class under its kind (a class decorator)."""
    if not condition_class.kind:
        raise InvalidOptions(f"{condition_class.__name__} must define a kind.")
    registry.add(condition_class.kind, condition_class)
    return condition_class


def from_options(data: Mapping[str, Any]) -> Condition:
    """Build a condition from {"kind": …, option: value}; raises UnknownKind or InvalidOptions."""
    if "kind" not in data:
        raise InvalidOptions(pgettext("triggers", "A condition needs a 'kind'."))
    return registry.get(str(data["kind"])).from_options(data)
