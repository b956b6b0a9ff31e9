"""Moments on a person's wall clock and calendar, as moments in UTC."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..policy.zones import zone_of
from ..snapshots import Subject

FEB_28 = "feb_28"
MAR_1 = "mar_1"

_DAY = timedelta(days=1)


def zone_for(subject: Subject) -> ZoneInfo:
    """Return the time zone by which a person's day is counted."""
    return zone_of(subject.time_zone, subject.phones, subject.site_id)


def on_wall(day: date, shown: time, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC) at which a clock in a zone shows a time on a day.

    A time that a clock change skips is taken as much later as the clock jumps (02:30 becomes
    03:30, on Lord Howe 02:15 becomes 02:45); of a time that comes twice, the first is taken. A
    wall time is always built anew from its day: adding 24 hours drifts by what the clock changed.
    """
    return datetime.combine(day, shown, tzinfo=zone).astimezone(UTC)


def next_at(shown: time, zone: ZoneInfo, since: datetime) -> datetime:
    """Return the first moment from `since` on (UTC) at which a clock in a zone shows a time."""
    day = since.astimezone(zone).date() - _DAY
    while (moment := on_wall(day, shown, zone)) < since:
        day += _DAY
    return moment


def anniversary(born: date, year: int, feb_29: str = FEB_28) -> date:
    """Return the day of a year on which a date comes back.

    Who was born on 29 February keeps the day on 28 February in common years, as most laws and
    most families do (New Zealand and Taiwan by statute), or with MAR_1 on 1 March (England and
    Hong Kong): it is February's last day, or the day after it, but never no day at all.
    """
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 2, 28) if feb_29 == FEB_28 else date(year, 3, 1)
    return born.replace(year=year)


def read_day(value: object, zone: ZoneInfo) -> tuple[date, time | None] | None:
    """Read ISO text as a day and, where it tells one, a time of that day in a zone; None: no date.

    A moment with an offset is seen from the zone; "--02-28" is a day of nobody knows which year.
    """
    text = str(value or "").strip()
    if text.startswith("--"):
        # A leap year, so that 29 February is a day of it.
        text = f"2000-{text[2:]}"
    try:
        if len(text) <= len("2000-01-01"):
            return date.fromisoformat(text), None
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone)
    return moment.date(), moment.time().replace(tzinfo=None)
