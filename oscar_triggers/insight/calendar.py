"""The calendar: what will go out on which day, as far as the rows can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    DateTimeField,
    F,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, TruncDate

from ..models import (
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    FlowState,
    LetterState,
    MessageState,
    OneOffLetter,
    Owner,
)


class Sort(StrEnum):
    """What an entry tells of."""

    #: A one-off letter that waits for its day, or went out on it.
    LETTER = "letter"
    #: Messages that wait in the outbox.
    PLANNED = "planned"
    #: People who go on in a flow then; whether a message follows is decided on that day.
    GOING_ON = "going_on"
    #: What the calendar brings, as birthdays, if nothing changes until then.
    EXPECTED = "expected"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of one day."""

    day: date
    sort: Sort
    #: The name of the flow or letter.
    label: str
    #: How many people or messages; None where nobody can tell yet.
    count: int | None = None
    flow_id: int | None = None
    letter_id: int | None = None
    #: A one-off letter's state.
    state: str = ""
    #: When, in the given zone, where it has an hour.
    at: datetime | None = None


#: Given the first and the last day and the zone in which they are days, returns what a room
#: expects to happen; must ask the database a constant number of times.
Source = Callable[[date, date, Any], Iterable[Entry]]
_sources: list[Source] = []


def source(function: Source) -> Source:
    """Have a function asked for what it expects (a decorator)."""
    if function not in _sources:
        _sources.append(function)
    return function


def between(first: date, last: date, zone: Any, now: datetime) -> dict[date, list[Entry]]:
    """Return what is on each day from `first` to `last`, both included, in a zone.

    A constant number of queries. Days that are over show one-off letters only.
    """
    since = datetime.combine(first, time.min, zone)
    until = datetime.combine(last + timedelta(days=1), time.min, zone)
    found: dict[date, list[Entry]] = defaultdict(list)
    parts = [_letters(since, until, zone), _planned(since, until, zone)]
    if now < until:
        parts.append(_going_on(max(since, now), until, zone))
    rows = parts[0].union(*parts[1:], all=True)
    entries = [_entry(row, zone) for row in rows]
    today = now.astimezone(zone).date()
    if last >= today:
        for function in _sources:
            entries += function(max(first, today), last, zone)
    for entry in entries:
        found[entry.day].append(entry)
    return {
        day: sorted(rows, key=lambda one: (list(Sort).index(one.sort), one.label))
        for day, rows in found.items()
    }


def _entry(row: Sequence[Any], zone: Any) -> Entry:
    sort, day, label, count, flow_id, letter_id, state, at = row
    return Entry(
        sort=Sort(sort),
        day=day,
        label=label,
        count=count,
        flow_id=flow_id,
        letter_id=letter_id,
        state=state,
        at=at.astimezone(zone) if at is not None else None,
    )


def _columns(sort: Sort, **found: Any) -> dict[str, Any]:
    """Return what each part of the one query selects, in the order of `_entry`."""
    nothing: dict[str, Any] = {
        "letter": Value(None, output_field=BigIntegerField()),
        "its_state": Value("", output_field=CharField()),
        "moment": Value(None, output_field=DateTimeField()),
    }
    return {"sort": Value(sort.value, output_field=CharField()), **nothing, **found}


_ORDER = ("sort", "day", "label", "people", "of_flow", "letter", "its_state", "moment")


def _letters(since: datetime, until: datetime, zone: Any) -> QuerySet[Any, Any]:
    moment = Coalesce("send_at", "started_at", "start_at")
    told = _columns(
        Sort.LETTER,
        moment=F("at"),
        day=TruncDate("at", tzinfo=zone),
        label=F("name"),
        people=Case(
            When(started_at=None, then=F("confirmed_people")),
            default=F("chosen"),
            output_field=BigIntegerField(),
        ),
        of_flow=F("flow_id"),
        letter=F("pk"),
        its_state=F("state"),
    )
    return (
        OneOffLetter.objects.exclude(state=LetterState.CANCELLED)
        .annotate(at=moment)
        .filter(at__gte=since, at__lt=until)
        .annotate(**told)
        .order_by()
        .values_list(*_ORDER)
    )


def _planned(since: datetime, until: datetime, zone: Any) -> QuerySet[Any, Any]:
    rows = Dispatch.objects.filter(
        state__in=[DispatchState.PLANNED, DispatchState.RETRY],
        message__state=MessageState.PLANNED,
        message__is_shadow=False,
        message__flow__isnull=False,
        due_at__gte=since,
        due_at__lt=until,
    ).exclude(message__flow__owner=Owner.LETTER)
    return _by_day(rows, Sort.PLANNED, zone, flow="message__flow")


def _going_on(since: datetime, until: datetime, zone: Any) -> QuerySet[Any, Any]:
    rows = (
        Enrollment.objects.filter(
            state=EnrollmentState.ACTIVE, is_shadow=False, due_at__gte=since, due_at__lt=until
        )
        .exclude(flow__owner=Owner.LETTER)
        .exclude(flow__state__in=[FlowState.ARCHIVED, FlowState.SHADOW])
    )
    return _by_day(rows, Sort.GOING_ON, zone, flow="flow")


def _by_day(rows: QuerySet[Any], sort: Sort, zone: Any, *, flow: str) -> QuerySet[Any, Any]:
    """Count by day and flow."""
    grouped = {
        "day": TruncDate("due_at", tzinfo=zone),
        "label": F(f"{flow}__name"),
        "of_flow": F(f"{flow}__pk"),
    }
    found: QuerySet[Any, Any] = (
        rows.annotate(**grouped)
        .order_by()
        .values(*grouped)
        .annotate(**_columns(sort, people=Count("pk")))
        .values_list(*_ORDER)
    )
    return found
