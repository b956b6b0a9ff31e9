"""What is known of each flow at this moment: who waits, its last 30 days, and how it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from oscar_triggers.insight.reports import Figures, Period, report
from oscar_triggers.insight.standing import Standing, standings

#: Over how many days figures of a list are counted.
DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Known:
    """One flow in figures."""

    standing: Standing
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class KnownFlows:
    """Every flow in figures, by key."""

    by_key: dict[str, Known]
    #: The currency that most orders named: by it, and by it alone, flows are sorted.
    currency: str

    @property
    def is_held_up(self) -> bool | None:
        """Say whether something stops all sending; None where no flow could tell."""
        return next((one.standing.is_held_up for one in self.by_key.values()), None)

    def with_health(self, health: str) -> list[str]:
        """Return the keys of the flows that are in a state of health."""
        return [key for key, one in self.by_key.items() if one.standing.health == health]

    def ranks(self, name: str) -> dict[str, Decimal]:
        """Return what flows are sorted by, where it is more than nothing."""
        found = {key: self._rank(one, name) for key, one in self.by_key.items()}
        return {key: rank for key, rank in found.items() if rank}

    def _rank(self, one: Known, name: str) -> Decimal:
        if name == "revenue":
            return one.figures.revenue.get(self.currency, Decimal(0))
        counts = {
            "waiting_count": one.standing.people,
            "sent_count": one.figures.sent,
            "clicked_count": one.figures.clicked,
            "order_count": one.figures.orders,
        }
        return Decimal(counts[name])


def known_flows(request: HttpRequest) -> KnownFlows:
    """Return what is known of every flow; asked once for each request, by three queries."""
    found = known_already(request)
    if found is None:
        found = _look(timezone.now())
        request._triggers_known_flows = found  # type: ignore[attr-defined]  # kept for as long as the request
    return found


def known_already(request: HttpRequest) -> KnownFlows | None:
    """Return what this request asked before."""
    found: KnownFlows | None = getattr(request, "_triggers_known_flows", None)
    return found


def _look(now: datetime) -> KnownFlows:
    by_flow = report(Period(days=DAYS, now=now, compares=False)).by_flow()
    known: dict[str, Known] = {}
    named: Counter[str] = Counter()
    for key, standing in standings(now).items():
        figures = by_flow.get(standing.flow_id, Figures())
        known[key] = Known(standing=standing, figures=figures)
        named.update(dict.fromkeys(figures.revenue, figures.orders))
    first: Any = named.most_common(1)
    return KnownFlows(by_key=known, currency=first[0][0] if first else "")
