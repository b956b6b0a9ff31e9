"""Reports: what was sent, and what came of it, by day and flow, beside the same time before.

A letter counts on the day on which it was sent, in the shop's time zone, with whatever came of it
later: so the share that was clicked is never above one, and rows that were pruned, of which only
totals of days are left (engine.totals, UTC days), add up with those that are there. Tests, and
letters to staff, are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    DecimalField,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from ..engine import pruning, rolls
from ..engine.attribution import ORDER
from ..models import Conversion, DailyTotal, Message, MessageState, SegmentRoll
from ..policy import staff

#: A letter that was handed over without an answer may have been read, and clicked.
_LEFT = (MessageState.SENT, MessageState.UNKNOWN)
_SENT, _CLICKED, _ORDERED = "sent", "clicked", f"converted:{ORDER}"


@dataclass(frozen=True, kw_only=True)
class Period:
    """Some days of the shop, the last of which is today, and as many before them."""

    days: int
    now: datetime
    #: Whether the time before is asked for too.
    compares: bool = True

    @property
    def zone(self) -> tzinfo:
        """Return the shop's time zone."""
        return timezone.get_default_timezone()

    @property
    def last(self) -> date:
        """Return today."""
        return self.now.astimezone(self.zone).date()

    @property
    def first(self) -> date:
        """Return the first day."""
        return self.last - timedelta(days=self.days - 1)

    @property
    def first_before(self) -> date:
        """Return the first day of the time before; the first day itself when none is asked for."""
        return self.first - timedelta(days=self.days if self.compares else 0)

    def every_day(self) -> list[date]:
        """Return the days, the oldest first."""
        return [self.first + timedelta(days=number) for number in range(self.days)]

    def begins(self, day: date) -> datetime:
        """Return the moment at which a day begins in the shop."""
        return datetime.combine(day, time.min, self.zone)


