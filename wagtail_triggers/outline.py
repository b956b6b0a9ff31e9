"""A flow in words, for the preview panel: what starts it, what happens then, who is waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import npgettext, pgettext

from oscar_triggers import conditions, events, steps
from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.kinds import Kind, parse_duration, to_json

from .blocks.durations import split_duration
from .blocks.options import (
    KEYS,
    VOUCHER,
    WEIGHTS,
    default_of,
    is_condition,
    is_condition_list,
)
from .blocks.ways import BRANCH_LABELS
from .checking import FIELDS, FORM_FIELDS, draft_problems
from .compiler import Draft, to_definition
from .forecast import forecast
from .languages import in_staff_language
from .voucher_words import voucher_in_words

#: Names of what options hold by key: {"template": {"letter-1": "First letter"}}.
Names = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One condition in words, with those that it joins."""

    text: str
    inner: tuple[Question, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step of the outline, with the lines of its branches."""

    label: str
    #: Its place in the flow, from 1; branches count on. 0 for what is no step.
    number: int = 0
    #: The step's own key, which is the id of its block in the form.
    key: str = ""
    detail: str = ""
    questions: tuple[Question, ...] = ()
    #: Drawn apart: it has a problem, or a message stands there.
    problem: bool = False
    branches: tuple[tuple[str, tuple[Line, ...]], ...] = ()


@in_staff_language
def preview_flow(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Show a draft in words, with what still keeps it from being published."""
    try:
        definition = to_definition(draft)
        problems = draft_problems(draft)
    except (UnknownKind, InvalidOptions) as error:
        return TemplateResponse(
            request, "wagtail_triggers/flow_outline.html", {"problems": [str(error)]}
        )
    broken = {problem.where.rpartition(" › ")[2] for problem in problems}
    return TemplateResponse(
        request,
        "wagtail_triggers/flow_outline.html",
        {
            "name": draft.name,
            "trigger": trigger_line(definition),
            "entry": [question(data) for data in definition.entry],
            "stay": [question(data) for data in definition.stay],
            "lines": outline(definition, broken, option_names()),
            "goals": [event_label(kind) for kind in definition.goals],
            "problems": [capfirst(_said(problem, definition, draft)) for problem in problems],
            "forecast": forecast(draft, timezone.now()),
        },
    )


def outline(
    definition: FlowDefinition,
    broken: frozenset[str] | set[str] = frozenset(),
    names: Names | None = None,
) -> tuple[Line, ...]:
    """Return the steps of a flow in words; those in `broken` are marked.

    `names` tells the names of what options hold by key, by the option's format.
    """
    numbers = {id(step): number for number, (step, *_rest) in enumerate(definition.walk(), 1)}
    return _lines(definition.steps, numbers, broken, names or {})


def _lines(
    found: Iterable[StepDefinition],
    numbers: Mapping[int, int],
    broken: frozenset[str] | set[str],
    names: Names,
) -> tuple[Line, ...]:
    lines = []
    for step in found:
        kind = steps.registry.get(step.kind)
        lines.append(
            Line(
                number=numbers[id(step)],
                key=step.key,
                label=capfirst(str(kind.label or step.kind)),
                detail=_details(kind, step.options, names),
                questions=_questions(kind, step.options),
                problem=step.key in broken,
                branches=tuple(
                    (
                        str(BRANCH_LABELS.get(name, capfirst(name))),
                        _lines(step.branches.get(name, ()), numbers, broken, names),
                    )
                    for name in _used_branches(kind, step)
                ),
            )
        )
    return tuple(lines)


def trigger_line(definition: FlowDefinition) -> Line | None:
    """Return what starts a flow, in words."""
    if definition.trigger not in events.registry:
        return None
    event = events.registry.get(definition.trigger)
    return Line(
        label=event_label(definition.trigger),
        detail=_details(event.options_class, definition.trigger_options, {}),
        questions=_questions(event.options_class, definition.trigger_options),
    )


def question(data: Mapping[str, Any]) -> Question:
    """Return a condition in words."""
    kind = conditions.registry.get(str(data.get("kind")))
    options = {name: value for name, value in data.items() if name != "kind"}
    details = _details(kind, options, {})
    label = capfirst(str(kind.label or kind.kind))
    return Question(
        text=f"{label}: {details}" if details else label, inner=_questions(kind, options)
    )


def option_names() -> Names:
    """Return the names of what options hold by key, by the option's format."""
    return {name: dict(choices()) for name, choices in KEYS.items()}


def _used_branches(kind: type[steps.Step], step: StepDefinition) -> list[str]:
    """Return the branches that people can take: a split's are those with a share."""
    weights = next(
        (
            step.options.get(option.name)
            for option in kind.option_fields()
            if option.metadata.get("format") == WEIGHTS
        ),
        None,
    )
    return [
        name
        for name in kind.branches
        if weights is None or weights.get(name) or step.branches.get(name)
    ]


def _questions(kind: type[Kind], options: Mapping[str, Any]) -> tuple[Question, ...]:
    """Return the conditions that a kind's options hold."""
    types = kind.option_types()
    found: list[Question] = []
    for option in kind.option_fields():
        value = options.get(option.name)
        if value and is_condition_list(option):
            found += [question(one) for one in value]
        elif value and is_condition(option, types[option.name]):
            found.append(question(value))
    return tuple(found)


def _details(kind: type[Kind], options: Mapping[str, Any], names: Names) -> str:
    """Return the options that were set, each by its label; a duration with its unit."""
    parts = []
    types = kind.option_types()
    for option in kind.option_fields():
        value = options.get(option.name)
        if value in (None, "", [], {}) or value is False or _is_usual(option, value):
            continue
        if is_condition_list(option) or is_condition(option, types[option.name]):
            continue
        label = str(option.metadata.get("label") or option.name.replace("_", " "))
        shown = _shown(option, value, names)
        # "Number of orders: is less than" needs no "Comparison" between.
        speaks_for_itself = len(kind.option_fields()) == 1 or option.name == "comparison"
        parts.append(shown if speaks_for_itself else f"{label}: {shown}")
    return " · ".join(parts)


def options_in_words(kind: type[Kind], options: Mapping[str, Any], names: Names) -> dict[str, str]:
    """Return each option that was set by its label, conditions too."""
    found = {}
    types = kind.option_types()
    for option in kind.option_fields():
        value = options.get(option.name)
        if value in (None, "", [], {}) or value is False:
            continue
        label = str(option.metadata.get("label") or capfirst(option.name.replace("_", " ")))
        if is_condition_list(option):
            found[label] = "; ".join(whole_question(question(one)) for one in value)
        elif is_condition(option, types[option.name]):
            found[label] = whole_question(question(value))
        else:
            found[label] = _shown(option, value, names)
    return found


def whole_question(one: Question) -> str:
    """Return a condition with all that it joins in one line."""
    if not one.inner:
        return one.text
    return f"{one.text} ({'; '.join(whole_question(inner) for inner in one.inner)})"


def _is_usual(option: Any, value: Any) -> bool:
    """Say whether an option was left as it comes, which goes without saying."""
    usual = to_json(default_of(option)) == value
    return usual and (option.metadata.get("choices") is not None or not value)


def _shown(option: Any, value: Any, names: Names) -> str:
    format_ = option.metadata.get("format")
    if format_ in names:
        return str(names[format_].get(str(value), value))
    choices = option.metadata.get("choices")
    if choices is not None:
        labels = dict(choices())
        several = value if isinstance(value, list | tuple) else [value]
        return ", ".join(str(labels.get(one, one)) for one in several)
    if format_ == VOUCHER:
        return voucher_in_words(value, duration_in_words(str(value.get("valid", "0s"))))
    if isinstance(value, dict):
        return ", ".join(f"{BRANCH_LABELS.get(name, name)} {item}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, str) and "timedelta" in str(option.type):
        return duration_in_words(value)
    return pgettext("triggers", "yes") if value is True else str(value)


def duration_in_words(text: str) -> str:
    """Return "2 days" for "2d"."""
    parts = split_duration(parse_duration(text))
    count = parts["amount"]
    forms = {
        "d": npgettext("triggers", "%(count)d day", "%(count)d days", count),
        "h": npgettext("triggers", "%(count)d hour", "%(count)d hours", count),
        "m": npgettext("triggers", "%(count)d minute", "%(count)d minutes", count),
        "s": npgettext("triggers", "%(count)d second", "%(count)d seconds", count),
    }
    return forms[parts["unit"]] % {"count": count}


def event_label(kind: str) -> str:
    """Return what an event is called; a kind that nobody registers reads as it is written."""
    if kind not in events.registry:
        return kind
    return capfirst(str(events.registry.get(kind).label or kind.replace("_", " ")))


def _said(problem: Any, definition: FlowDefinition, draft: Any) -> str:
    """Name the step of a problem by number and label instead of its key, a field as the form."""
    key = problem.where.rpartition(" › ")[2]
    for number, (step, *_rest) in enumerate(definition.walk(), start=1):
        if problem.where.startswith("steps") and step.key == key and step.kind in steps.registry:
            label = steps.registry.get(step.kind).label or step.kind
            return pgettext("triggers", "Step %(number)d, %(label)s: %(message)s") % {
                "number": number,
                "label": label,
                "message": problem.message,
            }
    field = FIELDS.get(problem.where, problem.where)
    if field in FORM_FIELDS:
        return f"{draft._meta.get_field(field).verbose_name}: {problem.message}"
    return str(problem)
