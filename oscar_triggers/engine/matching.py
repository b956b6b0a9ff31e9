"""How many people some conditions hold for now: counted in batches, within a limit of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from .. import conditions
from ..models import Contact
from ..snapshots import Subject
from . import audience

#: People asked at once; SQLite takes 32,766 values in one statement.
_AT_ONCE = 1_000
MOST_ASKED = 20_000
MOST_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How many people were asked, and for how many of them everything holds."""

    count: int
    #: How many were asked.
    asked: int
    #: How many there are.
    of: int
    #: Whether all of them were asked.
    is_whole: bool


def count_matching(
    asked: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    limit: int = MOST_ASKED,
    seconds: float = MOST_SECONDS,
) -> Matched:
    """Count the contacts for whom all of these conditions hold, those known longest first.

    It stops at `limit` people, or once `seconds` have passed, and says so. What `needs_event`
    names is to be left out before: nobody has an event yet. Raises UnknownKind or InvalidOptions.
    """
    questions = [conditions.from_options(data) for data in asked]
    of = Contact.objects.filter(joined_into=None).count()
    if not questions:
        return Matched(count=of, asked=of, of=of, is_whole=True)
    ends = monotonic() + seconds
    count = looked_at = 0
    for people in _batches(limit, now):
        looked_at += len(people)
        for question in questions:
            verdicts = question.holds_many(people, now)
            people = [one for one, verdict in zip(people, verdicts, strict=True) if verdict.holds]
            if not people:
                break
        count += len(people)
        if monotonic() >= ends:
            break
    of = max(of, looked_at)
    return Matched(count=count, asked=looked_at, of=of, is_whole=looked_at == of)


def needs_event(data: Mapping[str, Any]) -> bool:
    """Say whether a condition, or one that it joins, cannot be asked of a person alone."""
    for _place, one in conditions.walk(data):
        kind = str(one.get("kind", ""))
        if kind not in conditions.registry:
            continue
        asked = conditions.registry.get(kind)
        if asked.needs_event or asked.about_types:
            return True
    return False


def _batches(limit: int, now: datetime) -> Iterator[list[Subject]]:
    last, left = 0, limit
    while left > 0 and (people := audience.people(last, min(_AT_ONCE, left))):
        yield audience.subjects_of(people, now)
        last, left = people[-1].pk, left - len(people)
