"""What people pay for a product, the shop's offers counted where one began or ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..stock import quoting
from ..stock.quoting import Quote
from . import quotes
from .seen import Pair


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the shop asks from one person."""

    quote: Quote
    #: Without the shop's offers.
    plain: Quote
    #: Whether an offer makes it cheaper.
    with_offer: bool = False


def ask(
    pairs: Sequence[Pair],
    accounts: Mapping[int, Any],
    *,
    with_offers: Collection[int] = (),
    now: datetime,
) -> dict[Pair, Asked]:
    """Return what each person pays now; no entry: there is no price.

    Offers of the shop are the same for everybody: they are counted once for each product, as a
    stranger gets them, and hold for those who are asked the same without them. Whom the shop
    asks a price of their own is told that one.
    """
    plain = quotes.ask(pairs, now, accounts=accounts)
    strangers: dict[Any, Quote] = {}
    reduced: dict[Any, Quote] = {}
    wanted = [(None, pk) for pk in {product_id for _contact, product_id in plain} & {*with_offers}]
    if wanted:
        strangers = quoting.quote_many(wanted, now)
        reduced = quoting.quote_many_with_offers(wanted, now)
    return {pair: _asked(quote, pair, strangers, reduced) for pair, quote in plain.items()}


def _asked(
    quote: Quote, pair: Pair, strangers: Mapping[Any, Quote], reduced: Mapping[Any, Quote]
) -> Asked:
    stranger, lower = strangers.get((None, pair[1])), reduced.get((None, pair[1]))
    if stranger is None or lower is None or lower.price >= quote.price:
        return Asked(quote=quote, plain=quote)
    same = (stranger.price, stranger.currency, stranger.product_id) == (
        quote.price,
        quote.currency,
        quote.product_id,
    )
    if not same:
        return Asked(quote=quote, plain=quote)
    return Asked(quote=replace(quote, price=lower.price), plain=quote, with_offer=True)
