"""What was asked for a product when it changed: filled into the journal right after the change."""

from __future__ import annotations

import logging
from datetime import datetime

from ...models import StockCause, StockChange
from . import discounts

logger = logging.getLogger(__name__)

#: How many lines of the journal one run fills; the rest stays empty, and readers ask themselves.
MOST = 5_000
#: How many prices one run finds by filling a basket, where offers are active.
MOST_BASKETS = 100
_BATCH = 500


def fill(newest: int, now: datetime) -> int:
    """Fill in what somebody who is not signed in pays, for lines above a number; count them."""
    empty = (
        StockChange.objects.filter(pk__gt=newest, quoted_after=None)
        .exclude(cause=StockCause.GONE)
        .order_by("pk")
    )
    last, baskets, looked, filled = newest, MOST_BASKETS, 0, 0
    while looked < MOST:
        rows = list(empty.filter(pk__gt=last)[:_BATCH])
        if not rows:
            return filled
        last, looked = rows[-1].pk, looked + len(rows)
        desk = discounts.Desk(baskets=baskets)
        quotes = desk.quote([(None, row.product_id) for row in rows], now)
        baskets -= desk.filled
        said = []
        for row in rows:
            quote = quotes.get((None, row.product_id))
            if quote is not None and quote.currency == row.currency:
                row.quoted_after = quote.price
                said.append(row)
        StockChange.objects.bulk_update(said, ["quoted_after"])
        filled += len(said)
    if (left := empty.filter(pk__gt=last).count()) > 0:
        logger.warning(
            "%s changes of stock and prices were journalled without what was asked for them: "
            "one run asks for %s at most.",
            left,
            MOST,
        )
    return filled
