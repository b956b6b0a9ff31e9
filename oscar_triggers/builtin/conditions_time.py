"""What a condition can ask of the calendar, in the reader's own day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..kinds import option
from ..limits import WEEKDAYS
from ..policy.zones import zone_of
from ..snapshots import Subject, Verdict

_DAY = re.compile(r"(\d{1,2})-(\d{1,2})\Z")
#: A leap year: every day that there can be is in it.
_ANY_YEAR = 2000


def _weekday_choices() -> list[tuple[str, Any]]:
    labels = (
        pgettext_lazy("triggers", "Monday"),
        pgettext_lazy("triggers", "Tuesday"),
        pgettext_lazy("triggers", "Wednesday"),
        pgettext_lazy("triggers", "Thursday"),
        pgettext_lazy("triggers", "Friday"),
        pgettext_lazy("triggers", "Saturday"),
        pgettext_lazy("triggers", "Sunday"),
    )
    return list(zip(WEEKDAYS, labels, strict=True))


@conditions.register
@dataclass(frozen=True, kw_only=True)
class DateIs(Condition):
    """Asks for the date in the contact's time zone: what is set must fit, all of it."""

    kind: ClassVar[str] = "date_is"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The date is")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "In the reader's time zone. What you leave empty is not asked."
    )

    first: date | None = option(default=None, label=pgettext_lazy("triggers", "On or after"))
    last: date | None = option(default=None, label=pgettext_lazy("triggers", "On or before"))
    from_day: str = option(
        default="",
        label=pgettext_lazy("triggers", "Each year from"),
        help_text=pgettext_lazy(
            "triggers", "Month and day, as in 12-24. The season may reach over the year's end."
        ),
    )
    until_day: str = option(
        default="",
        label=pgettext_lazy("triggers", "Each year until"),
        help_text=pgettext_lazy("triggers", "That day belongs to it, as in 01-06."),
    )
    weekdays: tuple[str, ...] = option(
        default=(), label=pgettext_lazy("triggers", "Days of the week"), choices=_weekday_choices
    )

    def __post_init__(self) -> None:
        """Refuse days that are none, half a season, and a question that asks nothing."""
        unknown = [day for day in self.weekdays if day not in WEEKDAYS]
        if unknown:
            raise ValueError(
                pgettext("triggers", "'days' must be a list of %(known)s")
                % {"known": ", ".join(WEEKDAYS)}
            )
        if bool(self.from_day) != bool(self.until_day):
            raise ValueError(
                pgettext("triggers", "a season needs both from_day and until_day, as in 12-24")
            )
        if self.from_day:
            month_and_day(self.from_day)
            month_and_day(self.until_day)
        if self.first and self.last and self.first > self.last:
            raise ValueError(pgettext("triggers", "the last day is before the first one"))
        if not (self.first or self.last or self.from_day or self.weekdays):
            raise ValueError(pgettext("triggers", "say which date: nothing is asked"))

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Compare with today, as the contact's calendar has it."""
        zone = zone_of(subject.time_zone, subject.phones, subject.site_id)
        today = now.astimezone(zone).date()
        compared: dict[str, Any] = {"today": today, "time_zone": str(zone)}
        holds = True
        if self.first is not None:
            compared["first"] = self.first
            holds &= today >= self.first
        if self.last is not None:
            compared["last"] = self.last
            holds &= today <= self.last
        if self.from_day:
            compared |= {"from_day": self.from_day, "until_day": self.until_day}
            holds &= _in_season((today.month, today.day), self.from_day, self.until_day)
        if self.weekdays:
            compared |= {"weekday": WEEKDAYS[today.weekday()], "weekdays": list(self.weekdays)}
            holds &= WEEKDAYS[today.weekday()] in self.weekdays
        return Verdict(holds=holds, compared=compared)


def month_and_day(text: str) -> tuple[int, int]:
    """Read "12-24" as month and day; raises ValueError for a day that no year has."""
    match = _DAY.match(text.strip())
    if match is not None:
        try:
            day = date(_ANY_YEAR, int(match[1]), int(match[2]))
        except ValueError:
            pass
        else:
            return day.month, day.day
    raise ValueError(
        pgettext("triggers", "'%(text)s' is no day of a year; write month and day, as in 12-24")
        % {"text": text}
    )


def _in_season(today: tuple[int, int], from_day: str, until_day: str) -> bool:
    begins, ends = month_and_day(from_day), month_and_day(until_day)
    if begins <= ends:
        return begins <= today <= ends
    return today >= begins or today <= ends
