"""Checks of a flow before it is published; every room registers its own.

A problem keeps a flow from being published. A finding says more: how bad it is, and what to do;
`triggers_check` prints findings, and an editor may show them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import pgettext

from ..conf import triggers_settings
from ..definitions import FlowDefinition
from ..exceptions import Problem
from . import faults

logger = logging.getLogger(__name__)


class Level(StrEnum):
    """How bad a finding is."""

    #: It will not work, or not as its author means.
    ERROR = "error"
    #: It works, and is probably not meant.
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a check says about a flow."""

    level: Level
    #: Name of the check, the same in every language: "unreachable", "exit_on_purchase".
    rule: str
    message: str
    #: Where it stands, in the author's words: "steps › letter-2".
    where: str = ""
    #: 1-based line in that place, 0 when it has none.
    line: int = 0
    #: What to do about it, one sentence; "" when the message says it.
    advice: str = ""

    @classmethod
    def of_problem(cls, problem: Problem) -> Finding:
        """Return what keeps a flow from being published, as a finding."""
        return cls(
            level=Level.ERROR,
            rule="problem",
            message=problem.message,
            where=problem.where,
            line=problem.line,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "level": self.level.value}

    def __str__(self) -> str:
        text = str(Problem(message=self.message, where=self.where, line=self.line))
        return f"{text}; {self.advice}" if self.advice else text


Check = Callable[[FlowDefinition], list[Problem]]
Look = Callable[[FlowDefinition], list[Finding]]
_checks: list[Check] = []
_looks: list[Look] = []


def register(check: Check) -> Check:
    """Register a check for what keeps a flow from being published (a decorator)."""
    if check not in _checks:
        _checks.append(check)
    return check


def advise(look: Look) -> Look:
    """Register a look for what is wrong or odd, and still publishable (a decorator)."""
    if look not in _looks:
        _looks.append(look)
    return look


def problems_of(definition: FlowDefinition) -> list[Problem]:
    """Return everything that keeps a flow from being published."""
    problems = definition.problems()
    if definition.stream == "promotional" and definition.topic not in triggers_settings().topics:
        known = ", ".join(triggers_settings().topics)
        message = pgettext("triggers", "'%(topic)s' is no topic (known: %(known)s)") % {
            "topic": definition.topic,
            "known": known,
        }
        problems.append(Problem(where="topic", message=message))
    for check in _checks:
        problems += check(definition)
    return problems


def findings_of(definition: FlowDefinition) -> list[Finding]:
    """Return all that is wrong or odd about a flow, errors first; nothing is run or changed.

    A look that fails is told in the log and spares the others.
    """
    found = [Finding.of_problem(problem) for problem in problems_of(definition)]
    for look in _looks:
        try:
            found += look(definition)
        except Exception as error:  # noqa: BLE001 - one app's look must not stop the others
            name = getattr(look, "__name__", look)
            logger.error("The check %s of a flow failed: %s", name, faults.told(error))
    return sorted(found, key=lambda finding: finding.level != Level.ERROR)
