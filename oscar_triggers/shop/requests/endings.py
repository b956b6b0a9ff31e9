"""How a request ends without a turn: bought, given up, or the product is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from ...engine import contacts, intake
from ...engine.intake import Record, Routed
from ...models import OPEN_REQUESTS, ProductRequest, RequestKind, RequestState, StockChange
from ...models.sql import database_for
from .. import tables
from ..events import OrderPlaced
from . import alerts, line
from .events import ProductDiscontinued, RequestExpired, about_request
from .terms import Terms
from .waves import person_of

BATCH = 1_000
#: Who was told may still buy: so long an order counts as theirs.
_MAY_BUY = (*OPEN_REQUESTS, RequestState.TOLD.value)


def know_bought(entries: Sequence[Routed], now: datetime) -> None:
    """End what people asked for and have ordered, by whichever account or address they did.

    What was reserved for them is theirs now: it left the shop's stock with the order, so the
    reservation ends at the same moment. The same queries for any number of orders.
    """
    numbers = [str(one.event.number) for one in entries if isinstance(one.event, OrderPlaced)]
    bought: dict[str, set[int]] = defaultdict(set)
    for number, product_id, parent_id in (
        tables.rows("order", "Line")
        .filter(order__number__in=numbers, product_id__isnull=False)
        .order_by()
        .values_list("order__number", "product_id", "product__parent_id")
    ):
        bought[str(number)] |= {product_id, parent_id} - {None}
    if not bought:
        return
    asked = ProductRequest.objects.filter(state__in=_MAY_BUY)
    goods = {pk for some in bought.values() for pk in some}
    if not asked.filter(Q(product_id__in=goods) | Q(answer_id__in=goods)).exists():
        return
    people = contacts.same_people_ids(
        [replace(one.person, contact_id=one.contact_id) for one in entries]
    )
    everybody = [
        ids if one.contact_id is None else ids | {one.contact_id}
        for one, ids in zip(entries, people, strict=True)
    ]
    requests: dict[int, list[ProductRequest]] = defaultdict(list)
    for request in asked.filter(
        Q(product_id__in=goods) | Q(answer_id__in=goods), contact_id__in=set().union(*everybody)
    ):
        requests[request.contact_id].append(request)
    over = [
        request
        for one, ids in zip(entries, everybody, strict=True)
        for contact_id in ids
        for request in requests[contact_id]
        if isinstance(one.event, OrderPlaced)
        and {request.product_id, request.answer_id} & bought.get(str(one.event.number), set())
        and request.created_at <= one.occurred_at
    ]
    asked.filter(pk__in={request.pk for request in over}).update(
        state=RequestState.BOUGHT, ended_at=now
    )
    alerts.close({one.alert_id for one in over if one.alert_id is not None}, now)


def expire(terms: Terms | None, now: datetime) -> int:
    """End what nobody could be told of in time, and what was never confirmed; return how many."""
    late = Q(expires_at__lte=now)
    if terms is not None:
        # Who asked Oscar waits as long as that request says, however long ago it was.
        late |= Q(kind=RequestKind.BACK, alert_id=None, created_at__lte=now - terms.longest_wait)
    ProductRequest.objects.filter(state=RequestState.UNCONFIRMED, expires_at__lte=now).update(
        state=RequestState.EXPIRED, ended_at=now
    )
    too_late = ProductRequest.objects.filter(late, state=RequestState.WAITING)
    return _end(too_late, now, lambda request: RequestExpired(
        request_id=request.pk, product_id=request.product_id, what=request.kind
    ))  # fmt: skip


def discontinue(gone_for: timedelta, now: datetime) -> int:
    """End requests for products that were deleted, or hidden for long enough; return how many."""
    wanted: Any = line.waiting().order_by().values("product_id").distinct()
    hidden = tables.rows("catalogue", "Product").filter(
        Q(is_public=False) | Q(parent__is_public=False), pk__in=wanted
    )
    moments = dict(hidden.values_list("pk", "date_updated"))
    for pk, noticed_at in StockChange.objects.filter(
        product_id__in=moments, cause__in=["public", "gone"]
    ).values_list("product_id", "noticed_at"):
        moments[pk] = max(moments[pk], noticed_at)
    long_hidden = {pk for pk, moment in moments.items() if moment <= now - gone_for}
    # In one statement: whoever asks between two would be taken for one who waits for nothing.
    there = tables.rows("catalogue", "Product").filter(pk=OuterRef("product_id"))
    nowhere = line.waiting().order_by().filter(~Exists(there))
    deleted = set(nowhere.values_list("product_id", flat=True).distinct())
    gone = line.waiting().filter(product_id__in=long_hidden | deleted)
    return _end(gone, now, lambda request: ProductDiscontinued(
        request_id=request.pk,
        product_id=request.product_id,
        quantity=request.quantity,
        deleted=request.product_id in deleted,
    ))  # fmt: skip


def _end(requests: Any, now: datetime, event_of: Any) -> int:
    """End waiting requests and record an event for each, batch by batch."""
    ended = 0
    while True:
        with transaction.atomic(using=database_for(ProductRequest)):
            batch = list(requests.select_related("contact").order_by("pk")[:BATCH])
            ids = [request.pk for request in batch]
            requests.filter(pk__in=ids).update(state=RequestState.EXPIRED, ended_at=now)
            alerts.close({one.alert_id for one in batch if one.alert_id is not None}, now)
            intake.record_many(
                [
                    Record(
                        event=event_of(request),
                        about=about_request(request.pk),
                        contact=request.contact_id,
                        person=person_of(request),
                        occurred_at=now,
                        site_id=request.site_id,
                    )
                    for request in batch
                ]
            )
        ended += len(batch)
        if len(batch) < BATCH:
            return ended
