"""Days that come back each year, as birthdays: the event, and the sweep that sees them coming.

Twenty-ninths of February are kept on 28 February or 1 March in the years without one. Whose
birth date is corrected is not congratulated twice: the event happens once for each contact,
field and year, whatever the field says by then.
"""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Right
from django.utils.translation import pgettext, pgettext_lazy

from .. import events
from ..engine import fields, intake, plans, sweeping
from ..engine.intake import Record
from ..events import Event, TriggerOptions
from ..exceptions import TriggersError
from ..kinds import option
from ..models import RUNNING, Contact, ContactPoint, Flow, Pulse
from ..policy.points import SMS
from ..policy.zones import zone_of
from ..snapshots import About, Person

FEB_28 = "feb_28"
MAR_1 = "mar_1"

#: How many contacts are read at once.
BATCH = 1_000
#: No clock on earth is further from UTC than this (UTC+14, and UTC-12 the other way).
_FURTHEST = timedelta(hours=15)
_MOST_DAYS_BEFORE = 180
_STORED = re.compile(r"(?:(?P<year>\d{4})|-)-(?P<month>\d\d)-(?P<day>\d\d)\Z")


def _feb_29_choices() -> list[tuple[str, Any]]:
    return [
        (FEB_28, pgettext_lazy("triggers", "on 28 February")),
        (MAR_1, pgettext_lazy("triggers", "on 1 March")),
    ]


@dataclass(frozen=True, kw_only=True)
class AnnualDateOptions(TriggerOptions):
    """Which day, how long before it, and at what time of the contact's day."""

    field: str = option(
        default="birthday",
        label=pgettext_lazy("triggers", "Field with the date"),
        help_text=pgettext_lazy("triggers", "A field of the contact that holds a date."),
    )
    days_before: int = option(default=0, label=pgettext_lazy("triggers", "Days before it"))
    at: time = option(
        default=time(9),
        label=pgettext_lazy("triggers", "Time of day"),
        help_text=pgettext_lazy("triggers", "In the contact's time zone, as in 09:00."),
    )
    feb_29: str = option(
        default=FEB_28,
        label=pgettext_lazy("triggers", "29 February, in other years"),
        choices=_feb_29_choices,
    )

    def __post_init__(self) -> None:
        """Refuse a field, a number of days and a rule that are none."""
        fields.check_name(self.field)
        if not 0 <= self.days_before <= _MOST_DAYS_BEFORE:
            raise ValueError(
                pgettext("triggers", "days_before must be from 0 to %(count)d")
                % {"count": _MOST_DAYS_BEFORE}
            )
        if self.feb_29 not in (FEB_28, MAR_1):
            raise ValueError(
                pgettext("triggers", "feb_29 must be '%(one)s' or '%(other)s'")
                % {"one": FEB_28, "other": MAR_1}
            )


@events.register
@dataclass(frozen=True, kw_only=True)
class AnnualDate(Event):
    """A day of the contact that comes back each year is here, or so many days off.

    The day itself is not told: it is personal data and stands in `Contact.fields`.
    """

    kind: ClassVar[str] = "annual_date"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A day of the year, as a birthday")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "A date that you keep of a contact comes back, or will in so many days."
    )
    options_class: ClassVar[type[TriggerOptions]] = AnnualDateOptions
    is_timely: ClassVar[bool] = True

    field: str
    #: The year of the day itself, also when the event is in the December before.
    year: int
    days_before: int = 0
    at: time = time(9)
    feb_29: str = FEB_28

    def episode_key(self, about: About | None) -> str:
        """Return one key for each field and year, as in "annual_date:birthday:2026"."""
        return f"{self.kind}:{self.field}:{self.year}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow asked for this very day and time."""
        return isinstance(options, AnnualDateOptions) and options == _wish_of(self)


def _wish_of(event: AnnualDate) -> AnnualDateOptions:
    return AnnualDateOptions(
        field=event.field, days_before=event.days_before, at=event.at, feb_29=event.feb_29
    )


def years_due(
    stored: object, options: AnnualDateOptions, zone: ZoneInfo, since: datetime, now: datetime
) -> list[int]:
    """Return the years whose day falls due after `since` and not after `now` (UTC), in order.

    `stored` is ISO text, as in "1990-02-28", or "--02-28" where nobody knows the year; whatever
    is no date is never due, and neither are the years before it. A time that a clock change
    skips is taken an hour (on Lord Howe: half an hour) later, a doubled one the first time.
    """
    match = _STORED.match(str(stored))
    if match is None:
        return []
    first = int(match["year"] or 1)
    earliest = (since - _FURTHEST).date() + timedelta(days=options.days_before)
    latest = (now + _FURTHEST).date() + timedelta(days=options.days_before)
    found = []
    for year in range(max(earliest.year, first), latest.year + 1):
        day = _day_in(year, int(match["month"]), int(match["day"]), options.feb_29)
        if day is None or not earliest <= day <= latest:
            continue
        if since < _moment(day, options, zone) <= now:
            found.append(year)
    return found


