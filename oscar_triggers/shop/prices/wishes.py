"""What people want of a product: how much they want it, and what they asked to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ...models import PriceSource, ProductRequest, RequestKind, RequestState
from .events import strength
from .seen import Pair, Sight


def open_requests(
    people: Collection[int], product_ids: Collection[int]
) -> dict[Pair, ProductRequest]:
    """Return the requests to be told of a lower price that still wait; one query."""
    rows = ProductRequest.objects.filter(
        kind=RequestKind.CHEAPER,
        state=RequestState.WAITING,
        contact_id__in=people,
        product_id__in=product_ids,
    )
    return {(row.contact_id, row.product_id): row for row in rows}


def strongest(sights: Iterable[Sight], *, is_asked_for: bool) -> str:
    """Return what says most about the wish to buy.

    An answer is owed once: what was seen while asking is a look as soon as the request is over.
    """
    if is_asked_for:
        return PriceSource.REQUEST.value
    sources = {one.source for one in sights}
    if PriceSource.REQUEST.value in sources:
        sources = sources - {PriceSource.REQUEST.value} | {PriceSource.VIEW.value}
    return min(sources, key=strength)
