"""The calendar: a month of one-off letters, planned messages and days that will come."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, get_format
from django.utils.text import capfirst
from django.utils.translation import npgettext, pgettext
from django.views.decorators.http import require_GET

from oscar_triggers.insight import calendar
from oscar_triggers.insight.calendar import Entry, Sort
from oscar_triggers.models import LetterState

from ..permissions import VIEW_LETTERS, VIEW_MESSAGES
from .access import requires

#: As far as a calendar can be turned: nobody plans further, and year 10,000 is no date.
_YEARS = range(2000, 2101)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry of a day, in words."""

    text: str
    sort: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Day:
    """One square of the month."""

    day: date
    is_today: bool
    is_in_month: bool
    lines: tuple[Line, ...]


@require_GET
@requires(VIEW_LETTERS, VIEW_MESSAGES)
def show(request: HttpRequest) -> HttpResponse:
    """Show a month, in the shop's own days."""
    now, zone = timezone.now(), timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    month = _month(request.GET.get("month", ""), today)
    begins = (int(get_format("FIRST_DAY_OF_WEEK")) - 1) % 7
    weeks = months.Calendar(begins).monthdatescalendar(month.year, month.month)
    found = calendar.between(weeks[0][0], weeks[-1][-1], zone, now)
    before = month - timedelta(days=1)
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    title = pgettext("triggers", "Calendar")
    return TemplateResponse(
        request,
        "wagtail_triggers/crowds/calendar.html",
        {
            "page_title": title,
            "header_title": title,
            "header_icon": "calendar",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {"url": "", "label": title},
            ],
            "month": capfirst(date_format(month, "YEAR_MONTH_FORMAT")),
            "before": f"{before:%Y-%m}" if before.year in _YEARS else "",
            "after": f"{after:%Y-%m}" if after.year in _YEARS else "",
            "weekdays": [WEEKDAYS[(begins + number) % 7] for number in range(7)],
            "weeks": [
                [
                    Day(
                        day=day,
                        is_today=day == today,
                        is_in_month=day.month == month.month,
                        lines=tuple(_line(one) for one in found.get(day, ())),
                    )
                    for day in week
                ]
                for week in weeks
            ],
            "is_empty": not any(found.values()),
            "zone": str(zone),
        },
    )


def _month(text: str, today: date) -> date:
    """Read "2026-12"; this month for what is none."""
    try:
        read = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return read if read.year in _YEARS else today.replace(day=1)


def _line(one: Entry) -> Line:
    if one.letter_id is not None:
        return Line(
            text=_letter(one),
            sort=one.sort,
            url=reverse("wagtail_triggers:one_off", args=[one.letter_id]),
        )
    count = one.count or 0
    if one.sort == Sort.PLANNED:
        text = npgettext(
            "triggers",
            "%(name)s: %(count)d message waits",
            "%(name)s: %(count)d messages wait",
            count,
        )
    elif one.sort == Sort.GOING_ON:
        text = npgettext(
            "triggers", "%(name)s: %(count)d goes on", "%(name)s: %(count)d go on", count
        )
    else:
        text = npgettext(
            "triggers",
            "%(name)s: %(count)d expected",
            "%(name)s: %(count)d expected",
            count,
        )
    url = ""
    if one.flow_id is not None and one.sort == Sort.PLANNED:
        url = f"{reverse('triggers_messages:index')}?flow={quote(one.flow_id)}&state=planned"
    return Line(text=text % {"name": one.label, "count": count}, sort=one.sort, url=url)


def _letter(one: Entry) -> str:
    said: dict[str, Any] = {
        "name": one.label,
        "time": f"{one.at:%H:%M}" if one.at else "",
        "state": LetterState(one.state).label,
        "count": one.count,
    }
    if one.count is None:
        return pgettext("triggers", "%(time)s %(name)s (%(state)s)") % said
    return (
        npgettext(
            "triggers",
            "%(time)s %(name)s (%(state)s, %(count)d person)",
            "%(time)s %(name)s (%(state)s, %(count)d people)",
            one.count,
        )
        % said
    )
