"""Questions about a customer's orders and a basket as it stands now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Count
from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..kinds import option
from ..models import JournalEntry
from ..snapshots import Subject, Verdict
from . import tables
from .events import OrderPlaced
from .looking import look


@conditions.register
@dataclass(frozen=True, kw_only=True)
class HasOrdered(Condition):
    """Whether the person ordered before: with the account, or as a guest since we listen."""

    kind: ClassVar[str] = "has_ordered"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has ordered before")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Orders of a guest count from the day on which Triggers was installed."
    )

    at_least: int = option(default=1, label=pgettext_lazy("triggers", "Orders, at least"))

    def __post_init__(self) -> None:
        if self.at_least < 1:
            raise ValueError(pgettext("triggers", "The number of orders must be one or more."))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch by two queries, both by index."""
        accounts = {one.user_id for one in subjects if one.user_id is not None}
        # As text: an account's number that is a UUID may have been through JSON.
        by_account = Counter(
            {
                str(user_id): count
                for user_id, count in tables.orders()
                .filter(user_id__in=accounts)
                .values_list("user_id")
                .annotate(count=Count("pk"))
            }
        )
        by_contact = Counter(
            dict(
                JournalEntry.objects.filter(
                    contact_id__in={one.contact_id for one in subjects}, kind=OrderPlaced.kind
                )
                .values_list("contact_id")
                .annotate(count=Count("pk"))
            )
        )
        verdicts = []
        for one in subjects:
            # The journal knows a part of an account's orders, the shop a part of a guest's.
            orders = max(by_account[str(one.user_id)], by_contact[one.contact_id])
            verdicts.append(
                Verdict(
                    holds=orders >= self.at_least,
                    compared={"orders": orders, "at_least": self.at_least},
                )
            )
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class BasketWorth(Condition):
    """Whether the basket is worth so much now, at the prices at which it was filled."""

    kind: ClassVar[str] = "basket_worth"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The basket is worth")
    about_types: ClassVar[frozenset[str]] = frozenset({"basket"})

    at_least: Decimal = option(label=pgettext_lazy("triggers", "At least"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        seen = look({int(one.about.id) for one in subjects if one.about.id.isdigit()})
        verdicts = []
        for one in subjects:
            basket = seen.get(int(one.about.id)) if one.about.id.isdigit() else None
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
