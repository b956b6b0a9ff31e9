"""Products as letters recommend them: a variant stands for the product that it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from ...content.recommendations import Occasion
from ...models import ProductRequest
from ...snapshots import Subject
from .. import tables
from ..goods import number_of
from ..purchases import purchases_of

#: What was bought so lately is not recommended.
JUST_BOUGHT = timedelta(days=90)


def families_of(product_ids: Collection[int]) -> dict[int, int]:
    """Return the product that each belongs to, itself where it is no variant; one query."""
    if not product_ids:
        return {}
    return dict(
        tables.rows("catalogue", "Product")
        .order_by()
        .filter(pk__in=set(product_ids))
        .values_list("pk", Coalesce("parent_id", "pk"))
    )


def occasions_of(subjects: Sequence[Subject], now: datetime) -> list[Occasion]:
    """Say what each letter is about, and what its reader bought lately; constant queries."""
    about = _about(subjects)
    bought = _bought(subjects, now)
    families = families_of({pk for ids in (*about, *bought) for pk in ids})
    return [
        Occasion(
            subject=subject,
            products=_told(named, families),
            bought=_told(mine, families),
        )
        for subject, named, mine in zip(subjects, about, bought, strict=True)
    ]


def _told(ids: Iterable[int], families: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(families.get(pk, pk) for pk in ids))


def _about(subjects: Sequence[Subject]) -> list[list[int]]:
    """Return the products that each letter is about: at most one query for each type of thing."""
    by_type: dict[str, set[str]] = defaultdict(set)
    for one in subjects:
        by_type[one.about.type].add(one.about.id)
    found = {
        "basket": _in_baskets(by_type["basket"]),
        "order": _in_orders(by_type["order"]),
        "product_request": _in_requests(by_type["product_request"]),
    }
    return [_named(one) + found.get(one.about.type, {}).get(one.about.id, []) for one in subjects]


def _named(subject: Subject) -> list[int]:
    """Return the products that a subject names itself: by its thing, or by its event."""
    ids: list[int] = []
    if subject.about.type == "product":
        ids += [pk for pk in [number_of(subject.about.id)] if pk]
    one = subject.payload.get("product_id")
    ids += [one] if isinstance(one, int) else []
    several = subject.payload.get("products") or ()
    for told in several if isinstance(several, list | tuple) else ():
        pk = told.get("product_id") if isinstance(told, Mapping) else told
        ids += [pk] if isinstance(pk, int) else []
    return ids


def _in_baskets(ids: Collection[str]) -> dict[str, list[int]]:
    numbers = {int(pk) for pk in ids if number_of(pk) is not None}
    if not numbers:
        return {}
    rows = (
        tables.basket_lines()
        .filter(basket_id__in=numbers, quantity__gt=0)
        .order_by("pk")
        .values_list("basket_id", "product_id")
    )
    return _grouped(rows)


def _in_orders(numbers: Collection[str]) -> dict[str, list[int]]:
    if not numbers:
        return {}
    rows = (
        tables.rows("order", "Line")
        .filter(order__number__in=numbers, product_id__isnull=False)
        .order_by("pk")
        .values_list("order__number", "product_id")
    )
    return _grouped(rows)


def _in_requests(ids: Collection[str]) -> dict[str, list[int]]:
    numbers = {int(pk) for pk in ids if number_of(pk) is not None}
    if not numbers:
        return {}
    return _grouped(ProductRequest.objects.filter(pk__in=numbers).values_list("pk", "product_id"))


def _grouped(rows: Iterable[tuple[object, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for key, product_id in rows:
        found[str(key)].append(product_id)
    return found


def _bought(subjects: Sequence[Subject], now: datetime) -> list[list[int]]:
    orders = [
        [one.order_id for one in reversed(mine) if one.placed_at > now - JUST_BOUGHT]
        for mine in purchases_of(subjects)
    ]
    ids = {pk for mine in orders for pk in mine}
    if not ids:
        return [[] for _subject in subjects]
    lines = _grouped(
        tables.rows("order", "Line")
        .filter(order_id__in=ids, product_id__isnull=False)
        .order_by("pk")
        .values_list("order_id", "product_id")
    )
    return [[pk for order in mine for pk in lines.get(str(order), [])] for mine in orders]


def shown() -> Q:
    """Say which products may be recommended at all: public, and no variants."""
    return Q(is_public=True, parent_id=None)


def in_stock() -> Q:
    """Say which products, or their variants, can be had by the stock alone; quotes decide."""
    left = tables.stock_records().order_by().filter(num_in_stock__gt=Coalesce("num_allocated", 0))
    own = left.filter(product_id=OuterRef("pk"))
    of_variants = left.filter(product__parent_id=OuterRef("pk"), product__is_public=True)
    return Q(product_class__track_stock=False) | Q(Exists(own)) | Q(Exists(of_variants))
