"""Saved segments: those that editors named, read by the engine like those of the setting."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils.translation import pgettext

from .. import conditions
from ..definitions import KEY, FlowDefinition
from ..exceptions import Problem, ProblemsError
from ..kinds import to_json
from ..models import Flow, FlowState, LetterState, OneOffLetter, SavedSegment
from ..models.sql import database_for
from . import audience, segments
from .audience import Count
from .segments import Segment

#: How long a process goes by what it read (seconds): a tick, not a person, asks the table.
_READ_FOR = 5.0
#: States in which a letter still needs its segment.
UNFINISHED = (LetterState.DRAFT, LetterState.SCHEDULED, LetterState.SENDING)


class SegmentProblems(ProblemsError):
    """What keeps a segment from being saved or deleted."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """Something that asks for a segment."""

    #: "flow", "letter" or "segment".
    kind: str
    #: Key of a flow or segment, number of a letter.
    key: str
    name: str


@dataclass(kw_only=True)
class _Read:
    rows: Mapping[str, Segment]
    until: float


_read: dict[str, _Read] = {}


@segments.source
def saved() -> Mapping[str, Segment]:
    """Return the editors' segments, asked of the table once in some seconds."""
    known = _read.get("")
    if known is None or time.monotonic() >= known.until:
        rows = {one.key: segment_of(one) for one in SavedSegment.objects.all()}
        known = _read[""] = _Read(rows=rows, until=time.monotonic() + _READ_FOR)
    return known.rows


def segment_of(row: SavedSegment) -> Segment:
    """Return a row as the engine asks it."""
    return Segment(key=row.key, label=row.name, conditions=tuple(row.conditions))


def forget() -> None:
    """Ask the table anew at the next question, as after a change."""
    _read.clear()


@receiver([post_save, post_delete], sender=SavedSegment)
def _changed(**kwargs: object) -> None:
    forget()
    # What another thread reads before the commit is the old text.
    transaction.on_commit(forget, using=database_for(SavedSegment))


def problems_of(key: str, asked: Sequence[Mapping[str, Any]], *, is_new: bool) -> list[Problem]:
    """Return everything that keeps conditions from being a segment of that key."""
    found: list[Problem] = []
    if not KEY.match(key):
        message = pgettext("triggers", "needs a key of small letters, digits and hyphens")
        found.append(Problem(where="key", message=message))
    # What another process made a moment ago counts too.
    forget()
    known = segments.known()
    if is_new and key in known:
        message = pgettext("triggers", "There is a segment with this key already.")
        found.append(Problem(where="key", message=message))
    if not asked:
        message = pgettext("triggers", "Add at least one condition; all people would be too many.")
        found.append(Problem(where="conditions", message=message))
    for number, data in enumerate(asked, start=1):
        found += conditions.problems_of(data, f"conditions › {number}")
    found += misplaced_in(asked)
    way = segments.circle_of(
        key, {**known, key: Segment(key=key, label=key, conditions=tuple(asked))}
    )
    if way:
        message = pgettext(
            "triggers", "The segment would ask for itself: %(way)s. Take one of these out."
        ) % {"way": " → ".join(way)}
        found.append(Problem(where="conditions", message=message))
    return found


def misplaced_in(asked: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Name the questions that only somebody on their way through a flow can be asked."""
    kinds = dict.fromkeys(
        str(one.get("kind"))
        for data in asked
        for _place, one in conditions.walk(data)
        if one.get("kind") in conditions.registry
        and not conditions.registry.get(str(one["kind"])).fits_segments()
    )
    return [
        Problem(
            where="conditions",
            message=pgettext(
                "triggers",
                "“%(question)s” is about the way through a flow; a segment asks about the person.",
            )
            % {"question": conditions.registry.get(kind).label or kind},
        )
        for kind in kinds
    ]


def save(
    *,
    key: str,
    name: str,
    asked: Sequence[Mapping[str, Any]],
    now: datetime,
    by: Any = None,
    row: SavedSegment | None = None,
) -> SavedSegment:
    """Make a segment, or change `row`; raises SegmentProblems with everything that is wrong."""
    is_new = row is None or row.pk is None
    key = row.key if row is not None and row.pk is not None else key
    problems = problems_of(key, asked, is_new=is_new)
    if problems:
        raise SegmentProblems(problems)
    row = row or SavedSegment()
    row.key = key
    row.name = name
    row.conditions = to_json(list(asked))
    row.changed_at = now
    row.changed_by = by
    row.people = row.counted_at = None
    row.save()
    return row


def count_again(row: SavedSegment, now: datetime) -> Count:
    """Count who belongs now, and keep the number beside the segment."""
    counted = audience.count(segment_of(row), now)
    # An update: counting is no change of the segment.
    SavedSegment.objects.filter(pk=row.pk).update(
        people=counted.people,
        looked_at=counted.looked_at,
        known=counted.known,
        counted_at=now,
    )
    return counted


def letters_of(key: Any) -> QuerySet[OneOffLetter]:
    """Return the letters that are not over and go to a segment."""
    return OneOffLetter.objects.filter(segment=key, state__in=UNFINISHED)


def uses(keys: Iterable[str] | None = None, *, with_letters: bool = True) -> dict[str, list[Use]]:
    """Return what asks for each segment now, in a constant number of queries.

    Flows that are not switched off, letters that are not over, other segments.
    """
    found: dict[str, list[Use]] = {}

    def add(named: Iterable[str], use: Use) -> None:
        for key in named:
            if keys is None or key in keys:
                found.setdefault(key, []).append(use)

    running = Flow.objects.exclude(state=FlowState.ARCHIVED).filter(live_version__isnull=False)
    for flow in running.select_related("live_version").order_by("name"):
        assert flow.live_version is not None
        named = named_by_flow(FlowDefinition.from_dict(flow.live_version.definition))
        add(named, Use(kind="flow", key=flow.key, name=flow.name))
    unfinished = OneOffLetter.objects.filter(state__in=UNFINISHED).order_by("name")
    for pk, segment, name in (
        unfinished.values_list("pk", "segment", "name") if with_letters else ()
    ):
        add([segment], Use(kind="letter", key=str(pk), name=name))
    for other in segments.known().values():
        named = segments.named_in(other.conditions)
        add(named, Use(kind="segment", key=other.key, name=str(other.label)))
    return found


def named_by_flow(definition: FlowDefinition) -> set[str]:
    """Return the segments that a flow asks for: at its start, on the way, or in a step."""
    named = segments.named_in([*definition.entry, *definition.stay])
    for step, *_rest in definition.walk():
        for value in step.options.values():
            inside = value if isinstance(value, list | tuple) else [value]
            named |= segments.named_in([one for one in inside if isinstance(one, Mapping)])
    return named


def check_unused(row: SavedSegment) -> None:
    """Raise SegmentProblems, with their names, where something asks for a segment."""
    used = uses([row.key]).get(row.key, [])
    if used:
        message = pgettext(
            "triggers", "“%(segment)s” is used by %(names)s. Take it out there first."
        ) % {"segment": row.name, "names": ", ".join(f"“{one.name}”" for one in used)}
        raise SegmentProblems([Problem(message=message)])
