"""What the live flows say about waves, and which flows there are to tell people at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from ...engine import flows
from ...models import Flow, FlowState, PriceSource
from .events import (
    BackInStock,
    BackInStockOptions,
    ProductDiscontinued,
    ProductDiscontinuedOptions,
    RequestMade,
)

#: The event of flows that tell of lower prices (`shop.prices`).
PRICE_DROPPED = "price_dropped"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms people are told; of several flows, what is kindest to those who wait."""

    buy_window: timedelta
    longest_wait: timedelta
    most_per_wave: int
    hurry_when_short_by: int
    siblings: bool

    @classmethod
    def of(cls, options: Iterable[object]) -> Terms | None:
        """Return the terms of flows; None where none of them tells anybody."""
        known = [one for one in options if isinstance(one, BackInStockOptions)]
        if not known:
            return None
        return cls(
            buy_window=max(one.buy_window for one in known),
            longest_wait=max(one.longest_wait for one in known),
            most_per_wave=min(one.most_per_wave for one in known),
            hurry_when_short_by=min(one.hurry_when_short_by for one in known),
            siblings=any(one.siblings for one in known),
        )


def current() -> Terms | None:
    """Return the terms of the flows that send; None while nobody is to be told."""
    if not _listening(BackInStock.kind, FlowState.LIVE).exists():
        return None
    return Terms.of(flows.live_trigger_options(BackInStock.kind))


def gone_for() -> timedelta | None:
    """Return for how long a hidden product must be hidden; None where no flow wants to know."""
    known = [
        one.gone_for
        for one in flows.live_trigger_options(ProductDiscontinued.kind)
        if isinstance(one, ProductDiscontinuedOptions)
    ]
    return min(known, default=None)


def is_ours() -> bool:
    """Say whether our flow tells of stock, and Oscar's own alerts are to be silent: one query.

    A paused flow keeps its word: who waits is told when it goes on, not by Oscar meanwhile. A
    rehearsal takes nothing over.
    """
    return _listening(BackInStock.kind, FlowState.LIVE, FlowState.PAUSED).exists()


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What somebody may ask for now."""

    back: bool
    cheaper: bool
    #: Whether a guest can: somebody must send the letter of confirmation.
    guests: bool


def offered() -> Offered:
    """Return what may be asked for, by one query, and another where flows tell of prices."""
    kinds = set(
        Flow.objects.filter(
            trigger_kind__in=[BackInStock.kind, PRICE_DROPPED, RequestMade.kind],
            state=FlowState.LIVE,
            live_version__isnull=False,
        ).values_list("trigger_kind", flat=True)
    )
    return Offered(
        back=BackInStock.kind in kinds,
        cheaper=PRICE_DROPPED in kinds and _tells_who_asked(),
        guests=RequestMade.kind in kinds,
    )


def _tells_who_asked() -> bool:
    """Say whether a flow about lower prices writes to those who asked, not to others only."""
    options = flows.live_trigger_options(PRICE_DROPPED)
    return any(PriceSource.REQUEST.value in getattr(one, "interests", ()) for one in options)


def _listening(kind: str, *states: FlowState) -> QuerySet[Flow]:
    return Flow.objects.filter(trigger_kind=kind, state__in=states, live_version__isnull=False)
