"""The line of those who wait: who is next for what can be bought, and what is reserved already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from ...models import ProductRequest, RequestKind, RequestState
from .. import tables
from ..stock import quoting
from ..stock.quoting import Quote
from .terms import Terms

#: More units than anybody asks for: of what the shop does not count.
_UNCOUNTED = 10**9
#: Answers to requests: {the product that is waited for: what may be bought instead of it}.
Answers = Mapping[int, Sequence[int]]


def waiting() -> QuerySet[ProductRequest]:
    """Return the requests that wait for their turn, in no particular order."""
    return ProductRequest.objects.filter(kind=RequestKind.BACK, state=RequestState.WAITING)


def answers(terms: Terms, product_ids: Collection[int] | None = None) -> dict[int, list[int]]:
    """Return what can be bought of all that is waited for, by stock alone: three queries at most.

    A request for a product is answered by it or by one of its variants, and one for a variant by
    its siblings where the terms say so. Whether the shop sells it to somebody, a quote tells.
    """
    wanted: Any = waiting().order_by().values("product_id").distinct()
    if product_ids is not None:
        wanted = wanted.filter(product_id__in=product_ids)
    found: dict[int, set[int]] = defaultdict(set)
    in_stock = _in_stock()
    for (pk,) in in_stock.filter(product_id__in=wanted).values_list("product_id").distinct():
        found[pk].add(pk)
    of_parents = in_stock.filter(product__parent_id__in=wanted)
    for parent_id, pk in of_parents.values_list("product__parent_id", "product_id").distinct():
        found[parent_id].add(pk)
    if terms.siblings:
        # Both ends of one join: the variant in stock, and its sibling that is waited for.
        sibling = "product__parent__children"
        of_siblings = in_stock.filter(**{f"{sibling}__in": wanted})
        for wanted_id, pk in of_siblings.values_list(sibling, "product_id").distinct():
            found[wanted_id].add(pk)
    # Its own stock first, then the oldest variant.
    return {pk: sorted(some, key=lambda one: (one != pk, one)) for pk, some in found.items()}


def _in_stock() -> QuerySet[Any]:
    left = Coalesce(F("num_in_stock"), 0) - Coalesce(F("num_allocated"), 0)
    uncounted = Q(product__product_class__track_stock=False) | Q(
        product__parent__product_class__track_stock=False
    )
    records: QuerySet[Any] = (
        tables.stock_records()
        .annotate(left=left)
        .filter(Q(left__gt=0) | uncounted, product__is_public=True)
        .exclude(product__parent__is_public=False)
        .order_by()
    )
    return records


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Somebody whose turn may have come, with what the shop would ask of them now."""

    request: ProductRequest
    #: In the order in which they are tried.
    quotes: tuple[Quote, ...]


def turns(found: Answers, terms: Terms, now: datetime) -> Iterator[tuple[int, list[Turn]]]:
    """Yield each product with the first of its line, as many as a wave may have.

    Who is too late, who was told a moment ago in vain and whose account is closed is left out; and
    who wants more than is free, so that a few of them never keep all those behind from a turn.
    """
    free = _free({pk for answer_ids in found.values() for pk in answer_ids}, now)
    for product_id, answer_ids in sorted(found.items()):
        most = max((free.get(pk, 0) for pk in answer_ids), default=0)
        if most < 1:
            continue
        requests = list(
            waiting()
            .filter(product_id=product_id, quantity__lte=most)
            # Who asked Oscar waits as long as the request says, however long ago it was.
            .filter(Q(alert_id__isnull=False) | Q(created_at__gt=now - terms.longest_wait))
            .filter(Q(expires_at=None) | Q(expires_at__gt=now))
            .filter(Q(told_at=None) | Q(told_at__lte=now - terms.buy_window))
            .exclude(contact__user__is_active=False)
            .select_related("contact")
            .order_by("created_at", "pk")[: terms.most_per_wave]
        )
        if not requests:
            continue
        asked = [
            (request.contact.user_id, answer_id) for request in requests for answer_id in answer_ids
        ]
        quotes = quoting.quote_many(asked, now)
        yield (
            product_id,
            [
                Turn(
                    request=request,
                    quotes=tuple(
                        quote
                        for answer_id in answer_ids
                        if (quote := quotes.get((request.contact.user_id, answer_id))) is not None
                        and quote.is_available
                    ),
                )
                for request in requests
            ],
        )


def _free(product_ids: Collection[int], now: datetime) -> dict[int, int]:
    """Return how many units nobody was promised at the most: two queries."""
    left: dict[int, int] = defaultdict(int)
    classes = ("product__product_class", "product__parent__product_class")
    for pk, units, *are_counted in (
        _in_stock()
        .filter(product_id__in=product_ids)
        .values_list("product_id", "left", *(f"{one}__track_stock" for one in classes))
    ):
        left[pk] += _UNCOUNTED if False in are_counted else units
    kept = reserved(product_ids, now)
    return {
        pk: units if units >= _UNCOUNTED else units - kept.get(pk, 0) for pk, units in left.items()
    }


def reserved(product_ids: Collection[int], now: datetime) -> dict[int, int]:
    """Return how many units people were told of who may still buy them, by product."""
    rows = (
        ProductRequest.objects.filter(
            state=RequestState.TOLD, answer_id__in=product_ids, buy_until__gt=now
        )
        .values("answer_id")
        .annotate(units=Sum("quantity"))
        .values_list("answer_id", "units")
    )
    return {pk: units for pk, units in rows if pk is not None}


def lengths(product_ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """Return how many people wait for each product, and for how many units."""
    rows = (
        waiting()
        .filter(product_id__in=product_ids)
        .values("product_id")
        .annotate(people=Count("pk"), units=Sum("quantity"))
        .values_list("product_id", "people", "units")
    )
    return {pk: (people, units) for pk, people, units in rows}
