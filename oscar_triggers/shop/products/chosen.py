"""What products cost that the author of a letter chose: asked for each reader when it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...content import context
from ...content.context import Provided, Wanted
from ...content.tags import register_numbered
from ...content.values import Money
from ...snapshots import Subject
from ..stock.quoting import Quote, quote_many

ROOT = "chosen"
_PRICE = re.compile(rf"{ROOT}\.p([1-9][0-9]{{0,17}})\.price")
#: So many products of one letter are priced.
MOST = 100


def price_path(product_id: int) -> str:
    """Return the merge path of what a product costs the reader."""
    return f"{ROOT}.p{product_id}.price"


@context.register
class ChosenPrices(context.ContextProvider):
    """Prices of the products that a letter names by number; none where it cannot be bought."""

    name = ROOT
    only_for = ROOT

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return nothing: without its letter, nobody knows which products were chosen."""
        return [Provided() for _subject in subjects]

    def provide_wanted(self, wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
        """Return the price of each product that each letter names, in a constant number of queries."""
        asked = [_numbers(" ".join(sorted(one.paths or ()))) for one in wanted]
        pairs = {
            (one.subject.user_id, pk): None
            for one, numbers in zip(wanted, asked, strict=True)
            for pk in numbers
        }
        quotes = quote_many(list(pairs), now) if pairs else {}
        return [
            Provided(values=_values(one.subject.user_id, numbers, quotes))
            for one, numbers in zip(wanted, asked, strict=True)
        ]


def prices_in(body: str, now: datetime) -> dict[str, Any]:
    """Return what the products of a letter's text cost a stranger, for previews and tests."""
    numbers = _numbers(body)
    quotes = quote_many([(None, pk) for pk in numbers], now) if numbers else {}
    return _values(None, numbers, quotes)


def _numbers(text: str) -> list[int]:
    return list(dict.fromkeys(map(int, _PRICE.findall(text))))[:MOST]


def _values(user_id: Any, numbers: Sequence[int], quotes: dict[Any, Quote]) -> dict[str, Any]:
    found = {pk: quotes.get((user_id, pk)) for pk in numbers}
    return {
        ROOT: {
            f"p{pk}": {"price": Money(amount=quote.price, currency=quote.currency)}
            for pk, quote in found.items()
            if quote is not None and quote.is_available
        }
    }


register_numbered(ROOT, _PRICE)
