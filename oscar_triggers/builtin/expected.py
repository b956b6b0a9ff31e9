"""Days of the year that will come, counted for the calendar: so many birthdays on each day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Right

from ..engine import plans
from ..exceptions import TriggersError
from ..insight import calendar
from ..insight.calendar import Entry, Sort
from ..models import Contact, Flow, FlowState
from . import dates


@calendar.source
def yearly_days(first: date, last: date, zone: Any) -> Iterable[Entry]:
    """Count whose day comes on each of these days, for the live flows that listen to it.

    Two queries. Who changes the date until then, or may not be written to, is counted all the same.
    """
    wishes = list(_wishes())
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    wanted: dict[str, set[str]] = defaultdict(set)
    for _flow, options in wishes:
        for day in days:
            kept_on = day + timedelta(days=options.days_before)
            wanted[options.field] |= dates.spellings(kept_on, options.feb_29)
    counts = _counts(wanted)
    for flow, options in wishes:
        for day in days:
            kept_on = day + timedelta(days=options.days_before)
            ends = dates.spellings(kept_on, options.feb_29)
            count = sum(counts.get((options.field, end), 0) for end in ends)
            if count:
                yield Entry(
                    day=day, sort=Sort.EXPECTED, label=flow.name, count=count, flow_id=flow.pk
                )


def _wishes() -> Iterable[tuple[Flow, dates.AnnualDateOptions]]:
    for flow in Flow.objects.filter(
        trigger_kind=dates.AnnualDate.kind, state=FlowState.LIVE, live_version__isnull=False
    ).select_related("live_version"):
        assert flow.live_version is not None
        try:
            _event, options = plans.plan_of(flow.live_version).definition.trigger_event()
        except TriggersError:
            # Routing tells of it, for every kind of event.
            continue
        if isinstance(options, dates.AnnualDateOptions):
            yield flow, options


def _counts(wanted: dict[str, set[str]]) -> dict[tuple[str, str], int]:
    """Count contacts by field and end of the date, for all fields in one query."""
    parts = [
        Contact.objects.filter(joined_into=None)
        .annotate(day=Right(KeyTextTransform(name, "fields"), 5), field=Value(name))
        .filter(day__in=ends)
        .order_by()
        .values("field", "day")
        .annotate(count=Count("pk"))
        .values_list("field", "day", "count")
        for name, ends in sorted(wanted.items())
    ]
    if not parts:
        return {}
    rows = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
    return {(name, day): count for name, day, count in rows}