def _day_in(year: int, month: int, day: int, feb_29: str) -> date | None:
    if (month, day) == (2, 29) and not calendar.isleap(year):
        month, day = (2, 28) if feb_29 == FEB_28 else (3, 1)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _moment(day: date, options: AnnualDateOptions, zone: ZoneInfo) -> datetime:
    local = day - timedelta(days=options.days_before)
    return datetime.combine(local, options.at, tzinfo=zone).astimezone(UTC)


@sweeping.register
class AnnualDateSweep(sweeping.Sweep):
    """Tells of the days that fall due, for the running flows that ask for them.

    It looks back as far as the most patient of these flows allows, so that what an outage hid is
    found; who is less patient turns a late one away at entry.
    """

    name = "annual_dates"
    #: It reads a field of every contact, which has no index.
    every = timedelta(minutes=1)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Record the days that are due; those that are known already change nothing."""
        found = 0
        by_field: dict[str, dict[AnnualDateOptions, timedelta]] = defaultdict(dict)
        for options, patience in _wishes():
            wanted = by_field[options.field]
            wanted[options] = max(patience, wanted.get(options, patience))
        for name, wanted in by_field.items():
            for rows in _batches(_whose_day_is_near(name, wanted, now)):
                records = _records(rows, wanted, now)
                intake.record_many(records)
                found += len(records)
        return {"due": found}


def _wishes() -> Iterator[tuple[AnnualDateOptions, timedelta]]:
    """Yield what each running flow listens to, and how late it may be."""
    for flow in Flow.objects.filter(
        trigger_kind=AnnualDate.kind, state__in=RUNNING, live_version__isnull=False
    ).select_related("live_version"):
        assert flow.live_version is not None
        try:
            definition = plans.plan_of(flow.live_version).definition
            _event_class, options = definition.trigger_event()
        except TriggersError:
            # Routing tells of it, for every kind of event.
            continue
        if isinstance(options, AnnualDateOptions):
            yield options, definition.max_lateness


def _whose_day_is_near(
    name: str, wanted: Mapping[AnnualDateOptions, timedelta], now: datetime
) -> QuerySet[Any, Any]:
    days: set[str] = set()
    for options, patience in wanted.items():
        day = (now - patience - _FURTHEST).date()
        while day <= (now + _FURTHEST).date():
            days |= spellings(day + timedelta(days=options.days_before), options.feb_29)
            day += timedelta(days=1)
    text = KeyTextTransform(name, "fields")
    return (
        Contact.objects.filter(joined_into=None)
        .annotate(stored=text, day=Right(text, 5))
        .filter(day__in=days)
        .order_by("pk")
        .values("pk", "user_id", "language", "time_zone", "site_id", "stored")
    )


def spellings(day: date, feb_29: str) -> set[str]:
    """Return how dates that are kept on a day end, as in "02-28" and "02-29"."""
    found = {f"{day:%m-%d}"}
    if (day.month, day.day) == ((2, 28) if feb_29 == FEB_28 else (3, 1)):
        found.add("02-29")
    return found


def _batches(rows: QuerySet[Any, Any]) -> Iterator[list[dict[str, Any]]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        yield batch
        last = batch[-1]["pk"]


def _records(
    rows: Sequence[Mapping[str, Any]], wanted: Mapping[AnnualDateOptions, timedelta], now: datetime
) -> list[Record]:
    phones = _phones(row["pk"] for row in rows if not row["time_zone"])
    records = []
    for row in rows:
        zone = zone_of(row["time_zone"], phones[row["pk"]], row["site_id"])
        for options, patience in wanted.items():
            records += [
                _record(row, options, year, zone)
                for year in years_due(row["stored"], options, zone, now - patience, now)
            ]
    return records


def _record(
    row: Mapping[str, Any], options: AnnualDateOptions, year: int, zone: ZoneInfo
) -> Record:
    match = _STORED.match(str(row["stored"]))
    assert match is not None
    day = _day_in(year, int(match["month"]), int(match["day"]), options.feb_29)
    assert day is not None
    return Record(
        event=AnnualDate(
            field=options.field,
            year=year,
            days_before=options.days_before,
            at=options.at,
            feb_29=options.feb_29,
        ),
        contact=row["pk"],
        person=Person(
            contact_id=row["pk"],
            user_id=row["user_id"],
            language=row["language"],
            time_zone=row["time_zone"],
        ),
        occurred_at=_moment(day, options, zone),
        site_id=row["site_id"],
        # By the year and not by the day: a corrected date is not another day this year.
        key=f"{options.field}:{year}:{options.days_before}:{options.at:%H:%M}:{options.feb_29}:{row['pk']}",
    )


def _phones(contact_ids: Iterable[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    ids = set(contact_ids)
    if ids:
        for contact_id, normalised in ContactPoint.objects.filter(
            contact_id__in=ids, channel=SMS
        ).values_list("contact_id", "normalised"):
            found[contact_id].append(normalised)
    return found
