"""Questions about a basket as it stands now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Count, Sum
from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..builtin import comparisons
from ..conditions import Condition
from ..kinds import option
from ..snapshots import Subject, Verdict
from . import tables
from .goods import GoodsCondition, number_of
from .looking import look

_ABOUT_BASKETS = frozenset({"basket"})


def basket_of(subject: Subject) -> int:
    """Return the number of the basket that a flow is about, 0 when it is about none."""
    about = subject.about
    return (number_of(about.id) or 0) if about.type == "basket" else 0


@conditions.register
@dataclass(frozen=True, kw_only=True)
class BasketWorth(Condition):
    """Whether the basket is worth so much now, at the prices at which it was filled."""

    kind: ClassVar[str] = "basket_worth"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "How much is in the basket now, at today's prices."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "The basket is worth")
    about_types: ClassVar[frozenset[str]] = _ABOUT_BASKETS

    at_least: Decimal = option(label=pgettext_lazy("triggers", "At least"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        seen = look({basket_of(one) for one in subjects})
        verdicts = []
        for one in subjects:
            basket = seen.get(basket_of(one))
            worth = basket.value if basket is not None else Decimal(0)
            verdicts.append(
                Verdict(
                    holds=worth >= self.at_least,
                    compared={
                        "worth": worth,
                        "at_least": self.at_least,
                        "currency": basket.currency if basket is not None else "",
                    },
                )
            )
        return verdicts


def _counted() -> list[tuple[str, Any]]:
    return [
        ("lines", pgettext_lazy("triggers", "different goods")),
        ("items", pgettext_lazy("triggers", "pieces")),
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class BasketLines(Condition):
    """How much is in the basket now, in lines or in pieces."""

    kind: ClassVar[str] = "basket_lines"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "How many different goods are in the basket now."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Number of goods in the basket")
    about_types: ClassVar[frozenset[str]] = _ABOUT_BASKETS

    comparison: str = option(
        default=comparisons.AT_LEAST,
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    count: int = option(label=pgettext_lazy("triggers", "Number"))
    of: str = option(
        default="lines", label=pgettext_lazy("triggers", "What is counted"), choices=_counted
    )

    def __post_init__(self) -> None:
        """Refuse a comparison that is none, and what cannot be counted."""
        comparisons.check(self.comparison)
        if self.of not in ("lines", "items"):
            raise ValueError(
                pgettext("triggers", "must be '%(one)s' or '%(other)s'")
                % {"one": "lines", "other": "items"}
            )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch by one query."""
        counted = {
            pk: {"lines": lines, "items": int(items)}
            for pk, lines, items in tables.basket_lines()
            .filter(basket_id__in={basket_of(one) for one in subjects}, quantity__gt=0)
            .values_list("basket_id")
            .annotate(lines=Count("pk"), items=Sum("quantity"))
        }
        verdicts = []
        for one in subjects:
            found = counted.get(basket_of(one), {"lines": 0, "items": 0})
            compared = {**found, "comparison": self.comparison, "wanted": self.count, "of": self.of}
            holds = comparisons.compare(found[self.of], self.comparison, self.count)
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class BasketContains(GoodsCondition):
    """Whether certain goods are in the basket now."""

    kind: ClassVar[str] = "basket_contains"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Whether something of a category, or one product, is in the basket now."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "The basket contains")
    about_types: ClassVar[frozenset[str]] = _ABOUT_BASKETS

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        fitting = Counter(
            tables.basket_lines()
            .filter(
                basket_id__in={basket_of(one) for one in subjects},
                quantity__gt=0,
                product_id__in=self.goods(),
            )
            .values_list("basket_id", flat=True)
        )
        return [
            Verdict(
                holds=fitting[basket_of(one)] > 0,
                compared={**self.wanted(), "lines": fitting[basket_of(one)]},
            )
            for one in subjects
        ]
