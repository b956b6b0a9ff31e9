"""Which of the watched orders are worth a look, found by the database however many are open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from ...models import OrderWatch
from .. import tables
from . import stages
from .deciding import Thresholds

#: What Oscar writes down with a date when it changes an order, and how it names the order.
_DATED = (
    ("order", "OrderStatusChange", "order_id"),
    ("order", "ShippingEvent", "order_id"),
    ("order", "PaymentEvent", "order_id"),
    ("payment", "Transaction", "source__order_id"),
)


def find(
    watched: QuerySet[OrderWatch], since: datetime, now: datetime, thresholds: Thresholds
) -> set[int]:
    """Return the ids of the watches of which something may have changed, or fallen due."""
    return {pk for rows in _reasons(watched, since, now, thresholds) for pk in _ids(rows)}


def _ids(rows: QuerySet[OrderWatch]) -> Iterator[int]:
    return rows.order_by().values_list("pk", flat=True).iterator()


def _reasons(
    watched: QuerySet[OrderWatch], since: datetime, now: datetime, thresholds: Thresholds
) -> Iterator[QuerySet[OrderWatch]]:
    for app_label, model, order_id in _DATED:
        dated = tables.rows(app_label, model).order_by().filter(date_created__gte=since)
        yield watched.filter(order_id__in=dated.values(order_id))
    # Set by an admin, an import, `QuerySet.update`: nothing is dated.
    order = tables.orders().filter(pk=OuterRef("order_id"))
    yield watched.filter(Exists(order.exclude(status=OuterRef("status"))))
    # Not whole when it was seen, or asked for by a signal.
    yield watched.filter(fingerprint="")
    for after in thresholds.unpaid:
        yield watched.filter(placed_at__gte=since - after, placed_at__lte=now - after)
    if thresholds.pickup:
        gone = Q(stages__has_any_keys=[stages.RECEIVED, *stages.OVER])
        yield watched.filter(stages__has_key=stages.READY).exclude(gone)
