"""The lowest price of the 30 days before a reduction, as a person would have seen it.

Directive 98/6/EC, article 6a: who announces a reduction says the lowest price of the 30 days
before it. The journal knows it as somebody saw it who was not signed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from ..stock import quoting
from . import seen
from .offers import Asked

PERIOD = timedelta(days=30)

#: Taxes and price lists are steps of a tenth of a percent at least; below that it is rounding.
_STEP = Decimal("0.001")


class Lowest:
    """What products cost at least before a moment, for those to whom the shop asks prices."""

    def __init__(self, asked: Iterable[Asked], until: datetime, now: datetime) -> None:
        wanted: dict[str, set[int]] = defaultdict(set)
        for one in asked:
            wanted[one.plain.currency].add(one.plain.product_id)
        self._known = {
            (product_id, currency): price
            for currency, product_ids in sorted(wanted.items())
            for product_id, price in quoting.lowest_price(
                product_ids, currency, until - PERIOD, until=until
            ).items()
        }
        strangers = [(None, product_id) for product_id, _currency in self._known]
        self._strangers = quoting.quote_many(strangers, now) if strangers else {}

    def of(self, asked: Asked) -> Decimal | None:
        """Return the lowest price for whom the shop asks this; None where nobody knows."""
        plain = asked.plain
        lowest = self._known.get((plain.product_id, plain.currency))
        stranger = self._strangers.get((None, plain.product_id))
        if lowest is None or stranger is None or stranger.currency != plain.currency:
            return None
        if stranger.price == plain.price:
            return seen.shown(lowest)
        if not stranger.price:
            return None
        # With the tax, or on the terms, of this person.
        return seen.shown(lowest * (plain.price / stranger.price).quantize(_STEP))
