"""How many people wait for a product: what a shop's buyers want to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from ...models import ProductRequest
from .. import tables
from ..products import said
from . import alerts, line


def waiting_counts(product_ids: Collection[int] | None = None) -> dict[int, int]:
    """Return how many people wait for each product to come back, by two queries; None: for all.

    Oscar's alerts count too where no request stands for them yet.
    """
    counts: Counter[int] = Counter()
    for rows in (line.waiting().order_by(), alerts.unadopted()):
        wanted = rows if product_ids is None else rows.filter(product_id__in=product_ids)
        grouped = wanted.values("product_id").annotate(people=Count("pk"))
        counts.update(dict(grouped.values_list("product_id", "people")))
    return dict(counts)


def outside_the_line() -> int:
    """Return how many of Oscar's alerts have no request yet: nobody of ours tells these people."""
    return int(alerts.unadopted().count())


def with_outside(rows: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    """Let each row say what `outside_the_line` does, so that no query of its own asks it."""
    counted = (
        alerts.unadopted()
        .order_by()
        .annotate(one=Value(1))
        .values("one")
        .annotate(found=Count("pk"))
        .values("found")
    )
    found: QuerySet[Any, Any] = rows.annotate(outside=Coalesce(Subquery(counted), 0))
    return found


@dataclass(frozen=True, kw_only=True)
class Goods:
    """A product that is waited for, as a list of staff's shows it."""

    title: str
    #: Units that nobody bought yet; None where the shop counts none.
    left: int | None


def by_product() -> QuerySet[Any, Any]:
    """Return a row for each product and kind: how many people ask for how many units, since when.

    Filters on requests count before the rows are made.
    """
    return ProductRequest.objects.values("product_id", "kind").annotate(
        people=Count("pk"), units=Sum("quantity"), since=Min("created_at")
    )


def called(text: str) -> QuerySet[Any, Any]:
    """Return the numbers of products whose title, or whose parent's, holds a text."""
    products = tables.rows("catalogue", "Product").order_by()
    return products.filter(Q(title__icontains=text) | Q(parent__title__icontains=text)).values_list(
        "pk", flat=True
    )


def describe(product_ids: Collection[int]) -> dict[int, Goods]:
    """Return what products are called and how many units are free, by two queries.

    Of a product with variants: the units of all of them.
    """
    free = Coalesce(F("num_in_stock"), 0) - Coalesce(F("num_allocated"), 0)
    units = (
        tables.stock_records()
        .order_by()
        .filter(Q(product_id=OuterRef("pk")) | Q(product__parent_id=OuterRef("pk")))
        # All of them are one group.
        .annotate(one=Value(1), free=Greatest(free, 0))
        .values("one")
        .annotate(units=Sum("free"))
        .values("units")
    )
    products = (
        tables.rows("catalogue", "Product")
        .filter(pk__in=product_ids)
        .annotate(units_left=Coalesce(Subquery(units), 0))
        .select_related("product_class", "parent__product_class")
        .prefetch_related(*said.OF_VARIANTS)
    )
    return {
        product.pk: Goods(
            title=said.full_name(product),
            left=product.units_left if product.get_product_class().track_stock else None,
        )
        for product in products
    }
