"""What the shop asks for a product: its own strategy, the person, and a constant number of queries.

Prices are those of the shop's strategy for that person, as a letter about a basket says them
(`shop.context`): with tax where the shop knows it, without offers unless they are asked for.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, Q
from oscar.core.loading import get_class, get_model

from .. import tables

logger = logging.getLogger(__name__)

#: Somebody's account (None: not signed in) and a product.
Wanted = tuple[Any, int]


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What the shop asks from somebody for one unit."""

    #: Of a parent: the variant that is quoted.
    product_id: int
    #: With tax where the shop knows it, in two places.
    price: Decimal
    currency: str
    is_tax_known: bool
    #: Public, and one can be bought now.
    is_available: bool
    #: None where the shop does not count.
    num_available: int | None
    stock_record_id: int | None


def quote_many(wanted: Sequence[Wanted], now: datetime) -> dict[Wanted, Quote]:
    """Return what the shop asks from each person for each product; no entry: it has no price.

    Of a parent that is the cheapest public variant that can be bought, or the cheapest that is
    sold out. The number of queries does not depend on how much is wanted.
    """
    goods = Goods.read({product_id for _user_id, product_id in wanted})
    strategies = _strategies({user_id for user_id, _product_id in wanted})
    quotes: dict[Wanted, Quote] = {}
    for user_id, product_id in dict.fromkeys(wanted):
        strategy = strategies.get(user_id)
        quote = None if strategy is None else _cheapest(strategy, goods.of(product_id))
        if quote is not None:
            quotes[user_id, product_id] = quote
    return quotes


# ── The shop's strategy ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Goods:
    """Products with all that a strategy asks about them."""

    products: Mapping[int, Any]
    variants: Mapping[int, Sequence[Any]]

    @classmethod
    def read(cls, ids: Collection[int]) -> Goods:
        """Read products and, of parents, their variants: two queries."""
        model = get_model("partner", "StockRecord")
        records = model._default_manager.using(tables.stock_records().db).select_related("partner")
        if not records.ordered:
            # The shop's page takes whichever comes first; ours is at least always the same.
            records = records.order_by("pk")
        found = (
            tables.rows("catalogue", "Product")
            .filter(Q(pk__in=ids) | Q(parent_id__in=ids))
            .select_related("product_class", "parent__product_class")
            .prefetch_related(Prefetch("stockrecords", queryset=records))
            .order_by("pk")
        )
        products = {product.pk: product for product in found}
        variants: dict[int, list[Any]] = defaultdict(list)
        for product in products.values():
            if product.parent_id in ids:
                variants[product.parent_id].append(product)
        return cls(products=products, variants=variants)

    def of(self, product_id: int) -> list[Any]:
        """Return what can be bought under a number: the product itself, or its variants."""
        variants = self.variants.get(product_id)
        if variants:
            return [variant for variant in variants if is_public(variant)]
        return [self.products[product_id]] if product_id in self.products else []


def is_public(product: Any) -> bool:
    """Tell whether the shop shows a product, and the parent of a variant."""
    return bool(product.is_public and (product.parent is None or product.parent.is_public))


def price_of(asked: Any) -> Decimal | None:
    """Return what a pricing policy asks, with tax where that is known; None: nothing."""
    if not asked.exists:
        return None
    price: Decimal | None = asked.incl_tax if asked.is_tax_known else asked.excl_tax
    return None if price is None else in_two_places(price)


def in_two_places(price: Decimal) -> Decimal:
    """Return a price as the shop shows and charges it; strategies that add tax keep four places."""
    places = price.as_tuple().exponent
    return price.quantize(Decimal("0.01")) if isinstance(places, int) and places < -2 else price


def _strategies(user_ids: Iterable[Any]) -> dict[Any, Any]:
    selector = get_class("partner.strategy", "Selector")()
    return {key: selector.strategy(user=user) for key, user in users_of(user_ids).items()}


def users_of(user_ids: Iterable[Any]) -> dict[Any, Any]:
    """Return accounts by the numbers that were given; who has none any more is left out."""
    wanted = list(user_ids)
    model = get_user_model()
    found = {
        str(user.pk): user
        for user in model._base_manager.filter(pk__in=[pk for pk in wanted if pk is not None])
    }
    users: dict[Any, Any] = {pk: found[str(pk)] for pk in wanted if str(pk) in found}
    if None in wanted:
        users[None] = AnonymousUser()
    return users


def _cheapest(strategy: Any, products: Iterable[Any]) -> Quote | None:
    quotes = [quote for product in products if (quote := quote_of(strategy, product)) is not None]
    return min(quotes, key=lambda one: (not one.is_available, one.price), default=None)


def quote_of(strategy: Any, product: Any, record: Any = None) -> Quote | None:
    """Return what a strategy asks for a product that is no parent, of a stock record if given."""
    try:
        if record is None:
            info = strategy.fetch_for_product(product)
        else:
            info = strategy.fetch_for_product(product, record)
        price = price_of(info.price)
        is_available = is_public(product) and bool(info.availability.is_available_to_buy)
    except Exception as error:  # noqa: BLE001 - one product must not silence all others
        logger.warning(
            "The shop's strategy cannot say what product %s costs (%s).",
            product.pk,
            type(error).__name__,
        )
        return None
    if price is None:
        return None
    left = getattr(info.availability, "num_available", None)
    return Quote(
        product_id=product.pk,
        price=price,
        currency=str(info.price.currency or ""),
        is_tax_known=bool(info.price.is_tax_known),
        is_available=is_available,
        num_available=None if left is None else int(left),
        stock_record_id=getattr(info.stockrecord, "pk", None),
    )
