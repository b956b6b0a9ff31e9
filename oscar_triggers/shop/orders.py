"""The sweep that finds orders of which no signal told: other checkouts, imports, failed receivers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max

from ..conf import triggers_settings
from ..engine import intake, sweeping
from ..models import BasketWatch, JournalEntry, Pulse
from . import tables
from .events import OrderPlaced
from .receivers import order_record

#: An order's id is taken when it is written and seen when it is committed: this many ids below
#: the highest one are looked at again.
OVERLAP = 500
BATCH = 1_000
_MOST_BATCHES = 20


def highest_order() -> int:
    """Return the highest id that an order has."""
    return int(tables.orders().aggregate(highest=Max("pk"))["highest"] or 0)


@sweeping.register
class OrderSweep(sweeping.Sweep):
    """Records the orders that were not recorded when they were placed."""

    name = "orders"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at orders above the watermark; the first look takes only those of watched baskets."""
        mark = pulse.watermark.get("order")
        floor = pulse.watermark.get("order_floor", 0)
        found = 0
        if mark is None:
            mark = floor = highest_order()
            young = now - triggers_settings().basket_max_age
            watched = BasketWatch.objects.filter(closed_at=None).values("basket_id")
            found += _record(tables.orders().filter(date_placed__gte=young, basket_id__in=watched))
        since = max(mark - OVERLAP, floor)
        for _batch in range(_MOST_BATCHES):
            ids = list(
                tables.orders()
                .filter(pk__gt=since)
                .order_by("pk")
                .values_list("pk", flat=True)[:BATCH]
            )
            if not ids:
                break
            found += _record(tables.orders().filter(pk__in=ids))
            since = ids[-1]
            mark = max(mark, since)
            if len(ids) < BATCH:
                break
        pulse.watermark = {**pulse.watermark, "order": mark, "order_floor": floor}
        return {"orders": found}


def _record(orders: Any) -> int:
    """Record those of these orders that the journal does not know; three queries."""
    numbers = [str(number) for number in orders.values_list("number", flat=True)]
    known = set(
        JournalEntry.objects.filter(
            kind=OrderPlaced.kind, about_type="order", about_id__in=numbers
        ).values_list("about_id", flat=True)
    )
    unknown = [number for number in numbers if number not in known]
    if not unknown:
        return 0
    rows = (
        tables.orders()
        .filter(number__in=unknown)
        .select_related("user", "shipping_address", "billing_address")
    )
    intake.record_many([order_record(order, user=order.user) for order in rows])
    return len(unknown)
