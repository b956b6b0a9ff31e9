"""Who bought something of a category in which a price fell, and never saw that price (T38).

What they would have paid before is known only where the shop asks everybody the same: it is the
journal's price before the fall, with the tax that the shop adds today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Q

from ...engine import flows
from ...models import Contact
from .. import tables
from . import seen
from .events import CATEGORY, PriceDropped, PriceDroppedOptions
from .offers import Asked
from .seen import Pair, Sight

#: Taxes are steps of a tenth of a percent at least; below that it is rounding.
_STEP = Decimal("0.001")


def longest_memory() -> timedelta | None:
    """Return how long ago a purchase may lie for the live flows; None where none asks for it."""
    wanted = [
        one.bought_within
        for one in flows.live_trigger_options(PriceDropped.kind)
        if isinstance(one, PriceDroppedOptions) and CATEGORY in one.interests
    ]
    return max(wanted, default=None)


@dataclass(frozen=True, kw_only=True)
class Buyers:
    """Members who bought in the categories of some products since; guests are not looked for."""

    since: datetime
    #: The products of each category.
    categories: Mapping[int, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, product_ids: Collection[int], since: datetime) -> Buyers:
        """Return who bought like these products: one query."""
        categories: dict[int, set[int]] = defaultdict(set)
        rows = tables.rows("catalogue", "ProductCategory").filter(product_id__in=product_ids)
        for product_id, category_id in rows.order_by().values_list("product_id", "category_id"):
            categories[category_id].add(product_id)
        return cls(since=since, categories=categories)

    def people(self, *, above: int, limit: int) -> list[int]:
        """Return the next contacts of such buyers, in the order of their numbers."""
        if not self.categories:
            return []
        users = self._lines().values("order__user_id")
        found = Contact.objects.filter(user_id__in=users, joined_into=None, pk__gt=above)
        return list(found.order_by("pk").values_list("pk", flat=True)[:limit])

    def interests(self, accounts: Mapping[int, Any]) -> dict[Pair, datetime]:
        """Return when these people last bought like each product: two queries."""
        if not self.categories or not accounts:
            return {}
        contact_of = {user_id: contact_id for contact_id, user_id in accounts.items()}
        found: dict[Pair, datetime] = {}
        for of in ("product", "product__parent"):
            category = f"{of}__productcategory__category_id"
            rows = (
                self._lines()
                .filter(**{"order__user_id__in": contact_of, f"{category}__in": self.categories})
                .values_list("order__user_id", category)
                .annotate(bought_at=Max("order__date_placed"))
            )
            for user_id, category_id, bought_at in rows:
                for product_id in self.categories[category_id]:
                    pair = (contact_of[user_id], product_id)
                    found[pair] = max(found.get(pair, bought_at), bought_at)
        return found

    def _lines(self) -> Any:
        wanted = list(self.categories)
        return (
            tables.rows("order", "Line")
            .order_by()
            .filter(
                Q(product__productcategory__category_id__in=wanted)
                | Q(product__parent__productcategory__category_id__in=wanted),
                order__date_placed__gte=self.since,
                order__user_id__isnull=False,
            )
        )


def sight(
    pair: Pair, asked: Asked, stranger: Any, fell: tuple[Decimal, Decimal, datetime] | None
) -> Sight | None:
    """Return what the product cost before as if they had seen it; None where nobody knows."""
    if fell is None or stranger is None:
        return None
    before, after, noticed_at = fell
    plain = asked.plain
    same = (stranger.price, stranger.currency) == (plain.price, plain.currency)
    if not same or not after:
        return None
    return Sight(
        contact_id=pair[0],
        product_id=pair[1],
        source=CATEGORY,
        price=seen.shown(before * (plain.price / after).quantize(_STEP)),
        currency=plain.currency,
        # They knew what it cost until it fell.
        seen_at=noticed_at - timedelta(seconds=1),
    )
