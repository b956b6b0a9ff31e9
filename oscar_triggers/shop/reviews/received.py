"""How much of each line of an order arrived and was kept: what its buyer can have an opinion of.

Shops tell of it in three ways, and rarely in all of them: statuses of orders and lines, shipping
events with quantities, payment events. Where any line of an order is known to have arrived, only
what is known to have arrived counts; where nothing is known, what was shipped; else everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.text import slugify

from ...conf import order_stage_names
from .. import tables

_ARRIVING = ("received", "shipped")
_GONE = ("cancelled", "refunded")


@dataclass(frozen=True, kw_only=True)
class KeptLine:
    """A line of which its buyer has something."""

    line_id: int
    product_id: int
    quantity: int


@dataclass(kw_only=True)
class _Moved:
    """How many of a line went through which stage, as events tell."""

    shipping: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refunded: int = 0


def kept_lines(orders: Collection[Mapping[str, Any]]) -> dict[int, list[KeptLine]]:
    """Return what was kept of orders (rows with pk, status and total), by their ids; five queries.

    Lines whose product was deleted are left out.
    """
    alive = {row["pk"]: row for row in orders if _stage(row["status"]) not in _GONE}
    if not alive:
        return {}
    by_order: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in (
        tables.rows("order", "Line")
        .filter(order_id__in=alive)
        .order_by("pk")
        .values("pk", "order_id", "product_id", "quantity", "status")
    ):
        by_order[line["order_id"]].append(line)
    moved = _moved(alive)
    paid_back = _paid_back(alive)
    return {
        pk: _kept(lines, moved)
        for pk, lines in by_order.items()
        if not 0 < alive[pk]["total_incl_tax"] <= paid_back[pk]
    }


def _kept(lines: list[dict[str, Any]], moved: Mapping[int, _Moved]) -> list[KeptLine]:
    arrived = {line["pk"]: int(line["quantity"]) for line in lines}
    for stage in _ARRIVING:
        known = {line["pk"]: _reached(line, moved[line["pk"]], stage) for line in lines}
        if any(known.values()):
            arrived = known
            break
    kept = []
    for line in lines:
        events, quantity = moved[line["pk"]], int(line["quantity"])
        back, cancelled = events.shipping["refunded"], events.shipping["cancelled"]
        left = min(
            arrived[line["pk"]] - back,
            # A piece that came back, or never left, is often the one that was paid back.
            quantity - max(events.refunded, back + cancelled),
        )
        if left > 0 and line["product_id"] is not None and _stage(line["status"]) not in _GONE:
            kept.append(KeptLine(line_id=line["pk"], product_id=line["product_id"], quantity=left))
    return kept


def _reached(line: Mapping[str, Any], events: _Moved, stage: str) -> int:
    quantity = int(line["quantity"])
    return quantity if _stage(line["status"]) == stage else min(events.shipping[stage], quantity)


def _moved(orders: Collection[int]) -> Mapping[int, _Moved]:
    moved: dict[int, _Moved] = defaultdict(_Moved)
    for line_id, name, code, quantity in (
        tables.rows("order", "ShippingEventQuantity")
        .order_by()
        .filter(line__order_id__in=orders)
        .values_list("line_id", "event__event_type__name", "event__event_type__code", "quantity")
    ):
        moved[line_id].shipping[_stage(name) or _stage(code)] += quantity
    for line_id, name, code, quantity in (
        tables.rows("order", "PaymentEventQuantity")
        .order_by()
        .filter(line__order_id__in=orders)
        .values_list("line_id", "event__event_type__name", "event__event_type__code", "quantity")
    ):
        if (_stage(name) or _stage(code)) in _GONE:
            moved[line_id].refunded += quantity
    return moved


def _paid_back(orders: Collection[int]) -> Mapping[int, Decimal]:
    """Return how much of the money of orders went back, by events or by payment sources.

    Shops write the same refund down in one way, in the other, or in both: the larger sum counts.
    """
    by_events: dict[int, Decimal] = defaultdict(Decimal)
    for order_id, name, code, amount in (
        tables.rows("order", "PaymentEvent")
        .order_by()
        .filter(order_id__in=orders)
        .values("order_id", "event_type__name", "event_type__code")
        .annotate(amount=Sum("amount"))
        .values_list("order_id", "event_type__name", "event_type__code", "amount")
    ):
        if (_stage(name) or _stage(code)) in _GONE:
            # Some shops write a payment back as a negative amount.
            by_events[order_id] += abs(amount)
    by_sources = dict(
        tables.rows("payment", "Source")
        .order_by()
        .filter(order_id__in=orders)
        .values_list("order_id")
        .annotate(amount=Sum("amount_refunded"))
    )
    return {
        pk: max(by_events.get(pk, Decimal(0)), by_sources.get(pk) or Decimal(0)) for pk in orders
    }


def _stage(name: str | None) -> str:
    """Return which stage the shop's own word stands for, "" for none."""
    word = (name or "").casefold()
    for stage in (*_ARRIVING, *_GONE):
        if any(word in (one.casefold(), slugify(one)) for one in order_stage_names(stage)):
            return stage
    return ""
