"""Where the values of letters come from: providers that other rooms register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from ..registry import Registry
from ..snapshots import Subject


@dataclass(frozen=True, kw_only=True)
class Provided:
    """What one provider has to say to one subject."""

    #: Nested plain values, by merge path.
    values: Mapping[str, Any] = field(default_factory=dict)
    #: What was seen while reading, as JSON values; guards compare it at the hand-over.
    observed: Mapping[str, Any] = field(default_factory=dict)
    #: Why there is nothing to say (a skip reason); "" when there is.
    unavailable: str = ""
    #: What was compared to find that out, as JSON values.
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One subject, and what its letter says: providers need not find out more."""

    subject: Subject
    #: The merge paths that the letter uses ("basket.lines[].title"); None: it may use any.
    paths: frozenset[str] | None = None
    #: Number of the message; None for previews.
    message_id: int | None = None

    def uses(self, root: str) -> bool:
        """Say whether the letter uses a path or anything below it."""
        return self.paths is None or _uses(self.paths, root)


@lru_cache(maxsize=1_024)
def _uses(paths: frozenset[str], root: str) -> bool:
    return any(path == root or path.startswith((f"{root}.", f"{root}[]")) for path in paths)


class ContextProvider:
    """Reads what a letter says about one type of thing."""

    name: str = ""
    #: Types of `about` that it knows; empty for all.
    about_types: frozenset[str] = frozenset()
    #: The path below which all its values are ("recommended"): it is asked only for letters that
    #: use something of it. Empty: it is always asked.
    only_for: str = ""

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject, in their order, in a constant number of queries."""
        raise NotImplementedError(f"{type(self).__name__} must define provide_many().")

    def provide_wanted(self, wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
        """Return what to say to each, for a provider that asks what their letters use."""
        return self.provide_many([one.subject for one in wanted], now)


registry: Registry[ContextProvider] = Registry("context provider")

P = TypeVar("P", bound=type[ContextProvider])


def register(provider_class: P) -> P:
    """Register a provider class under its name, or its class name (a class decorator)."""
    registry.add_one_of(provider_class)
    return provider_class


def provide_many(subjects: Sequence[Subject], now: datetime) -> list[Provided]:
    """Ask every provider that knows a subject's thing, whatever a letter may use."""
    return provide_wanted([Wanted(subject=subject) for subject in subjects], now)


def provide_wanted(wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
    """Ask every provider that knows a subject's thing, and merge what they say."""
    merged: list[Provided | None] = [None] * len(wanted)
    for provider in registry.values():
        positions = [
            position
            for position, one in enumerate(wanted)
            if not provider.about_types or one.subject.about.type in provider.about_types
            if not provider.only_for or one.uses(provider.only_for)
        ]
        if not positions:
            continue
        answers = provider.provide_wanted([wanted[position] for position in positions], now)
        for position, answer in zip(positions, answers, strict=True):
            before = merged[position]
            merged[position] = answer if before is None else _both(before, answer)
    return [one or Provided() for one in merged]


def _both(first: Provided, second: Provided) -> Provided:
    return Provided(
        values=merge(first.values, second.values),
        observed=merge(first.observed, second.observed),
        unavailable=first.unavailable or second.unavailable,
        compared={**second.compared, **first.compared},
    )


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, dict by dict; where both have a plain value the second one counts."""
    result = dict(first)
    for key, value in second.items():
        present = result.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            result[key] = merge(present, value)
        else:
            result[key] = value
    return result
