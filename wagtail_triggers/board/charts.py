"""The chart of the dashboard: one bar for each day, made of its flows, and the table beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import pgettext

from oscar_triggers.insight.reports import Figures, Report

from .money import amounts, whole

#: More flows than these are drawn as one: nobody tells twelve colours apart.
MOST_DRAWN = 6


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    day: str
    flow: str
    sent: str
    clicked: str
    orders: str
    revenue: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, as plain values for the script, and the same as tables."""

    data: Mapping[str, Any]
    #: What can be drawn: (key, label), of which the first is shown first.
    measures: tuple[tuple[str, str], ...]
    by_flow: tuple[Row, ...]
    by_day: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class _Measure:
    key: str
    label: str
    of: Callable[[Figures], int | Decimal]
    decimals: int = 0


def chart(report: Report, names: Mapping[int, str]) -> Chart:
    """Return the chart of a report."""
    measures = _measures(report)
    by_flow = report.by_flow()
    drawn = sorted(by_flow, key=lambda pk: (-by_flow[pk].sent, names.get(pk, "")))
    shown, rest = drawn[:MOST_DRAWN], drawn[MOST_DRAWN:]
    days = report.period.every_day()
    return Chart(
        data={
            "days": [date_format(day, "MONTH_DAY_FORMAT") for day in days],
            "measures": {
                one.key: {
                    "label": one.label,
                    "decimals": one.decimals,
                    "series": _series(report, days, one, shown, rest, names),
                }
                for one in measures
            },
        },
        measures=tuple((one.key, one.label) for one in measures),
        by_flow=tuple(_row("", names.get(pk, "–"), by_flow[pk]) for pk in drawn),
        by_day=tuple(
            _row(date_format(day, "DATE_FORMAT"), names.get(pk, "–"), report.cells[(day, pk)])
            for day in reversed(days)
            for pk in drawn
            if (day, pk) in report.cells
        ),
    )


def _measures(report: Report) -> list[_Measure]:
    found = [
        _Measure(key="sent", label=pgettext("triggers", "Sent"), of=lambda one: one.sent),
        _Measure(key="clicked", label=pgettext("triggers", "Clicked"), of=lambda one: one.clicked),
        _Measure(key="orders", label=pgettext("triggers", "Orders"), of=lambda one: one.orders),
    ]
    for currency in sorted(report.total.revenue):
        label = pgettext("triggers", "Revenue, %(currency)s") % {"currency": currency or "–"}
        found.append(
            _Measure(
                key=f"revenue-{currency}",
                label=label,
                of=lambda one, currency=currency: one.revenue.get(currency, Decimal(0)),  # type: ignore[misc]  # mypy infers no lambda with defaults
                decimals=2,
            )
        )
    return found


def _series(
    report: Report,
    days: list[date],
    measure: _Measure,
    shown: list[int],
    rest: list[int],
    names: Mapping[int, str],
) -> list[dict[str, Any]]:
    series = [
        {"label": names.get(pk, "–"), "values": _values(report, days, measure, [pk])}
        for pk in shown
    ]
    if rest:
        label = pgettext("triggers", "Other flows")
        series.append({"label": label, "values": _values(report, days, measure, rest)})
    return series


def _values(report: Report, days: list[date], measure: _Measure, flows: list[int]) -> list[float]:
    nothing = Figures()
    return [
        float(sum(measure.of(report.cells.get((day, pk), nothing)) for pk in flows)) for day in days
    ]


def _row(day: str, flow: str, figures: Figures) -> Row:
    return Row(
        day=day,
        flow=flow,
        sent=whole(figures.sent),
        clicked=whole(figures.clicked),
        orders=whole(figures.orders),
        revenue=amounts(figures.revenue),
    )
