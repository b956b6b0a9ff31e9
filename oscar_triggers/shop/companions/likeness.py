"""Which products are like which: the same categories, the same attributes, a near price."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import IntegerField, QuerySet, Value

from .. import tables
from .families import in_stock, shown

#: So many of a category, the newest first, are compared with each product.
COMPARED = 60
#: So many categories are asked for their newest by one statement: SQLite joins 500 at most.
_CATEGORIES = 400
#: What an attribute in common is worth; a category in common is worth 1.
_ATTRIBUTE = 2

_VALUES = (
    "value_text", "value_integer", "value_boolean", "value_float", "value_date",
    "value_option_id",
)  # fmt: skip


class Like(NamedTuple):
    """A product that is like another one; a letter's batch compares tens of thousands."""

    product_id: int
    score: int
    #: How far the price is away, as a share of the other one's; None: what that costs is unknown.
    distance: float | None


def alike(product_ids: Collection[int]) -> dict[int, list[Like]]:
    """Return for each product those in stock that are like it, in no order; six queries.

    However many products a category has, the newest of it are found once for all letters.
    """
    seeds = set(product_ids)
    homes = _categories_of(seeds)
    newest = _newest(set().union(*homes.values()))
    candidates = {pk for ids in newest.values() for pk in ids}
    if not candidates:
        return {}
    parents = _parents_of(seeds | candidates)
    looks, prices = _looks(parents), _prices(parents)
    theirs = _categories_of(candidates)
    # Most of a batch are of the same few categories: whom to compare them with is the same.
    near = {mine: _near(mine, newest, theirs) for mine in map(frozenset, homes.values())}
    return {
        seed: _compared(seed, near[frozenset(mine)], looks, prices) for seed, mine in homes.items()
    }


def best_of(likes: Mapping[int, Sequence[Like]], seeds: Sequence[int]) -> list[int]:
    """Return what is like several products: what is like most of them goes first.

    The first ones count for more: they are the newest, or what a letter is most about. Of those
    that are as like, the nearest in price goes first.
    """
    points: dict[int, int] = defaultdict(int)
    distance: dict[int, float] = {}
    for place, seed in enumerate(dict.fromkeys(seeds)):
        weight = max(1, len(seeds) - place)
        for pk, score, away in likes.get(seed, ()):
            points[pk] += score * weight
            if away is None:
                away = _FAR
            if away < distance.get(pk, math.inf):
                distance[pk] = away
    return sorted(points, key=lambda pk: (-points[pk], distance[pk], pk))


#: What nobody knows the price of goes behind what costs twice as much.
_FAR = 1.0


def _near(
    mine: frozenset[int],
    newest: Mapping[int, Sequence[int]],
    theirs: Mapping[int, set[int]],
) -> list[tuple[int, int]]:
    """Return what to compare products of these categories with: (categories in common, product)."""
    near = {pk for category in mine for pk in newest.get(category, ())}
    # One more: a product is not compared with itself.
    return sorted(((len(mine & theirs[pk]), pk) for pk in near), reverse=True)[: COMPARED + 1]


def _compared(
    seed: int,
    near: Iterable[tuple[int, int]],
    looks: Mapping[int, set[tuple[Any, ...]]],
    prices: Mapping[int, float],
) -> list[Like]:
    look, price = looks.get(seed, _NO_LOOK), prices.get(seed)
    found = []
    for categories, pk in near:
        if pk == seed:
            continue
        distance = None
        if price is not None:
            other = prices.get(pk)
            distance = _FAR if other is None or not price else abs(other - price) / price
        in_common = len(look & looks.get(pk, _NO_LOOK)) if look else 0
        found.append(Like(pk, categories + _ATTRIBUTE * in_common, distance))
    return found


_NO_LOOK: set[tuple[Any, ...]] = set()


def _categories_of(product_ids: Collection[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    rows = tables.rows("catalogue", "ProductCategory").order_by()
    for pk, category_id in rows.filter(product_id__in=product_ids).values_list(
        "product_id", "category_id"
    ):
        found[pk].add(category_id)
    return found


def _newest(category_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the newest products of each category that are shown and in stock: one query."""
    found: dict[int, list[int]] = defaultdict(list)
    ids = sorted(category_ids)
    for start in range(0, len(ids), _CATEGORIES):
        first, *others = [_newest_of(pk) for pk in ids[start : start + _CATEGORIES]]
        # The model's own order would come back with the union on Django 6.1.
        rows = first.union(*others, all=True).order_by() if others else first
        for category_id, product_id in rows:
            found[category_id].append(product_id)
    return found


def _newest_of(category_id: int) -> QuerySet[Any]:
    products = tables.rows("catalogue", "Product")
    newest = (
        products.filter(shown(), in_stock(), productcategory__category_id=category_id)
        .order_by("-pk")
        .values("pk")[:COMPARED]
    )
    # SQLite knows no limit in the parts of a union, but in what these ask for.
    rows: QuerySet[Any] = products.order_by().filter(pk__in=newest)
    return rows.values_list(Value(category_id, output_field=IntegerField()), "pk")


def _parents_of(product_ids: Collection[int]) -> dict[int, int]:
    """Return {product or variant: the product that it belongs to}, by one query."""
    variants = (
        tables.rows("catalogue", "Product").order_by().filter(parent_id__in=product_ids)
    ).values_list("pk", "parent_id")
    return {**{pk: pk for pk in product_ids}, **dict(variants)}


def _looks(parents: Mapping[int, int]) -> dict[int, set[tuple[Any, ...]]]:
    """Return what is known of products by their attributes: style, brand, material."""
    looks: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    rows: Iterable[Any] = (
        tables.rows("catalogue", "ProductAttributeValue")
        .order_by()
        .filter(product_id__in=list(parents))
        .values_list("product_id", "attribute__code", *_VALUES)
    )
    for product_id, code, *values in rows:
        if any(one is not None for one in values):
            look = (code, *(one.casefold() if isinstance(one, str) else one for one in values))
            looks[parents[product_id]].add(look)
    return looks


def _prices(parents: Mapping[int, int]) -> dict[int, float]:
    """Return the lowest price in the stock records of each product or its variants."""
    prices: dict[int, float] = {}
    rows = (
        tables.stock_records()
        .order_by()
        .filter(product_id__in=list(parents), price__isnull=False)
        .values_list("product_id", "price")
    )
    for product_id, price in rows:
        pk = parents[product_id]
        prices[pk] = min(prices.get(pk, float(price)), float(price))
    return prices
