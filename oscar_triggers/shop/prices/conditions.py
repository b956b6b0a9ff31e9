"""Questions about prices that fell: by how much, and whether it was cheaper before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import conditions
from ...conditions import Condition
from ...kinds import option
from ...snapshots import Subject, Verdict
from ..conditions_products import product_of
from . import quotes, seen
from .events import is_below_lowest


@conditions.register
@dataclass(frozen=True, kw_only=True)
class CheaperThanSeen(Condition):
    """Whether the product costs this person less than they last saw; no where nobody knows."""

    kind: ClassVar[str] = "cheaper_than_seen"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Cheaper than the person last saw")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "On a page, in the basket, on a wish list or in a letter of ours. In one currency.",
    )
    about_types: ClassVar[frozenset[str]] = frozenset({"product"})

    percent: Decimal | None = option(
        default=None, label=pgettext_lazy("triggers", "By percent, at least")
    )
    amount: Decimal | None = option(
        default=None, label=pgettext_lazy("triggers", "By so much, at least")
    )

    def __post_init__(self) -> None:
        """Refuse a fall that no price can take."""
        if self.percent is not None and not 0 < self.percent <= 100:
            raise ValueError(pgettext("triggers", "percent must be above 0, and 100 at most"))
        if self.amount is not None and self.amount <= 0:
            raise ValueError(pgettext("triggers", "the amount must be above zero"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        pairs = [(one.contact_id, product_of(one)) for one in subjects]
        sights = seen.sights_of({one.contact_id for one in subjects}, {pk for _, pk in pairs})
        accounts = {one.contact_id: one.user_id for one in subjects if one.user_id is not None}
        asked = quotes.ask([pair for pair in pairs if pair in sights], now, accounts=accounts)
        verdicts = []
        for pair in pairs:
            quote = asked.get(pair)
            base = seen.base_line(sights[pair]) if quote is not None else None
            price = seen.shown(quote.price) if quote is not None else None
            compared = {
                "product": pair[1] or None,
                "saw": base.price if base is not None else None,
                "seen_at": base.seen_at if base is not None else None,
                "now": price,
                "currency": base.currency if base is not None else "",
                "percent": self.percent,
                "amount": self.amount,
            }
            holds = (
                base is not None
                and quote is not None
                and price is not None
                and base.currency == quote.currency
                and self._fell(base.price, price)
            )
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts

    def _fell(self, before: Decimal, now: Decimal) -> bool:
        by = before - now
        if by <= 0 or (self.amount is not None and by < self.amount):
            return False
        return self.percent is None or by * 100 >= self.percent * before


@conditions.register
@dataclass(frozen=True, kw_only=True)
class CheaperThanLately(Condition):
    """Whether a price is below all of the last 30 days before it fell; no where nobody knows."""

    kind: ClassVar[str] = "cheaper_than_lately"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Really cheaper than in the last 30 days")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Below the lowest price of the 30 days before, as the EU's rules on reductions count. "
        "Of several products: any of them.",
    )
    about_types: ClassVar[frozenset[str]] = frozenset({"price_drop"})

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Answer by what the event told: the price, and the lowest one before it fell."""
        products: Sequence[Mapping[str, Any]] = subject.payload.get("products") or ()
        fallen = {
            str(one.get("product_id")): {"now": one.get("new"), "lowest_30d": one.get("lowest_30d")}
            for one in products
        }
        holds = any(map(is_below_lowest, products))
        return Verdict(holds=holds, compared={"products": fallen})
