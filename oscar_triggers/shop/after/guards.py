"""What keeps a letter about an order from going out, asked in the statement that marks it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from ...models import ExitReason
from ...policy import guards
from ...policy.guards import Consequence, Refused
from ...snapshots import Subject
from .. import tables
from . import reading, stages
from .reading import Seen

ORDER_GONE = "order_gone"
ORDER_CANCELLED = "order_cancelled"
ORDER_REFUNDED = "order_refunded"
#: It was paid, or is on its way: nobody is asked for money any more.
ORDER_SETTLED = "order_settled"

_REASONS = {stages.CANCELLED: ORDER_CANCELLED, stages.REFUNDED: ORDER_REFUNDED}


@guards.register
class OrderGuard(guards.SendGuard):
    """No letter about an order that was cancelled or given back, and no reminder to pay a paid one.

    A letter that says just that goes, whatever else became of the order.
    """

    name = "order"
    about_types = frozenset({"order"})

    def refusal(self, subject: Subject, observed: Mapping[str, Any]) -> Q | None:
        """Return what is true in the database when the letter must not go."""
        order = tables.orders().filter(number=subject.about.id)
        refused = ~Q(Exists(order))
        held = Q()
        for stage in _against(subject):
            held |= _at(stage)
        if held:
            refused |= Q(Exists(_with_money(order).filter(held)))
        return refused

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say what became of the order."""
        number = subject.about.id
        ids = list(tables.orders().filter(number=number).values_list("pk", flat=True))
        seen = next(iter(reading.read(ids).values()), None)
        reason = ORDER_GONE if seen is None else refused_by(subject, seen)
        if reason is None:
            return None
        return Refused(
            reason=reason,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.GOAL if reason == ORDER_SETTLED else ExitReason.CONDITION,
            compared={
                "order": number,
                "status": seen.status if seen else "deleted",
                "stages": sorted(seen.reached()) if seen else [],
                "about": subject.payload.get("stage", ""),
            },
        )


def refused_by(subject: Subject, seen: Seen) -> str | None:
    """Return why a letter about an order must not go, None where it may."""
    against = _against(subject)
    reached = seen.reached() if against else {}
    for stage in against:
        if stage in reached:
            return _REASONS.get(stage, ORDER_SETTLED)
    return None


def _against(subject: Subject) -> tuple[str, ...]:
    """Return the stages at which a letter of this event has nothing to say any more."""
    stage = subject.payload.get("stage", "")
    if stage in stages.OVER:
        return ()
    return (*stages.OVER, *stages.FORWARD) if stage == stages.UNPAID else stages.OVER


def _at(stage: str) -> Q:
    """Say in the database that an order is at a stage, by its status, its lines or its money."""
    names = stages.names_of(stage)
    held = Q(status__in=names)
    lines = tables.rows("order", "Line").order_by().filter(order_id=OuterRef("pk"))
    held |= Q(Exists(lines), ~Exists(lines.exclude(status__in=names)))
    if stage in (stages.PAID, stages.REFUNDED):
        moved = "debited" if stage == stages.PAID else "refunded"
        by_events = "paid_by_events" if stage == stages.PAID else "refunded_by_events"
        held |= Q(total_incl_tax__gt=0) & (
            Q(**{f"{moved}__gte": F("total_incl_tax")})
            | Q(**{f"{by_events}__gte": F("total_incl_tax")})
        )
    if stage == stages.REFUNDED:
        # Some shops write a payment back as a negative amount.
        held |= Q(total_incl_tax__gt=0, refunded_by_events__lte=-F("total_incl_tax"))
    return held


def _with_money(order: QuerySet[Any]) -> QuerySet[Any]:
    sources = tables.rows("payment", "Source").order_by().filter(order_id=OuterRef("pk"))
    payments = tables.rows("order", "PaymentEvent").order_by().filter(order_id=OuterRef("pk"))
    with_sums: QuerySet[Any] = order.alias(
        debited=_sum(sources, "amount_debited"),
        refunded=_sum(sources, "amount_refunded"),
        paid_by_events=_sum(_named(payments, stages.PAID), "amount"),
        refunded_by_events=_sum(_named(payments, stages.REFUNDED), "amount"),
    )
    return with_sums


def _named(payments: QuerySet[Any], stage: str) -> QuerySet[Any]:
    return payments.filter(event_type__name__in=stages.names_of(stage))


def _sum(rows: QuerySet[Any], name: str) -> Subquery:
    return Subquery(rows.values("order_id").annotate(moved=Sum(name)).values("moved"))
