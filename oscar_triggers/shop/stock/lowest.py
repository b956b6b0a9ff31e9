"""The lowest price of a time before, from the journal: what EU shops must say of a reduction."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Max
from oscar.core.loading import get_class

from ...models import StockCause, StockChange, StockSnapshot
from . import pricing


@dataclass(kw_only=True)
class _Known:
    """What the journal knows of the prices of one product in the time that is asked for."""

    #: As they were asked, tax and offers included.
    asked: list[Decimal] = field(default_factory=list)
    #: Of stock records, where nobody had asked the strategy: (record, price).
    bare: set[tuple[int, Decimal]] = field(default_factory=set)


def lowest_price(
    product_ids: Collection[int],
    currency: str,
    since: datetime,
    *,
    until: datetime | None = None,
) -> dict[int, Decimal]:
    """Return the lowest price that was asked for each product in a time (EU Omnibus).

    As somebody who is not signed in saw it. The price that was valid when the time began counts
    too. For the lowest price before a reduction, `until` is the moment at which the reduction was
    noticed. Of a parent it is that of its variants. No entry: nothing is known in this currency.
    """
    goods = pricing.Goods.read(product_ids)
    known = _read(goods.products, currency, since, until)
    strategy = get_class("partner.strategy", "Selector")().strategy(user=AnonymousUser())
    lowest: dict[int, Decimal] = {}
    for product_id in product_ids:
        prices = [
            price
            for product in goods.of(product_id)
            for price in _prices(strategy, product, known[product.pk], currency)
        ]
        if prices:
            lowest[product_id] = min(prices)
    return lowest


def _read(
    product_ids: Collection[int], currency: str, since: datetime, until: datetime | None
) -> Mapping[int, _Known]:
    """Read three times: what was valid at the beginning, what changed, what never changed."""
    known: dict[int, _Known] = defaultdict(_Known)
    told = StockChange.objects.filter(product_id__in=product_ids).order_by("pk")
    started: set[int] = set()
    newest = told.filter(noticed_at__lte=since).values("stock_record_id").order_by()
    for row in told.filter(pk__in=newest.annotate(last=Max("pk")).values("last")):
        started.add(row.stock_record_id)
        _note(known[row.product_id], row, currency)
    for row in told.filter(noticed_at__gt=since):
        if row.stock_record_id not in started:
            # Nothing is told from before: its first change says what was valid until then.
            started.add(row.stock_record_id)
            if row.price_before is not None and row.currency == currency:
                known[row.product_id].bare.add((row.stock_record_id, row.price_before))
        if until is None or row.noticed_at < until:
            _note(known[row.product_id], row, currency)
    seen = StockSnapshot.objects.filter(product_id__in=product_ids, currency=currency)
    for record in seen.exclude(price=None).exclude(stock_record_id__in=started):
        assert record.price is not None
        known[record.product_id].bare.add((record.stock_record_id, record.price))
    return known


def _note(known: _Known, row: StockChange, currency: str) -> None:
    if row.currency != currency or row.cause == StockCause.GONE:
        return
    if row.quoted_after is not None:
        known.asked.append(row.quoted_after)
    elif row.price_after is not None:
        known.bare.add((row.stock_record_id, row.price_after))


def _prices(strategy: Any, product: Any, known: _Known, currency: str) -> Iterator[Decimal]:
    yield from known.asked
    if not known.bare:
        return
    quote = pricing.quote_of(strategy, product)
    if quote is None:
        return
    for record in product.stockrecords.all():
        # Another partner's price was asked from nobody.
        if record.pk != quote.stock_record_id:
            continue
        for price in sorted(price for number, price in known.bare if number == record.pk):
            then = copy.copy(record)
            then.price = price
            asked = pricing.quote_of(strategy, product, then)
            if asked is not None and asked.currency == currency:
                yield asked.price
