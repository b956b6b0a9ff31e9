"""A flow as a diagram: boxes in the order in which people come to them, with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import npgettext, pgettext

from oscar_triggers import steps
from oscar_triggers.definitions import StepDefinition
from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.insight import footsteps
from oscar_triggers.insight.footsteps import Footsteps
from oscar_triggers.models import Flow

from .blocks.kinds import FORK_ICON, ICONS
from .checking import SEPARATOR, draft_problems
from .compiler import Draft, to_definition
from .languages import in_staff_language
from .outline import (
    Line,
    Question,
    event_label,
    option_names,
    outline,
    question,
    trigger_line,
)

SPLIT = "split"
#: Steps at which everybody leaves.
_LAST = frozenset({"exit", "jump"})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One box, with the ways that begin there."""

    line: Line
    icon: str
    #: What happened there, as in "3 wait here now"; empty for what is not live.
    numbers: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    #: Whether everybody leaves the flow there.
    is_end: bool = False
    #: Where the variants of a split stand beside each other; "" for what is no split.
    compare_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One branch; those who come to its end go on below, unless everybody leaves in it."""

    label: str
    nodes: tuple[Node, ...]
    goes_on: bool


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """What there is to draw."""

    name: str
    trigger: Line | None
    entry: tuple[Question, ...]
    stay: tuple[Question, ...]
    nodes: tuple[Node, ...]
    goals: tuple[str, ...]
    #: Whether the numbers are of a version that is live.
    is_live: bool
    #: Whether people come to the last box's end.
    goes_on: bool


def diagram_of(draft: Draft, now: datetime) -> Diagram | str:
    """Return the diagram of a draft, or why it cannot be drawn yet."""
    try:
        definition = to_definition(draft)
        problems = draft_problems(draft)
    except (UnknownKind, InvalidOptions) as error:
        return str(error)
    broken = {
        problem.where.split(SEPARATOR)[1]
        for problem in problems
        if problem.where.startswith(f"steps{SEPARATOR}")
    }
    numbers = live_numbers(draft.key, now)
    lines = outline(definition, broken, option_names())
    return Diagram(
        name=draft.name,
        trigger=trigger_line(definition),
        entry=tuple(question(data) for data in definition.entry),
        stay=tuple(question(data) for data in definition.stay),
        nodes=_nodes(
            lines,
            {number: step for number, (step, *_rest) in enumerate(definition.walk(), start=1)},
            numbers,
            draft,
        ),
        goals=tuple(event_label(kind) for kind in definition.goals),
        is_live=bool(numbers),
        goes_on=not any(always_leaves(step) for step in definition.steps),
    )


@in_staff_language
def preview_diagram(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Show the diagram on a page of its own, where nothing leads into the form."""
    found = diagram_of(draft, timezone.now())
    context = {"problem": found} if isinstance(found, str) else {"diagram": found}
    return TemplateResponse(request, "wagtail_triggers/desk/diagram_page.html", context)


def live_numbers(key: str, now: datetime) -> Mapping[str, Footsteps]:
    """Return the numbers of the steps that are live, by their keys."""
    flow = Flow.objects.filter(key=key, live_version__isnull=False).first() if key else None
    return footsteps.of_flow(flow, now) if flow is not None else {}


def always_leaves(step: StepDefinition) -> bool:
    """Say whether nobody comes past a step."""
    if step.kind in _LAST:
        return True
    branches = steps.registry.get(step.kind).branches if step.kind in steps.registry else ()
    return bool(branches) and all(
        any(always_leaves(child) for child in step.branches.get(name, ())) for name in branches
    )


def numbers_in_words(numbers: Footsteps) -> tuple[str, ...]:
    """Return the numbers of a step, those that are none left out, waiting always told."""
    said = [
        npgettext("triggers", "%(count)d waits here", "%(count)d wait here", numbers.waiting)
        % {"count": numbers.waiting},
        npgettext("triggers", "%(count)d went on", "%(count)d went on", numbers.through)
        % {"count": numbers.through},
    ]
    if numbers.sent:
        said.append(pgettext("triggers", "%(count)d sent") % {"count": numbers.sent})
        said.append(
            pgettext("triggers", "%(count)d clicked (%(percent)d %%)")
            % {
                "count": numbers.clicked,
                "percent": round(100 * numbers.clicked / numbers.sent),
            }
        )
    return tuple(said)


def _nodes(
    lines: Iterable[Line],
    found: Mapping[int, StepDefinition],
    numbers: Mapping[str, Footsteps],
    draft: Draft,
) -> tuple[Node, ...]:
    nodes = []
    for line in lines:
        step = found[line.number]
        kind = steps.registry.get(step.kind)
        nodes.append(
            Node(
                line=line,
                icon=FORK_ICON if kind.branches else ICONS.get(kind.icon, kind.icon),
                numbers=numbers_in_words(numbers[step.key]) if step.key in numbers else (),
                ways=tuple(
                    Way(
                        label=label,
                        nodes=_nodes(inside, found, numbers, draft),
                        goes_on=not any(always_leaves(found[one.number]) for one in inside),
                    )
                    for label, inside in line.branches
                ),
                is_end=step.kind in _LAST,
                compare_url=_compare_url(step, draft),
            )
        )
    return tuple(nodes)


def _compare_url(step: StepDefinition, draft: Draft) -> str:
    pk = getattr(draft, "pk", None)
    if step.kind != SPLIT or not pk or not step.key:
        return ""
    return reverse("wagtail_triggers:variants", args=[quote(pk), step.key])
