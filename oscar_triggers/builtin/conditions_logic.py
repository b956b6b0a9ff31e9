"""Conditions that join others: all of them, any of them, none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..exceptions import InvalidOptions
from ..kinds import option
from ..snapshots import Subject, Verdict

_J = TypeVar("_J", bound="Joining")


@dataclass(frozen=True, kw_only=True)
class Joining(Condition):
    """A question made of others, each of which is asked once for the whole batch.

    All of them are asked, also when the first decides: a verdict keeps the whole tree, as
    {"of": [{"kind": …, "holds": …, "compared": {…}}, …]}.
    """

    of: list[dict[str, Any]] = option(
        label=pgettext_lazy("triggers", "Questions"), format=conditions.SEVERAL
    )

    @classmethod
    def spelled_out(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the questions as a list; a single one may stand without it."""
        given = dict(stored)
        if isinstance(given.get("of"), Mapping):
            given["of"] = [given["of"]]
        return given

    @classmethod
    def from_options(cls: type[_J], stored: Mapping[str, Any]) -> _J:
        """Read the questions."""
        return super().from_options(cls.spelled_out(stored))

    def __post_init__(self) -> None:
        """Build the questions, so that a broken one is refused with its place in the tree."""
        if not self.of:
            raise InvalidOptions(
                pgettext("triggers", "'%(kind)s' needs at least one condition in 'of'.")
                % {"kind": self.kind}
            )
        _refuse_depth(self)
        assert self.questions

    @cached_property
    def questions(self) -> tuple[Condition, ...]:
        """Return the conditions that are joined; raises UnknownKind or InvalidOptions."""
        built = []
        for number, data in enumerate(self.of, start=1):
            try:
                built.append(conditions.from_options(data))
            except InvalidOptions as error:
                raise InvalidOptions(f"{self.kind} › {number}: {error}") from error
        return tuple(built)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Ask each question once for all subjects, and join what they answer."""
        answers = [question.holds_many(subjects, now) for question in self.questions]
        return [
            Verdict(
                holds=self.join([verdict.holds for verdict in row]),
                compared={
                    "of": [
                        {
                            "kind": question.kind,
                            "holds": verdict.holds,
                            "compared": dict(verdict.compared),
                        }
                        for question, verdict in zip(self.questions, row, strict=True)
                    ]
                },
            )
            for row in zip(*answers, strict=True)
        ]

    def join(self, answers: Sequence[bool]) -> bool:
        """Say what the answers amount to."""
        raise NotImplementedError


@conditions.register
@dataclass(frozen=True, kw_only=True)
class All(Joining):
    """Holds when every question holds."""

    kind: ClassVar[str] = "all"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Every one of the conditions inside must hold."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "All of these")

    def join(self, answers: Sequence[bool]) -> bool:
        """Return whether all are true."""
        return all(answers)


@conditions.register
@dataclass(frozen=True, kw_only=True)
class AnyOf(Joining):
    """Holds when at least one question holds."""

    kind: ClassVar[str] = "any"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "One of the conditions inside is enough."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Any of these")

    def join(self, answers: Sequence[bool]) -> bool:
        """Return whether one is true."""
        return any(answers)


@conditions.register
@dataclass(frozen=True, kw_only=True)
class NoneOf(Joining):
    """Holds when no question holds; with one question, when that one does not."""

    kind: ClassVar[str] = "not"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "None of the conditions inside may hold."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "None of these")

    @classmethod
    def spelled_out(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the questions as a list; an author may write the only one as `condition`."""
        given = dict(stored)
        if "condition" in given and "of" not in given:
            given["of"] = [given.pop("condition")]
        return super().spelled_out(given)

    def join(self, answers: Sequence[bool]) -> bool:
        """Return whether none is true."""
        return not any(answers)


def _refuse_depth(joining: Joining) -> None:
    """Refuse a tree that is deeper than anybody can read, before it is built."""
    level: list[Any] = [*joining.of]
    for _depth in range(conditions.MAX_TREE_DEPTH - 1):
        level = [
            child
            for data in level
            if isinstance(data, Mapping)
            for child in conditions.children_of(data)
        ]
        if len(level) > conditions.MAX_TREE_SIZE:
            break
        if not level:
            return
    raise InvalidOptions(
        pgettext(
            "triggers",
            "A tree of conditions has %(depth)d levels and %(size)d questions at most.",
        )
        % {"depth": conditions.MAX_TREE_DEPTH, "size": conditions.MAX_TREE_SIZE}
    )
