"""Totals by day: what was kept of pruned rows, and what the rows that are left say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet

from ..engine import totals
from ..engine.totals import Key, Sum, Sums
from ..models import DailyTotal, Decision, Enrollment, Message

_BATCH = 1_000


def daily(first: date, last: date, *, flow_id: int | None = None) -> dict[Key, Sum]:
    """Return what happened on some UTC days, both included, by flow, step, variant and measure.

    What was pruned and what is left are counted once each.
    """
    found: dict[Key, Sum] = defaultdict(Sum)
    kept = DailyTotal.objects.filter(day__range=(first, last))
    for row in _of_flow(kept, flow_id):
        found[
            Key(
                row.day,
                row.flow_id,
                row.step_key,
                row.variant,
                row.channel,
                row.measure,
                row.currency,
            )
        ].add(row.count, row.value)
    since = datetime.combine(first, time.min, UTC)
    until = datetime.combine(last + timedelta(days=1), time.min, UTC)
    messages = Message.objects.filter(settled_at__gte=since, settled_at__lt=until)
    people = Enrollment.objects.filter(entered_at__gte=since, entered_at__lt=until)
    decisions = Decision.objects.filter(decided_at__gte=since, decided_at__lt=until)
    _add(found, _of_flow(messages, flow_id), totals.of_messages)
    _add(found, _of_flow(people, flow_id), totals.of_enrollments)
    _add(found, _of_flow(decisions, flow_id).filter(verdict="not_entered"), totals.of_decisions)
    return dict(found)


def _of_flow(rows: QuerySet[Any], flow_id: int | None) -> QuerySet[Any]:
    return rows if flow_id is None else rows.filter(flow_id=flow_id)


def _add(
    found: dict[Key, Sum], rows: QuerySet[Any], count: Callable[[Sequence[int]], Sums]
) -> None:
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        for key, one in count(ids[start : start + _BATCH]).items():
            found[key].add(one.count, one.value)
