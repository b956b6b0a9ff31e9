"""Checks of a flow before it is published; every room registers its own."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import pgettext

from ..conf import triggers_settings
from ..definitions import FlowDefinition
from ..exceptions import Problem

Check = Callable[[FlowDefinition], list[Problem]]
_checks: list[Check] = []


def register(check: Check) -> Check:
    """Register a check (a decorator)."""
    if check not in _checks:
        _checks.append(check)
    return check


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
