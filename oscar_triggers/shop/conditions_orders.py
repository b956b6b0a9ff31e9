"""Questions about what a customer ordered: how often, for how much, when, and what.

Orders count by account, by e-mail in any case, and by the journal: a guest's from the day on
which Triggers was installed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Q
from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..builtin import comparisons
from ..conditions import Condition
from ..kinds import option
from ..snapshots import Subject, Verdict
from . import tables
from .goods import GoodsCondition
from .purchases import Purchase, purchases_of, purchases_since_entry, since_the_event

_SINCE_WE_LISTEN = pgettext_lazy(
    "triggers", "Orders of a guest count from the day on which Triggers was installed."
)
_WITHIN = pgettext_lazy("triggers", "Within the last")
_WITHIN_HELP = pgettext_lazy("triggers", "Only orders of that time. Empty: all orders.")

MORE_THAN = "more_than"
LESS_THAN = "less_than"
NEVER = "never"


def _younger(
    purchases: Iterable[Purchase], within: timedelta | None, now: datetime
) -> list[Purchase]:
    return [one for one in purchases if within is None or one.placed_at > now - within]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class HasOrdered(Condition):
    """Whether the person ordered before: with the account, or as a guest since we listen."""

    kind: ClassVar[str] = "has_ordered"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has ordered before")
    description: ClassVar[Any] = _SINCE_WE_LISTEN

    at_least: int = option(default=1, label=pgettext_lazy("triggers", "Orders, at least"))

    def __post_init__(self) -> None:
        if self.at_least < 1:
            raise ValueError(pgettext("triggers", "The number of orders must be one or more."))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        return [
            Verdict(
                holds=len(orders) >= self.at_least,
                compared={"orders": len(orders), "at_least": self.at_least},
            )
            for orders in purchases_of(subjects)
        ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderCount(Condition):
    """How often the person ordered, ever or lately."""

    kind: ClassVar[str] = "order_count"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Number of orders")
    description: ClassVar[Any] = _SINCE_WE_LISTEN

    comparison: str = option(
        default=comparisons.AT_LEAST,
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    count: int = option(label=pgettext_lazy("triggers", "Orders"))
    within: timedelta | None = option(default=None, label=_WITHIN, help_text=_WITHIN_HELP)

    def __post_init__(self) -> None:
        """Refuse a comparison or a number that is none."""
        comparisons.check(self.comparison)
        if self.count < 0:
            raise ValueError(pgettext("triggers", "The number of orders cannot be below zero."))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        verdicts = []
        for orders in purchases_of(subjects):
            count = len(_younger(orders, self.within, now))
            compared = {
                "orders": count,
                "comparison": self.comparison,
                "wanted": self.count,
                "within": self.within,
            }
            holds = comparisons.compare(count, self.comparison, self.count)
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderTotal(Condition):
    """For how much the person ordered, ever or lately, in one currency, tax included."""

    kind: ClassVar[str] = "order_total"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Total of all orders")
    description: ClassVar[Any] = _SINCE_WE_LISTEN

    comparison: str = option(
        default=comparisons.AT_LEAST,
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    amount: Decimal = option(label=pgettext_lazy("triggers", "Amount"))
    currency: str = option(
        default="",
        label=pgettext_lazy("triggers", "Currency"),
        help_text=pgettext_lazy(
            "triggers", "As in EUR. Empty: the shop's. Orders in other currencies do not count."
        ),
    )
    within: timedelta | None = option(default=None, label=_WITHIN, help_text=_WITHIN_HELP)

    def __post_init__(self) -> None:
        """Refuse a comparison that is none."""
        comparisons.check(self.comparison)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        currency = self.currency.strip().upper() or shop_currency()
        verdicts = []
        for orders in purchases_of(subjects):
            totals: dict[str, Decimal] = defaultdict(Decimal)
            for one in _younger(orders, self.within, now):
                totals[one.currency] += one.total
            total = totals.pop(currency, Decimal(0))
            compared = {
                "total": total,
                "currency": currency,
                "comparison": self.comparison,
                "wanted": self.amount,
                "within": self.within,
                "other_currencies": dict(totals),
            }
            holds = comparisons.compare(total, self.comparison, self.amount)
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


def shop_currency() -> str:
    """Return the currency that the shop has unless it says otherwise."""
    return str(getattr(settings, "OSCAR_DEFAULT_CURRENCY", "EUR"))


def _ages() -> list[tuple[str, Any]]:
    return [
        (MORE_THAN, pgettext_lazy("triggers", "is longer ago than")),
        (LESS_THAN, pgettext_lazy("triggers", "is not so long ago as")),
        (NEVER, pgettext_lazy("triggers", "never happened")),
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class LastOrder(Condition):
    """How long ago the last order was; who never ordered has no last order."""

    kind: ClassVar[str] = "last_order"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The last order")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Who never ordered fits “never happened” only. Guests' orders count since the "
        "installation of Triggers."
    )  # fmt: skip

    comparison: str = option(
        default=MORE_THAN, label=pgettext_lazy("triggers", "Comparison"), choices=_ages
    )
    days: int = option(default=0, label=pgettext_lazy("triggers", "Days"))

    def __post_init__(self) -> None:
        """Refuse a comparison that is none, and days where none or too many are given."""
        if self.comparison not in (MORE_THAN, LESS_THAN, NEVER):
            raise ValueError(
                pgettext("triggers", "comparison must be one of %(known)s, not '%(found)s'")
                % {"known": f"{MORE_THAN}, {LESS_THAN}, {NEVER}", "found": self.comparison}
            )
        if self.comparison != NEVER and not 1 <= self.days <= 36_500:
            raise ValueError(pgettext("triggers", "days must be one or more"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        verdicts = []
        for orders in purchases_of(subjects):
            last = orders[-1] if orders else None
            compared: dict[str, Any] = {
                "last_order": last.number if last else None,
                "placed_at": last.placed_at if last else None,
                "comparison": self.comparison,
                "days": self.days,
            }
            if last is None or self.comparison == NEVER:
                holds = last is None and self.comparison == NEVER
            else:
                longer = now - last.placed_at > timedelta(days=self.days)
                holds = longer == (self.comparison == MORE_THAN)
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class Bought(GoodsCondition):
    """Whether the person bought certain goods: ever, lately, or since the flow began."""

    kind: ClassVar[str] = "bought"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has bought")
    description: ClassVar[Any] = _SINCE_WE_LISTEN

    within: timedelta | None = option(default=None, label=_WITHIN, help_text=_WITHIN_HELP)
    since_entry: bool = option(
        default=False, label=pgettext_lazy("triggers", "Only since the flow began")
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        every = (
            purchases_since_entry(since_the_event(subjects))
            if self.since_entry
            else purchases_of(subjects)
        )
        young = [_younger(orders, self.within, now) for orders in every]
        goods = self.goods()
        with_goods = set(
            tables.rows("order", "Line")
            .order_by()
            .filter(
                Q(product_id__in=goods) | _by_upc(self),
                order_id__in={one.order_id for orders in young for one in orders},
            )
            .values_list("order_id", flat=True)
        )
        verdicts = []
        for orders in young:
            fitting = [one for one in orders if one.order_id in with_goods]
            compared = {
                **self.wanted(),
                "orders": len(orders),
                "with_goods": len(fitting),
                "order": fitting[-1].number if fitting else None,
                "within": self.within,
                "since_entry": self.since_entry,
            }
            verdicts.append(Verdict(holds=bool(fitting), compared=compared))
        return verdicts


def _by_upc(asked: GoodsCondition) -> Q:
    """Find a product that was deleted since by what its order line still says of it."""
    alone = asked.product.strip() and not asked.category.strip() and not asked.brand.strip()
    return Q(product=None, upc=asked.product.strip()) if alone else Q(pk__in=[])


@conditions.register
@dataclass(frozen=True, kw_only=True)
class OrderedSinceEntry(Condition):
    """Whether the person ordered anything since the flow began."""

    kind: ClassVar[str] = "ordered_since_entry"
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has ordered since the flow began")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "By account, by e-mail, or from the very basket that the flow is about."
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        verdicts = []
        people = since_the_event(subjects)
        for one, orders in zip(people, purchases_since_entry(people), strict=True):
            compared = {
                "since": one.entered_at,
                "orders": len(orders),
                "order": orders[0].number if orders else None,
                "placed_at": orders[0].placed_at if orders else None,
            }
            verdicts.append(Verdict(holds=bool(orders), compared=compared))
        return verdicts
