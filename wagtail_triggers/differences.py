"""What differs between two texts of a flow, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.utils.formats import time_format
from django.utils.text import capfirst
from django.utils.translation import pgettext

from oscar_triggers import events, steps
from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.kinds import Kind, format_duration

from .compiler import from_definition
from .models import FlowDraft
from .naming import step_names
from .outline import (
    duration_in_words,
    event_label,
    option_names,
    options_in_words,
    question,
    whole_question,
)

#: Fields that are compared by their own words.
_APART = frozenset({"key", "trigger", "entry", "stay", "goals", "steps"})


class Sort(StrEnum):
    """What became of a part."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One part that differs, with what it said before and says now."""

    sort: Sort
    where: str
    #: (what, before, now); "" where it said nothing.
    rows: tuple[tuple[str, str, str], ...] = ()


def differences(old: FlowDefinition, new: FlowDefinition) -> list[Change]:
    """Return what differs, the start first, then steps in the order of the new text."""
    return [*_beginning(old, new), *_of_fields(old, new), *_of_steps(old, new)]


def _beginning(old: FlowDefinition, new: FlowDefinition) -> list[Change]:
    found: list[Change] = []
    before, after = _trigger(old), _trigger(new)
    _note(found, pgettext("triggers", "What starts it"), _rows(before, after))
    for name in ("entry", "stay"):
        label = _field_label(name)
        rows = _rows(_questions(getattr(old, name)), _questions(getattr(new, name)))
        _note(found, label, rows)
    goals = [", ".join(event_label(kind) for kind in one.goals) for one in (old, new)]
    if goals[0] != goals[1]:
        _note(found, _field_label("goals"), ((_field_label("goals"), goals[0], goals[1]),))
    return found


def _trigger(definition: FlowDefinition) -> dict[str, str]:
    said = {pgettext("triggers", "Event"): event_label(definition.trigger)}
    if definition.trigger in events.registry:
        kind = events.registry.get(definition.trigger).options_class
        said |= options_in_words(kind, definition.trigger_options, {})
    return said


def _questions(found: Any) -> dict[str, str]:
    """Return conditions by themselves: one that changed goes, and another comes."""
    return {text: text for text in (whole_question(question(data)) for data in found)}


def _of_fields(old: FlowDefinition, new: FlowDefinition) -> list[Change]:
    before, after = from_definition(old), from_definition(new)
    rows = tuple(
        (_field_label(name), _value(name, before.get(name)), _value(name, after.get(name)))
        for name in after
        if name not in _APART and before.get(name) != after.get(name)
    )
    found: list[Change] = []
    _note(found, pgettext("triggers", "Goals and limits"), rows)
    return found


def _of_steps(old: FlowDefinition, new: FlowDefinition) -> list[Change]:
    before, after = _placed(old), _placed(new)
    old_names, new_names = step_names(old), step_names(new)
    found = [
        Change(sort=Sort.REMOVED, where=old_names[key], rows=_rows(_options(step), {}))
        for key, (step, _place) in before.items()
        if key not in after
    ]
    for key, (step, place) in after.items():
        if key not in before:
            rows = _rows({}, _options(step))
            found.append(Change(sort=Sort.ADDED, where=new_names[key], rows=rows))
            continue
        was, old_place = before[key]
        rows = _rows(_options(was), _options(step))
        if rows:
            found.append(Change(sort=Sort.CHANGED, where=new_names[key], rows=rows))
        elif place != old_place:
            moved = ((pgettext("triggers", "Place"), old_names[key], new_names[key]),)
            found.append(Change(sort=Sort.MOVED, where=new_names[key], rows=moved))
    return found


def _placed(definition: FlowDefinition) -> dict[str, tuple[StepDefinition, tuple[str, str, str]]]:
    """Return each step by key with what it stands in and after."""
    found: dict[str, tuple[StepDefinition, tuple[str, str, str]]] = {}
    last: dict[tuple[str, str], str] = {}
    for step, parent, branch, *_rest in definition.walk():
        level = (parent.key if parent is not None else "", branch)
        found[step.key] = (step, (*level, last.get(level, "")))
        last[level] = step.key
    return found


def _options(step: StepDefinition) -> dict[str, str]:
    if step.kind not in steps.registry:
        return {}
    kind: type[Kind] = steps.registry.get(step.kind)
    return options_in_words(kind, step.options, option_names())


def _rows(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        ("" if name in (before.get(name), after.get(name)) else name,
         before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    )  # fmt: skip


def _note(found: list[Change], where: str, rows: tuple[tuple[str, str, str], ...]) -> None:
    if rows:
        found.append(Change(sort=Sort.CHANGED, where=where, rows=rows))


def _field_label(name: str) -> str:
    field: Any = FlowDraft._meta.get_field(name)
    return str(capfirst(str(field.verbose_name)))


def _value(name: str, value: Any) -> str:
    field: Any = FlowDraft._meta.get_field(name)
    choices = dict(getattr(field, "flatchoices", ()) or ())
    if value in choices:
        return str(choices[value])
    if isinstance(value, bool):
        return pgettext("triggers", "yes") if value else pgettext("triggers", "no")
    if isinstance(value, timedelta):
        return duration_in_words(format_duration(value))
    if hasattr(value, "hour"):
        return str(time_format(value))
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
