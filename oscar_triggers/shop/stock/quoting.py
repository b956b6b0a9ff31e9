"""What the shop asks from a person for a product, now and in the time before: what others call."""

from __future__ import annotations

from .discounts import quote_many_with_offers, quote_with_offers
from .lowest import lowest_price
from .pricing import Quote, Wanted, in_two_places, is_public, price_of, quote_many

__all__ = [
    "Quote",
    "Wanted",
    "in_two_places",
    "is_public",
    "lowest_price",
    "price_of",
    "quote_many",
    "quote_many_with_offers",
    "quote_with_offers",
]
