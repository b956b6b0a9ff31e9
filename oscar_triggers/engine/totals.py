"""Totals: what rows add up to by day, so that aggregates stay when the rows are pruned.

A message counts on the UTC day on which it was settled, with whatever came of it later; a person
counts on the day of entry. Rows are added to DailyTotal in the transaction that deletes them:
what stands there and what the rows that are left say can be summed, and nothing counts twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from ..models import (
    Conversion,
    DailyTotal,
    Decision,
    Dispatch,
    Enrollment,
    EnrollmentState,
    Feedback,
    Message,
    MessageState,
)
from ..models.sql import insert_or_ignore

#: Verdict of a Decision about somebody who was not taken in.
_NOT_ENTERED = "not_entered"
_WITH_REASON = (MessageState.SKIPPED, MessageState.CANCELLED, MessageState.DEAD)
_COUNTED_FEEDBACK = (Feedback.BOUNCED, Feedback.COMPLAINED, Feedback.UNSUBSCRIBED)


class Key(NamedTuple):
    """What is counted together."""

    day: date
    flow_id: int
    step_key: str
    variant: str
    channel: str
    measure: str
    currency: str


@dataclass(kw_only=True)
class Sum:
    """How often, and what it was worth."""

    count: int = 0
    value: Decimal | None = None

    def add(self, count: int = 1, value: Decimal | None = None) -> None:
        """Add to it."""
        self.count += count
        if value is not None:
            self.value = (self.value or Decimal(0)) + value


Sums = Mapping[Key, Sum]


def of_messages(ids: Sequence[int]) -> Sums:
    """Count settled messages of flows, with clicks, reports and conversions; three queries."""
    found: dict[Key, Sum] = defaultdict(Sum)
    channels: dict[int, list[Any]] = {
        row.message_id: [row.channel, row.delivered_at, row.opened_at, row.feedback]
        for row in Dispatch.objects.filter(message_id__in=ids).order_by("message_id", "hop")
    }
    converted = defaultdict(list)
    for one in Conversion.objects.filter(message_id__in=ids):
        converted[one.message_id].append(one)
    rows = Message.objects.filter(pk__in=ids).exclude(flow=None).exclude(settled_at=None)
    for row in rows.defer("payload", "options"):
        assert row.flow_id is not None
        assert row.settled_at is not None
        channel, delivered_at, opened_at, feedback = channels.get(row.pk, ["", None, None, ""])
        place = (
            _day(row.settled_at),
            row.flow_id,
            row.step_key,
            variant_of(row.variants),
            channel,
        )
        measures = [_measure(row)]
        measures += ["clicked"] if row.clicked_at is not None else []
        measures += ["delivered"] if delivered_at is not None else []
        measures += ["opened"] if opened_at is not None else []
        measures += [str(feedback)] if feedback in _COUNTED_FEEDBACK else []
        for measure in measures:
            found[Key(*place, measure, "")].add()
        for one in converted[row.pk]:
            found[Key(*place, f"converted:{one.kind}"[:100], one.currency)].add(value=one.value)
    return found


def of_enrollments(ids: Sequence[int]) -> Sums:
    """Count entries, and how they ended; rehearsals are not counted."""
    found: dict[Key, Sum] = defaultdict(Sum)
    for row in Enrollment.objects.filter(pk__in=ids, is_shadow=False):
        place = (_day(row.entered_at), row.flow_id, "", "", "")
        found[Key(*place, "entered", "")].add()
        if row.state == EnrollmentState.ENDED:
            found[Key(*place, f"ended:{row.exit_reason}", "")].add()
    return found


def of_decisions(ids: Sequence[int]) -> Sums:
    """Count who was not taken in, by reason."""
    found: dict[Key, Sum] = defaultdict(Sum)
    rows = Decision.objects.filter(pk__in=ids, verdict=_NOT_ENTERED).exclude(flow=None)
    for row in rows.order_by():
        assert row.flow_id is not None
        measure = f"{_NOT_ENTERED}:{row.reason}"
        found[Key(_day(row.decided_at), row.flow_id, "", "", "", measure, "")].add(row.count)
    return found


def keep(sums: Sums) -> None:
    """Add to what DailyTotal holds; belongs into the transaction that deletes what was counted."""
    if not sums:
        return
    names = ("day", "flow", "step_key", "variant", "channel", "measure", "currency")
    insert_or_ignore(
        DailyTotal,
        [{**key._asdict(), "count": 0} for key in sums],
        conflict=names,
    )
    # In one order, so that two at once wait for each other and do not deadlock.
    for key in sorted(sums):
        one = sums[key]
        changes: dict[str, Any] = {"count": F("count") + one.count}
        if one.value is not None:
            changes["value"] = Coalesce(F("value"), Value(Decimal(0))) + one.value
        DailyTotal.objects.filter(**key._asdict()).update(**changes)


def variant_of(variants: Mapping[str, str]) -> str:
    """Return the arms that led to a message, in the order of their steps' keys."""
    return "-".join(str(variants[key]) for key in sorted(variants))[:40]


def _measure(row: Message) -> str:
    with_reason = row.state in _WITH_REASON and row.reason
    return f"{row.state}:{row.reason}" if with_reason else str(row.state)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
