"""The cards at the top of the dashboard: one figure each, with how it moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import npgettext, pgettext

from oscar_triggers.insight.reports import Figures, Report
from oscar_triggers.insight.upcoming import Waiting

from .money import amount, whole

UP, DOWN, SAME = "up", "down", "same"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One figure, beside what it was before."""

    key: str
    label: str
    value: str
    #: What the figure means, or is a share of; "" when its name says it.
    note: str = ""
    #: UP, DOWN or SAME; "" where there is nothing to compare with.
    trend: str = ""
    #: "12 % more than in the 30 days before".
    trend_text: str = ""


def cards(report: Report, ahead: Mapping[int, Waiting]) -> list[Card]:
    """Return the cards: sent, clicked, orders, revenue in each currency, waiting, next 24 hours."""
    now, before, days = report.total, report.total_before, report.period.days
    found = [
        _counted("sent", pgettext("triggers", "Sent"), now.sent, before.sent, days),
        _counted(
            "clicked",
            pgettext("triggers", "Clicked"),
            now.clicked,
            before.clicked,
            days,
            note=_rate(now),
        ),
        _counted("orders", pgettext("triggers", "Orders"), now.orders, before.orders, days),
    ]
    for currency in report.currencies() or [""]:
        zero = Decimal(0)
        value = now.revenue.get(currency, zero)
        trend, text = _trend(value, before.revenue.get(currency, zero), days)
        found.append(
            Card(
                key=f"revenue-{currency}",
                label=pgettext("triggers", "Revenue"),
                value=amount(value, currency),
                trend=trend,
                trend_text=text,
            )
        )
    return [*found, *_ahead(ahead)]


def _ahead(ahead: Mapping[int, Waiting]) -> list[Card]:
    people = sum(one.people + one.held for one in ahead.values())
    messages = sum(one.messages for one in ahead.values())
    due = sum(one.people_due for one in ahead.values())
    leaving = sum(one.messages_due for one in ahead.values())
    said = npgettext(
        "triggers",
        "and %(count)s message to be sent",
        "and %(count)s messages to be sent",
        messages,
    )
    soon = npgettext(
        "triggers", "and %(count)s message to be sent", "and %(count)s messages to be sent", leaving
    )
    return [
        Card(
            key="waiting",
            label=pgettext("triggers", "On their way now"),
            value=whole(people),
            note=said % {"count": whole(messages)},
        ),
        Card(
            key="due",
            label=pgettext("triggers", "Next step within 24 hours"),
            value=whole(due),
            note=soon % {"count": whole(leaving)},
        ),
    ]


def _counted(key: str, label: str, now: int, before: int, days: int, *, note: str = "") -> Card:
    trend, text = _trend(Decimal(now), Decimal(before), days)
    return Card(key=key, label=label, value=whole(now), note=note, trend=trend, trend_text=text)


def _rate(figures: Figures) -> str:
    if figures.click_rate is None:
        return ""
    percent = number_format(round(figures.click_rate * 100, 1), decimal_pos=1)
    return pgettext("triggers", "%(percent)s %% of what was sent") % {"percent": percent}


def _trend(now: Decimal, before: Decimal, days: int) -> tuple[str, str]:
    """Return how a figure moved against the time before, and that in words."""
    if before == 0:
        if now == 0:
            return "", ""
        return UP, pgettext("triggers", "none in the %(days)s days before") % {"days": days}
    percent = round((now - before) / before * 100)
    if percent == 0:
        return SAME, pgettext("triggers", "as in the %(days)s days before") % {"days": days}
    said = {"percent": whole(abs(int(percent))), "days": days}
    if percent > 0:
        text = pgettext("triggers", "%(percent)s %% more than in the %(days)s days before")
        return UP, text % said
    text = pgettext("triggers", "%(percent)s %% less than in the %(days)s days before")
    return DOWN, text % said
