"""A played flow as a table that editors read: when, where, what was decided, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import pgettext

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import simulation
from oscar_triggers.engine.simulation import SimulatedDecision

from .naming import step_names
from .scenes import Scene
from .wording import (
    Answer,
    compared_answers,
    compared_rows,
    reason_in_words,
    rule_in_words,
    verdict_in_words,
)

LONGEST = timedelta(days=180)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One decision."""

    at: datetime
    #: The step, or the rule that decided.
    where: str
    #: Place of the step in the form, "" for what is no step.
    place: str
    what: str
    #: Whether a letter was written that would leave.
    is_letter: bool
    compared: tuple[tuple[str, str], ...]
    answers: tuple[Answer, ...]
    subject: str
    text: str


def played(definition: FlowDefinition, scene: Scene, now: datetime) -> list[Row]:
    """Play a flow for somebody from now on; nothing remains of it. Raises TriggersError."""
    lines = simulation.simulate(
        definition,
        person=scene.person,
        act=scene.act,
        at=now,
        until=LONGEST,
        made_up=scene.made_up,
    )
    return list(_rows(lines, definition))


def _rows(lines: Sequence[SimulatedDecision], definition: FlowDefinition) -> Iterator[Row]:
    names = step_names(definition)
    for line in lines:
        compared = {name: _plain(value) for name, value in line.compared.items()}
        said = _said(line)
        yield Row(
            at=line.at,
            where=names.get(line.step_key) or rule_in_words(line.rule, names),
            place=f"block:{line.step_key}" if line.step_key in names else "",
            what=f"{said}: {reason_in_words(line.reason)}" if line.reason else said,
            is_letter=line.verdict == "shadowed",
            compared=tuple(compared_rows(compared, steps=names, kind=line.reason or line.rule)),
            answers=compared_answers(compared),
            subject=line.subject,
            text=line.text,
        )


def _said(line: SimulatedDecision) -> str:
    until = line.compared.get("until")
    if line.verdict == "wait" and isinstance(until, datetime):
        moment = date_format(localtime(until), "DATETIME_FORMAT")
        return pgettext("triggers", "waits until %(moment)s") % {"moment": moment}
    if line.verdict == "wait":
        return pgettext("triggers", "waits")
    return verdict_in_words(line.verdict)


def _plain(value: object) -> object:
    """Return a moment as the log keeps it, which is how it is put into words."""
    return value.isoformat() if isinstance(value, datetime) else value
