"""The errors that this package raises, as one tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import pgettext


class TriggersError(Exception):
    """Something that oscar_triggers cannot do, with what to do about it."""


class AlreadyRegistered(TriggersError):
    """Two extensions claim the same kind."""


class UnknownKind(TriggersError):
    """A stored or written kind that no installed app registers."""


class InvalidOptions(TriggersError):
    """Options that do not fit the dataclass of their kind."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong in an author's text or flow, and what to do next."""

    message: str
    #: Where it stands, in the author's words: "subject", "body", "steps › letter-2".
    where: str = ""
    #: 1-based line in that place, 0 when it has none.
    line: int = 0

    def __str__(self) -> str:
        place = self.where
        if self.line:
            line = pgettext("triggers", "line %(line)d") % {"line": self.line}
            place = f"{place}, {line}" if place else line
        return f"{place}: {self.message}" if place else self.message


class ProblemsError(TriggersError):
    """An author's work that cannot be published, with every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class DefinitionError(ProblemsError):
    """A flow that cannot be published."""


class TemplateError(ProblemsError):
    """A template that cannot be compiled."""


class Immutable(TriggersError):
    """An attempt to change or delete a row that is history."""


class CancelMessage(TriggersError):
    """Raised by a `message_sending` receiver to keep one message from going out."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
