"""Conditions: yes/no questions that keep the values they compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext, pgettext_lazy

from .exceptions import InvalidOptions, Problem, TriggersError
from .kinds import Kind
from .registry import Registry
from .snapshots import Subject, Verdict

#: Levels of a tree of conditions, the innermost questions counted too.
MAX_TREE_DEPTH = 5
#: Questions in one tree: each is asked for every subject.
MAX_TREE_SIZE = 60

#: Formats of options that hold one condition, or a list of them, as {"kind": …, option: value}.
ONE = "condition"
SEVERAL = "conditions"


@dataclass(frozen=True, kw_only=True)
class Condition(Kind):
    """A question about a subject; extensions write `holds`, the engine calls `holds_many`."""

    #: Types of `about` that the question makes sense for; empty means any.
    about_types: ClassVar[frozenset[str]] = frozenset()
    #: Whether the answer depends on what started the flow, or on the way through it: such a
    #: question cannot be asked of a person alone. Those with `about_types` always do.
    needs_event: ClassVar[bool] = False

    @classmethod
    def fits_segments(cls) -> bool:
        """Say whether it can be asked of a person outside any flow."""
        return not cls.needs_event and not cls.about_types

    @classmethod
    def spelled_out(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return written options in full, where authors may write them shorter."""
        return dict(stored)

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


def children_of(data: Mapping[str, Any]) -> list[Any]:
    """Return the conditions inside one that joins others, as they are written; else nothing."""
    kind = str(data.get("kind", ""))
    if kind not in registry:
        return []
    found: list[Any] = []
    condition_class = registry.get(kind)
    options = condition_class.spelled_out(data)
    for option in condition_class.option_fields():
        inside = options.get(option.name)
        if inside is None:
            continue
        if option.metadata.get("format") == SEVERAL and isinstance(inside, list | tuple):
            found += inside
        elif option.metadata.get("format") == ONE:
            found.append(inside)
    return found


def walk(data: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a condition and all inside it with their places, as in "any › 2 › not › 1".

    What is no mapping is left out; deeper than MAX_TREE_DEPTH nothing is looked at.
    """
    yield from _walk(data, place, 1)


def _walk(data: Any, place: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(data, Mapping):
        return
    yield place, data
    if depth >= MAX_TREE_DEPTH:
        return
    for number, child in enumerate(children_of(data), start=1):
        yield from _walk(child, _place(place, data, number), depth + 1)


def problems_of(data: Any, where: str) -> list[Problem]:
    """Return what is wrong with a condition, each at its place in the tree below `where`."""
    found = _problems(data, where, 1)
    if not found and sum(1 for _one in walk(data)) > MAX_TREE_SIZE:
        message = pgettext("triggers", "asks more than %(count)d questions") % {
            "count": MAX_TREE_SIZE
        }
        found = [Problem(where=where, message=message)]
    return found


def _problems(data: Any, where: str, depth: int) -> list[Problem]:
    if not isinstance(data, Mapping):
        message = pgettext("triggers", "a condition must be a mapping with a 'kind'")
        return [Problem(where=where, message=message)]
    inside = children_of(data)
    if inside and depth >= MAX_TREE_DEPTH:
        message = pgettext("triggers", "conditions are nested deeper than %(count)d levels") % {
            "count": MAX_TREE_DEPTH
        }
        return [Problem(where=where, message=message)]
    found: list[Problem] = []
    for number, child in enumerate(inside, start=1):
        found += _problems(child, _place(where, data, number), depth + 1)
    if found:
        return found
    try:
        from_options(data)
    except TriggersError as error:
        return [Problem(where=where, message=str(error))]
    return []


def _place(before: str, data: Mapping[str, Any], number: int) -> str:
    here = f"{data.get('kind')} › {number}"
    return f"{before} › {here}" if before else here
