"""How many baskets already wait when a flow is switched on."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, DecimalField, F, Max, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from ..events import WaitingNow
from ..models import BasketWatch
from . import tables


def count(
    now: datetime,
    *,
    idle: timedelta,
    max_age: timedelta,
    minimum_value: Decimal | None = None,
    members: bool | None = None,
) -> WaitingNow:
    """Count left baskets of people whom we know, by one query: young enough, and too old."""
    each = Coalesce(F("price_incl_tax"), F("price_excl_tax"), Decimal(0))
    waiting = (
        tables.basket_lines()
        .filter(_whose(members), basket__status__in=tables.ALIVE, quantity__gt=0)
        .filter(~tables.ordered(OuterRef("basket_id")))
        .values("basket_id")
        .annotate(
            touched_at=Max("date_updated"),
            worth=Sum(each * F("quantity"), output_field=DecimalField()),
        )
        .filter(touched_at__lte=now - idle)
    )
    if minimum_value is not None:
        waiting = waiting.filter(worth__gte=minimum_value)
    counted = waiting.aggregate(
        all=Count("basket_id"),
        young=Count("basket_id", filter=Q(touched_at__gte=now - max_age)),
    )
    return WaitingNow(recent=counted["young"], too_old=counted["all"] - counted["young"])


def known_guests() -> QuerySet[BasketWatch, int]:
    """Return the ids of baskets whose visitor has told an e-mail address."""
    return BasketWatch.objects.filter(contact__isnull=False).values_list("basket_id", flat=True)


def of_known_people() -> Q:
    """Say which basket lines belong to people whom we know."""
    return _whose(None)


def _whose(members: bool | None) -> Q:
    member = Q(basket__owner__isnull=False)
    guest = Q(basket__owner__isnull=True, basket_id__in=known_guests())
    return {None: member | guest, True: member, False: guest}[members]
