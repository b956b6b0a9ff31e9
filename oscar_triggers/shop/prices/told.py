"""Prices that our own letters told, read from what was really sent.

A letter that never went tells nobody anything: the base line stays where it was, and the next
fall is told from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from ...content.values import Money, from_json
from ...models import (
    Message,
    MessageState,
    PriceSource,
    ProductRequest,
    RequestKind,
    RequestState,
)
from ..goods import number_of
from . import seen
from .events import PriceDropped
from .seen import Sight

#: In doubt they read it: nothing is told twice.
_WENT = (MessageState.SENT, MessageState.UNKNOWN)
#: A letter that waited longer for its moment is found when a price falls again.
_LONGEST_WAY = timedelta(days=14)


def sights_in_letters(people: Collection[int], since: datetime) -> list[Sight]:
    """Return the prices that letters told these people since; one query, by an index."""
    return _sights(Message.objects.filter(contact_id__in=people, settled_at__gt=since))


def look(since: datetime, now: datetime) -> int:
    """Keep what letters about falling prices told since, and what they answered; few queries."""
    messages = Message.objects.filter(
        items__enrollment__journal_entry__kind=PriceDropped.kind,
        items__enrollment__journal_entry__occurred_at__gte=now - _LONGEST_WAY,
        settled_at__gte=since,
    )
    sights = _sights(messages.distinct())
    answer_requests(sights)
    return seen.note(sights)


def answer_requests(sights: Collection[Sight]) -> None:
    """Mark requests to be told of a lower price as answered by those of these that told of one.

    What other letters say of a price, such as the one that asks to confirm, is no answer.
    """
    told = {(one.contact_id, one.product_id): one for one in sights if one.is_news}
    if not told:
        return
    waiting = ProductRequest.objects.filter(
        kind=RequestKind.CHEAPER,
        state=RequestState.WAITING,
        contact_id__in={contact_id for contact_id, _product_id in told},
        product_id__in={product_id for _contact_id, product_id in told},
    )
    answered = [
        request.pk
        for request in waiting
        if (one := told.get((request.contact_id, request.product_id))) is not None
        and request.created_at <= one.seen_at
        and request.currency in ("", one.currency)
        and (request.target_price is None or one.price <= request.target_price)
    ]
    if answered:
        at = max(one.seen_at for one in told.values())
        ProductRequest.objects.filter(pk__in=answered, state=RequestState.WAITING).update(
            state=RequestState.TOLD, told_at=at, ended_at=at
        )


def _sights(messages: QuerySet[Message]) -> list[Sight]:
    rows = messages.filter(
        state__in=_WENT, is_shadow=False, payload__isnull=False, contact__isnull=False
    ).values("contact_id", "payload", "settled_at", "site_id", "about_type", "about_id")
    return [sight for row in rows for sight in _of_letter(row)]


def _of_letter(row: Mapping[str, Any]) -> Iterator[Sight]:
    values = (row["payload"] or {}).get("values")
    if not isinstance(values, Mapping):
        return
    about = number_of(row["about_id"]) if row["about_type"] == "product" else None
    for product in _products(values):
        product_id = product.get("id") or about
        price = from_json(product.get("price"))
        if product_id and isinstance(price, Money):
            yield Sight(
                contact_id=row["contact_id"],
                product_id=int(product_id),
                source=PriceSource.MESSAGE.value,
                price=price.amount,
                currency=price.currency,
                seen_at=row["settled_at"],
                is_news=product.get("old_price") is not None,
                site_id=row["site_id"],
            )


def _products(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the products that a letter named, those of a bundle too."""
    for said in (values, *(values.get("items") or ())):
        if not isinstance(said, Mapping):
            continue
        products = said.get("products")
        several = products if isinstance(products, list) else [said.get("product")]
        yield from (one for one in several if isinstance(one, Mapping))
