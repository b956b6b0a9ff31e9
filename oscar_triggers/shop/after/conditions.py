"""Questions about the very order that a flow is about: what it holds, where it stands, its worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Q
from django.utils.translation import pgettext, pgettext_lazy

from ... import conditions
from ...builtin import comparisons
from ...conditions import Condition
from ...kinds import option
from ...snapshots import Subject, Verdict
from .. import tables
from ..goods import GoodsCondition
from ..purchases import purchases_of
from . import reading, stages
from .reading import Seen

_ABOUT_ORDERS = pgettext_lazy("triggers", "In flows about an order; elsewhere the answer is no.")


def _orders(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Return the orders that flows are about, by number, in one query."""
    numbers = {one.about.id for one in subjects if one.about.type == "order"}
    if not numbers:
        return {}
    rows = tables.orders().filter(number__in=numbers)
    return {str(row["number"]): row for row in rows.values(*_FIELDS)}


_FIELDS = ("pk", "number", "date_placed", "total_incl_tax", "shipping_incl_tax", "currency")


def _order_of(subject: Subject, orders: Mapping[str, Any]) -> Any | None:
    return orders.get(subject.about.id) if subject.about.type == "order" else None


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderContains(GoodsCondition):
    """Whether the order holds certain goods."""

    kind: ClassVar[str] = "order_contains"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "The order contains")
    description: ClassVar[Any] = _ABOUT_ORDERS

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        orders = _orders(subjects)
        ids = [row["pk"] for row in orders.values()]
        lines = tables.rows("order", "Line").order_by().filter(order_id__in=ids)
        fitting = Q(product_id__in=self.goods())
        if self.product.strip() and not (self.category.strip() or self.brand.strip()):
            # A product that was deleted since is known by what the line says of it.
            fitting |= Q(product=None, upc=self.product.strip())
        found = set(lines.filter(fitting).values_list("order_id", flat=True)) if ids else set()
        verdicts = []
        for subject in subjects:
            order = _order_of(subject, orders)
            holds = order is not None and order["pk"] in found
            compared = {**self.wanted(), "order": subject.about.id if order else None}
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


def _stages() -> list[tuple[str, Any]]:
    return [
        (stages.PAID, pgettext_lazy("triggers stage", "paid")),
        (stages.SHIPPED, pgettext_lazy("triggers stage", "shipped")),
        (stages.READY, pgettext_lazy("triggers stage", "ready for pick-up")),
        (stages.RECEIVED, pgettext_lazy("triggers stage", "received")),
        (stages.CANCELLED, pgettext_lazy("triggers stage", "cancelled")),
        (stages.REFUNDED, pgettext_lazy("triggers stage", "refunded")),
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderStage(Condition):
    """Whether the order has come to a stage."""

    kind: ClassVar[str] = "order_stage"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "The order is")
    description: ClassVar[Any] = _ABOUT_ORDERS

    stage: str = option(label=pgettext_lazy("triggers", "Stage"), choices=_stages)

    def __post_init__(self) -> None:
        """Refuse a stage that is none."""
        if self.stage not in stages.ALL:
            raise ValueError(
                pgettext("triggers", "stage must be one of %(known)s, not '%(found)s'")
                % {"known": ", ".join(stages.ALL), "found": self.stage}
            )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        orders = _orders(subjects)
        seen = reading.read([row["pk"] for row in orders.values()])
        verdicts = []
        for subject in subjects:
            row = _order_of(subject, orders)
            order: Seen | None = seen.get(row["pk"]) if row else None
            reached = order.reached() if order else {}
            compared = {
                "stage": self.stage,
                "reached": sorted(reached),
                "status": order.status if order else None,
            }
            verdicts.append(Verdict(holds=self.stage in reached, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class FirstOrder(Condition):
    """Whether it is the person's first order."""

    kind: ClassVar[str] = "first_order"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "It is the first order")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Of this person: with the account, or as a guest since Triggers was installed."
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        orders = _orders(subjects)
        verdicts = []
        for subject, purchases in zip(subjects, purchases_of(subjects), strict=True):
            order = _order_of(subject, orders)
            before = [
                one
                for one in purchases
                if order is not None
                and (one.placed_at, one.order_id) < (order["date_placed"], order["pk"])
            ]
            compared = {
                "order": subject.about.id if order else None,
                "orders_before": len(before),
            }
            verdicts.append(Verdict(holds=order is not None and not before, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderValue(Condition):
    """What the order is worth."""

    kind: ClassVar[str] = "order_value"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "Value of the order")
    description: ClassVar[Any] = _ABOUT_ORDERS

    comparison: str = option(
        default=comparisons.AT_LEAST,
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    amount: Decimal = option(label=pgettext_lazy("triggers", "Amount"))
    with_shipping: bool = option(
        default=True, label=pgettext_lazy("triggers", "Shipping is counted too")
    )
    currency: str = option(
        default="",
        label=pgettext_lazy("triggers", "Currency"),
        help_text=pgettext_lazy("triggers", "As in EUR. Empty: whichever the order was placed in."),
    )

    def __post_init__(self) -> None:
        """Refuse a comparison that is none."""
        comparisons.check(self.comparison)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in one query."""
        orders = _orders(subjects)
        wanted = self.currency.strip().upper()
        verdicts = []
        for subject in subjects:
            order = _order_of(subject, orders)
            value = None
            if order is not None:
                shipping = Decimal(0) if self.with_shipping else order["shipping_incl_tax"]
                value = order["total_incl_tax"] - (shipping or Decimal(0))
            currency = order["currency"] if order else None
            holds = (
                value is not None
                and wanted in ("", currency)
                and comparisons.compare(value, self.comparison, self.amount)
            )
            compared = {
                "value": value,
                "currency": currency,
                "comparison": self.comparison,
                "wanted": self.amount,
                "wanted_currency": wanted,
            }
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts
