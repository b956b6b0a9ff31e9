"""Guards: what must still be true in the very statement that marks a message as `sending`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import BooleanField, Expression, Q

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
        if self.asks_at_once:
            return Q(_OfOne(self, subject, observed))
        raise NotImplementedError(f"{type(self).__name__} must define refusal().")

    #: Whether it has `facts` and `condition` for a whole group at once, instead of `refusal`.
    asks_at_once: bool = False

    def facts(
        self, subject: Subject, observed: Mapping[str, Any], connection: Any
    ) -> Mapping[str, Any] | None:
        """Return what `condition` compares for one message, as JSON; None: nothing against it."""
        raise NotImplementedError(f"{type(self).__name__} must define facts().")

    def condition(
        self, connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
    ) -> tuple[str, Sequence[Any]]:
        """Return SQL and parameters that are true for a message which must not be handed over.

        `column` is the SQL of the column that holds the message's facts (JSON); `asked` are the
        facts of all messages that this statement marks. The same text for any number of them
        lets the database keep its plan. Must be false or NULL where the column is NULL.
        """
        raise NotImplementedError(f"{type(self).__name__} must define condition().")

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say why it refuses now; None when it does not."""
        raise NotImplementedError(f"{type(self).__name__} must define explain().")


class _OfOne(Expression):
    """What a guard that asks for a whole group says of one message."""

    conditional = True

    def __init__(self, guard: SendGuard, subject: Subject, observed: Mapping[str, Any]) -> None:
        super().__init__(output_field=BooleanField())
        self.guard, self.subject, self.observed = guard, subject, observed

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # Django's own name for it
        """Return the condition and its parameters."""
        facts = self.guard.facts(self.subject, self.observed, connection)
        if facts is None:
            return "(1 = 0)", []
        condition, params = self.guard.condition(connection, "alone.facts", [facts])
        kind = "::jsonb" if connection.vendor == "postgresql" else ""
        row = f"(SELECT %s{kind} AS facts) alone"
        sql = f"EXISTS (SELECT 1 FROM {row} WHERE {condition})"  # noqa: S608 - the guard's own words, values are parameters
        return sql, [json.dumps(facts), *params]


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
    message is a bundle, and what holds one of them back holds the message back. Guards that ask
    for a whole group at once are left out.
    """
    refused = Q()
    for subject, observed in members:
        for guard in guards_for(subject):
            if guard.asks_at_once:
                continue
            refused |= guard.refusal(subject, observed) or Q()
    return refused or None


def guards_for(subject: Subject) -> list[SendGuard]:
    """Return the guards of what a subject is about, in the order of registration."""
    return [
        guard
        for guard in registry.values()
        if not guard.about_types or subject.about.type in guard.about_types
    ]
