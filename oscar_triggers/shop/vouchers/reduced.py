"""Goods that are reduced already: a benefit of Oscar's that leaves them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone
from oscar.core.loading import get_model

from ...models import StockChange

#: A price that fell is a reduction for so long, as the EU's rules on reductions count.
LATELY = timedelta(days=30)
#: What Oscar's column `Benefit.proxy_class` holds.
BENEFIT = f"{__name__}.off_full_prices"


def off_full_prices(**fields: Any) -> Any:
    """Return Oscar's own benefit of these fields, which leaves out goods that are reduced.

    Oscar calls what `proxy_class` names with the row's fields. A class of ours would be a model
    of ours, for one method; so it gets the shop's own class, forked or not, for one basket.
    """
    benefit = get_model("offer", "Benefit")(**{**fields, "proxy_class": None}).proxy()
    all_lines = benefit.get_applicable_lines

    def lines_at_full_price(offer: Any, basket: Any, range: Any = None) -> list[tuple[Any, Any]]:  # noqa: A002 - Oscar's own name
        # Oscar's percentage stops at the first line that another offer took whole.
        found = [
            (price, line)
            for price, line in all_lines(offer, basket, range)
            if line.quantity_without_offer_discount(offer) > 0
        ]
        fallen = whose_price_fell([line for _price, line in found])
        return [(price, line) for price, line in found if line.stockrecord_id not in fallen]

    benefit.get_applicable_lines = lines_at_full_price
    return benefit


def whose_price_fell(lines: Sequence[Any]) -> set[int]:
    """Return the stock records of basket lines that cost more not long ago: one query."""
    dearer = Q(pk__in=[])
    for line in lines:
        price = line.stockrecord.price
        if price is not None:
            dearer |= Q(stock_record_id=line.stockrecord_id, price_before__gt=price)
    changes = StockChange.objects.filter(
        dearer,
        # The index is on these two.
        product_id__in={line.product_id for line in lines},
        noticed_at__gte=timezone.now() - LATELY,
        price_before__gt=F("price_after"),
    )
    return set(changes.values_list("stock_record_id", flat=True)) if lines else set()