@dataclass(kw_only=True)
class Figures:
    """What was sent, and what came of it."""

    sent: int = 0
    #: Letters whose links a person followed; machines do not count.
    clicked: int = 0
    orders: int = 0
    #: By currency, which are never added up; "" where an order named none.
    revenue: dict[str, Decimal] = field(default_factory=dict)

    def add(self, other: Figures) -> None:
        """Add others to these."""
        self.sent += other.sent
        self.clicked += other.clicked
        self.orders += other.orders
        for currency, value in other.revenue.items():
            self.revenue[currency] = self.revenue.get(currency, Decimal(0)) + value

    @property
    def click_rate(self) -> float | None:
        """Return which share of what was sent was clicked; None where nothing was sent."""
        return self.clicked / self.sent if self.sent else None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of a period, and of the time before it."""

    period: Period
    #: By day and flow; what is not there is nothing.
    cells: Mapping[tuple[date, int], Figures]
    #: Of the time before, by flow.
    before: Mapping[int, Figures]

    @property
    def total(self) -> Figures:
        """Return the sum of all days and flows."""
        return _sum(self.cells.values())

    @property
    def total_before(self) -> Figures:
        """Return the sum of the time before."""
        return _sum(self.before.values())

    def by_day(self) -> dict[date, Figures]:
        """Return the sum of all flows for each day, also for those with nothing."""
        found = {day: Figures() for day in self.period.every_day()}
        for (day, _flow_id), figures in self.cells.items():
            found[day].add(figures)
        return found

    def by_flow(self) -> dict[int, Figures]:
        """Return the sum of all days for each flow that has anything."""
        found: dict[int, Figures] = defaultdict(Figures)
        for (_day, flow_id), figures in self.cells.items():
            found[flow_id].add(figures)
        return dict(found)

    def currencies(self) -> list[str]:
        """Return the currencies of both times, by name."""
        return sorted({*self.total.revenue, *self.total_before.revenue})

    @property
    def is_empty(self) -> bool:
        """Say whether nothing was sent in either time."""
        return not self.cells and not self.before


def report(
    period: Period, *, flow_id: int | None = None, roll: SegmentRoll | None = None
) -> Report:
    """Count a period and the time before it, for one flow or for all; one query.

    With a roll, only letters to its people count, and of those only what was not pruned: totals of
    days do not say who it was.
    """
    cells: dict[tuple[date, int], Figures] = defaultdict(Figures)
    before: dict[int, Figures] = defaultdict(Figures)
    for day, of_flow, figures in _found(period, flow_id, roll):
        if day >= period.first:
            cells[(min(day, period.last), of_flow)].add(figures)
        else:
            before[of_flow].add(figures)
    return Report(period=period, cells=dict(cells), before=dict(before))


#: What each part of the one query tells, in this order.
_COLUMNS = ("day", "of_flow", "of_currency", "sent", "clicked", "orders", "worth")
_NONE = Value(0, output_field=BigIntegerField())
_MONEY = DecimalField(max_digits=20, decimal_places=2)
_NO_MONEY = Value(Decimal(0), output_field=_MONEY)
_NO_CURRENCY = Value("", output_field=CharField())


def _found(
    period: Period, flow_id: int | None, roll: SegmentRoll | None
) -> Iterable[tuple[date, int, Figures]]:
    parts = [_of_orders(period, flow_id, roll)]
    # Nothing younger can have been pruned.
    if (
        roll is None
        and period.begins(period.first_before) < period.now - pruning.SHORTEST["messages"]
    ):
        parts.append(_of_totals(period, flow_id))
    for day, of_flow, currency, sent, clicked, orders, worth in _of_messages(
        period, flow_id, roll
    ).union(*parts, all=True):
        yield (
            day,
            of_flow,
            Figures(
                sent=sent,
                clicked=clicked,
                orders=orders,
                revenue=_revenue(currency, worth) if orders else {},
            ),
        )


def _of_messages(
    period: Period, flow_id: int | None, roll: SegmentRoll | None
) -> QuerySet[Any, Any]:
    found: QuerySet[Any, Any] = (
        _to(roll, Message.objects.filter(counted(period, flow_id, "")), "contact_id")
        .exclude(contact__in=staff.people())
        .order_by()
        .annotate(
            day=TruncDate("settled_at", tzinfo=period.zone),
            of_flow=F("flow_id"),
            of_currency=_NO_CURRENCY,
        )
        .values("day", "of_flow", "of_currency")
        .annotate(
            sent=Count("pk", filter=Q(state=MessageState.SENT)),
            clicked=Count("clicked_at"),
            orders=_NONE,
            worth=_NO_MONEY,
        )
        .values_list(*_COLUMNS)
    )
    return found


def _of_orders(period: Period, flow_id: int | None, roll: SegmentRoll | None) -> QuerySet[Any, Any]:
    # No order came before the letter that it followed.
    orders = Conversion.objects.filter(
        kind=ORDER, occurred_at__gte=period.begins(period.first_before)
    )
    found: QuerySet[Any, Any] = (
        _to(roll, orders, "message__contact_id")
        .filter(counted(period, flow_id, "message__"))
        .exclude(message__contact__in=staff.people())
        .order_by()
        .annotate(
            day=TruncDate("message__settled_at", tzinfo=period.zone),
            of_flow=F("message__flow_id"),
            of_currency=F("currency"),
        )
        .values("day", "of_flow", "of_currency")
        .annotate(sent=_NONE, clicked=_NONE, orders=Count("pk"), worth=_sum_of("value"))
        .values_list(*_COLUMNS)
    )
    return found


def _of_totals(period: Period, flow_id: int | None) -> QuerySet[Any, Any]:
    kept = DailyTotal.objects.filter(
        day__range=(period.first_before, period.last), measure__in=(_SENT, _CLICKED, _ORDERED)
    )
    if flow_id is not None:
        kept = kept.filter(flow_id=flow_id)
    told = {
        name: Coalesce(
            Sum("count", filter=Q(measure=measure)), _NONE, output_field=BigIntegerField()
        )
        for name, measure in (("sent", _SENT), ("clicked", _CLICKED), ("orders", _ORDERED))
    }
    return (
        kept.order_by()
        .annotate(of_day=F("day"), of_flow=F("flow_id"), of_currency=F("currency"))
        .values("of_day", "of_flow", "of_currency")
        .annotate(**told, worth=_sum_of("value"))
        .values_list("of_day", *_COLUMNS[1:])
    )


def _to(roll: SegmentRoll | None, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
    return rows if roll is None else rolls.only(rows, roll, column)


def _sum_of(column: str) -> Coalesce:
    return Coalesce(Sum(column), _NO_MONEY, output_field=_MONEY)


def counted(period: Period, flow_id: int | None, prefix: str) -> Q:
    """Return which messages are counted, of the period and of as much time before."""
    begins = period.begins(period.first)
    # Today is not over: the time before ends at the same hour, so that the two compare.
    until = period.now - timedelta(days=period.days)
    wanted: dict[str, Any] = {
        f"{prefix}state__in": _LEFT,
        f"{prefix}settled_at__gte": period.begins(period.first_before),
        f"{prefix}settled_at__lte": period.now,
        f"{prefix}is_shadow": False,
    }
    of_flow = {f"{prefix}flow_id": flow_id} if flow_id else {f"{prefix}flow__isnull": False}
    between = {f"{prefix}settled_at__gt": until, f"{prefix}settled_at__lt": begins}
    return Q(**wanted) & Q(**of_flow) & ~Q(**between)


def _revenue(currency: str, worth: Decimal | None) -> dict[str, Decimal]:
    return {} if worth is None else {currency: worth}


def _sum(every: Iterable[Figures]) -> Figures:
    found = Figures()
    for figures in every:
        found.add(figures)
    return found
