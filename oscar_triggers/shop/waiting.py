"""How many baskets already wait when a flow is switched on."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, DecimalField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
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
    waiting = _of_known_people(members).filter(_has_line())
    if minimum_value is not None:
        waiting = waiting.annotate(worth=_worth()).filter(worth__gte=minimum_value)
    counted = waiting.aggregate(
        all=Count("pk"),
        young=Count("pk", filter=_has_line(now - max_age)),
        in_use=Count("pk", filter=_has_line(now - idle)),
    )
    return WaitingNow(
        recent=counted["young"] - counted["in_use"], too_old=counted["all"] - counted["young"]
    )


def known_guests() -> QuerySet[BasketWatch, int]:
    """Return the ids of baskets whose visitor has told an e-mail address."""
    return BasketWatch.objects.filter(contact__isnull=False).values_list("basket_id", flat=True)


def _of_known_people(members: bool | None) -> QuerySet[Any]:
    member = Q(owner__isnull=False)
    guest = Q(owner__isnull=True, pk__in=known_guests())
    whose = {None: member | guest, True: member, False: guest}[members]
    alive = tables.baskets().filter(whose, status__in=tables.ALIVE)
    return alive.filter(~tables.ordered(OuterRef("pk")))


def _has_line(since: datetime | None = None) -> Exists:
    lines = tables.basket_lines().filter(basket_id=OuterRef("pk"), quantity__gt=0)
    if since is not None:
        lines = lines.filter(date_updated__gte=since)
    return Exists(lines)


def _worth() -> Subquery:
    lines = tables.basket_lines().filter(basket_id=OuterRef("pk"))
    each = Coalesce(F("price_incl_tax"), F("price_excl_tax"), Decimal(0))
    return Subquery(
        lines.values("basket_id")
        .annotate(total=Sum(each * F("quantity"), output_field=DecimalField()))
        .values("total")
    )
