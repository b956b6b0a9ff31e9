"""Guards: what must still be true in the very statement that marks a message as `sending`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import Q

from ..registry import Registry
from ..snapshots import Subject


class Consequence(StrEnum):
    """What a refusal means for the message and its enrollment."""

    #: This message is not sent; the enrollment goes on.
    SKIP = "skip"
    #: This message is not sent and the enrollment ends.
    EXIT = "exit"
    #: What was rendered is no longer true: read and render again; costs no attempt.
    STALE = "stale"
    #: Not now: try again at `Refused.until`; costs no attempt.
    POSTPONE = "postpone"


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Why a guard holds a message back, with the values it compared."""

    reason: str
    consequence: Consequence
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: For Consequence.EXIT: a models.ExitReason.
    exit_reason: str = "condition"
    #: For Consequence.POSTPONE: when to try again (UTC).
    until: datetime | None = None


class SendGuard:
    """One truth that a message depends on at the moment of its hand-over.

    `refusal` returns a condition that the database evaluates inside the UPDATE which marks the
    dispatch: what was committed before that statement began is seen by it, so an order that is
    already there always stops the letter. `explain` is asked only after a refusal.
    """

    name: str = ""
    #: Types of `about` that it guards; empty guards every message.
    about_types: frozenset[str] = frozenset()

    def contends_for(self, subject: Subject) -> int | None:
        """Return the number of what only one mark at a time may take; None for nothing.

        Marks that contend for the same number wait for each other, so that a refusal which
        counts other marks (a frequency cap) sees all of them.
        """
        return None

    def refusal(self, subject: Subject, observed: Mapping[str, Any]) -> Q | None:
        """Return what is true in the database when the message must not be handed over."""
        raise NotImplementedError(f"{type(self).__name__} must define refusal().")

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say why it refuses now; None when it does not."""
        raise NotImplementedError(f"{type(self).__name__} must define explain().")


registry: Registry[SendGuard] = Registry("send guard")

G = TypeVar("G", bound=type[SendGuard])


def register(guard_class: G) -> G:
    """Register a guard class under its name (a class decorator)."""
    if guard_class.name not in registry:
        registry.add(guard_class.name, guard_class())
    return guard_class


def refusal_of(members: Sequence[tuple[Subject, Mapping[str, Any]]]) -> Q | None:
    """Return what is true in the database when a message must not go; None when nothing is asked.

    `members` are those whom it speaks for, each with what was observed for it: several when the
    message is a bundle, and what holds one of them back holds the message back.
    """
    refused = Q()
    for subject, observed in members:
        for guard in guards_for(subject):
            refused |= guard.refusal(subject, observed) or Q()
    return refused or None


def guards_for(subject: Subject) -> list[SendGuard]:
    """Return the guards of what a subject is about, in the order of registration."""
    return [
        guard
        for guard in registry.values()
        if not guard.about_types or subject.about.type in guard.about_types
    ]
