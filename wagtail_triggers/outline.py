"""A flow in words, for the preview panel: what starts it, what happens then, who is waiting."""

from __future__ import annotations

from collections.abc import Iterable
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
from oscar_triggers.kinds import Kind, parse_duration

from .blocks.choices import template_choices
from .blocks.durations import split_duration
from .blocks.kinds import BRANCH_LABELS
from .checking import FIELDS, FORM_FIELDS, draft_problems
from .compiler import Draft, to_definition
from .forecast import forecast
from .languages import in_staff_language


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step of the outline, with the lines of its branches."""

    label: str
    detail: str = ""
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
            "entry": [condition_line(data) for data in definition.entry],
            "lines": outline(definition.steps, broken, dict(template_choices())),
            "goals": [_event_label(kind) for kind in definition.goals],
            "problems": [capfirst(_said(problem, definition, draft)) for problem in problems],
            "forecast": forecast(draft, timezone.now()),
        },
    )


def outline(
    found: Iterable[StepDefinition],
    broken: frozenset[str] | set[str] = frozenset(),
    templates: dict[str, str] | None = None,
) -> tuple[Line, ...]:
    """Return steps in words; those in `broken` are marked."""
    names = templates or {}
    lines = []
    for step in found:
        kind = steps.registry.get(step.kind)
        lines.append(
            Line(
                label=capfirst(str(kind.label or step.kind)),
                detail=_details(kind, step.options, names),
                problem=step.key in broken,
                branches=tuple(
                    (
                        str(BRANCH_LABELS.get(name, capfirst(name))),
                        outline(step.branches.get(name, ()), broken, names),
                    )
                    for name in kind.branches
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
        label=_event_label(definition.trigger),
        detail=_details(event.options_class, definition.trigger_options, {}),
    )


def condition_line(data: Any) -> str:
    """Return a condition in words."""
    kind = conditions.registry.get(str(data.get("kind")))
    options = {name: value for name, value in data.items() if name != "kind"}
    details = _details(kind, options, {})
    label = capfirst(str(kind.label or kind.kind))
    return f"{label}: {details}" if details else label


def _details(kind: type[Kind], options: Any, templates: dict[str, str]) -> str:
    """Return the options that were set, each by its label; a duration with its unit."""
    parts = []
    for option in kind.option_fields():
        value = options.get(option.name)
        if value in (None, "", [], {}) or value is False or _is_usual(option, value):
            continue
        if option.metadata.get("format") == "condition":
            parts.append(condition_line(value))
            continue
        label = str(option.metadata.get("label") or option.name.replace("_", " "))
        shown = _shown(option, value, templates)
        parts.append(shown if len(kind.option_fields()) == 1 else f"{label}: {shown}")
    return " · ".join(parts)


def _is_usual(option: Any, value: Any) -> bool:
    """Say whether a choice was left at its default, which goes without saying."""
    return option.metadata.get("choices") is not None and bool(option.default == value)


def _shown(option: Any, value: Any, templates: dict[str, str]) -> str:
    if option.metadata.get("format") == "template":
        return templates.get(str(value), str(value))
    choices = option.metadata.get("choices")
    if choices is not None:
        return str(dict(choices()).get(value, value))
    if option.metadata.get("format") == "voucher" and "percent" in value:
        return pgettext("triggers", "%(percent)s %% off, good for %(time)s") % {
            "percent": value["percent"],
            "time": duration_in_words(str(value.get("valid", "0s"))),
        }
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
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


def _event_label(kind: str) -> str:
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
