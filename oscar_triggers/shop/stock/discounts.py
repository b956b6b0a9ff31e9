"""What somebody pays for one unit, the shop's offers included: a basket that never was."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from oscar.core.loading import get_class, get_model

from .. import tables
from .pricing import Goods, Quote, Wanted, in_two_places, quote_many, users_of

logger = logging.getLogger(__name__)


def quote_with_offers(product_id: int, user_id: Any, now: datetime) -> Quote | None:
    """Return what somebody pays for one unit, the shop's offers included; None: no price.

    Slow where offers are active: a basket is filled and thrown away.
    """
    return quote_many_with_offers([(user_id, product_id)], now).get((user_id, product_id))


def quote_many_with_offers(wanted: Sequence[Wanted], now: datetime) -> dict[Wanted, Quote]:
    """Return what each person pays for one unit of each product, the shop's offers included.

    A basket is filled for what an active offer may be about; all else costs what `quote_many`
    does, and two queries for each person.
    """
    return Desk().quote(wanted, now)


@dataclass(kw_only=True)
class Desk:
    """Quotes with offers, for a limited number of baskets."""

    #: How many baskets may be filled; what would need another one gets no quote. None: any number.
    baskets: int | None = None
    #: How many were filled.
    filled: int = 0

    def quote(self, wanted: Sequence[Wanted], now: datetime) -> dict[Wanted, Quote]:
        """Return what each person pays for one unit of each product."""
        quotes = quote_many(wanted, now)
        asked: dict[Any, list[Wanted]] = defaultdict(list)
        for key in quotes:
            asked[key[0]].append(key)
        for user_id, user in users_of(asked).items():
            applicator = get_class("offer.applicator", "Applicator")()
            # An unsaved basket: offers of vouchers are none of ours.
            unsaved = get_model("basket", "Basket")(owner=_owner(user))
            offers = applicator.get_offers(unsaved, user, None)
            if offers:
                self._apply(quotes, asked[user_id], user, applicator, offers)
        return quotes

    def _apply(
        self,
        quotes: dict[Wanted, Quote],
        keys: Sequence[Wanted],
        user: Any,
        applicator: Any,
        offers: Sequence[Any],
    ) -> None:
        in_offers = _in_offers(offers, {quotes[key].product_id for key in keys})
        goods = Goods.read(in_offers)
        for key in keys:
            product = goods.products.get(quotes[key].product_id)
            if product is None or product.pk not in in_offers:
                continue
            if self.baskets is not None and self.filled >= self.baskets:
                del quotes[key]
                continue
            self.filled += 1
            quotes[key] = _discounted(quotes[key], product, user, applicator, offers)


def _owner(user: Any) -> Any:
    return user if getattr(user, "is_authenticated", False) else None


def _in_offers(offers: Sequence[Any], product_ids: Collection[int]) -> set[int]:
    """Return which products an offer's benefit may be about."""
    found: set[int] = set()
    for offer in offers:
        goods = offer.benefit.range or offer.condition.range
        if goods is None or goods.proxy_class or offer.benefit.proxy_class:
            return set(product_ids)  # Only the shop's own code can tell.
        found.update(goods.all_products().filter(pk__in=product_ids).values_list("pk", flat=True))
    return found


def _discounted(
    quote: Quote, product: Any, user: Any, applicator: Any, offers: Sequence[Any]
) -> Quote:
    """Put one unit into a basket that never was, and look what it costs there."""
    model: type[models.Model] = get_model("basket", "Basket")
    alias = tables.baskets().db
    try:
        with transaction.atomic(using=alias):
            basket: Any = model._default_manager.using(alias).create(owner=_owner(user))
            basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=user)
            basket.add_product(product, quantity=1)
            applicator.apply_offers(basket, offers)
            [line] = basket.all_lines()
            price = (
                line.line_price_incl_tax_incl_discounts
                if quote.is_tax_known
                else line.line_price_excl_tax_incl_discounts
            )
            transaction.set_rollback(True, using=alias)
    except Exception as error:  # noqa: BLE001 - an offer that cannot be counted is no offer
        logger.warning(
            "Offers for product %s cannot be counted (%s).", product.pk, type(error).__name__
        )
        return quote
    return quote if price is None else replace(quote, price=in_two_places(Decimal(price)))
