"""Where the values of letters come from: providers that other rooms register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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


class ContextProvider:
    """Reads what a letter says about one type of thing."""

    name: str = ""
    #: Types of `about` that it knows; empty for all.
    about_types: frozenset[str] = frozenset()

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject, in their order, in a constant number of queries."""
        raise NotImplementedError(f"{type(self).__name__} must define provide_many().")


registry: Registry[ContextProvider] = Registry("context provider")

P = TypeVar("P", bound=type[ContextProvider])


def register(provider_class: P) -> P:
    """Register a provider class under its name, or its class name (a class decorator)."""
    name = provider_class.name or provider_class.__name__
    if name not in registry:
        registry.add(name, provider_class())
    return provider_class


def provide_many(subjects: Sequence[Subject], now: datetime) -> list[Provided]:
    """Ask every provider that knows a subject's thing, and merge what they say."""
    merged = [Provided() for _subject in subjects]
    for provider in registry.values():
        wanted = [
            position
            for position, subject in enumerate(subjects)
            if not provider.about_types or subject.about.type in provider.about_types
        ]
        if not wanted:
            continue
        answers = provider.provide_many([subjects[position] for position in wanted], now)
        for position, answer in zip(wanted, answers, strict=True):
            before = merged[position]
            merged[position] = Provided(
                values=merge(before.values, answer.values),
                observed=merge(before.observed, answer.observed),
                unavailable=before.unavailable or answer.unavailable,
            )
    return merged


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
