"""Offers that begin, end or are edited: their dates pass without a signal, and prices with them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, transaction
from django.db.models import Count, Max
from oscar.core.loading import get_model

from ...models import OfferSnapshot, StockChange, StockSnapshot
from ...models.sql import database_for, upsert
from .. import tables
from .diffing import CHANGE

logger = logging.getLogger(__name__)

#: How many stock records one offer journals at most.
MOST = 100_000

#: What changes a price, beside the goods themselves.
_TERMS = (
    "priority",
    "exclusive",
    "max_discount",
    "max_global_applications",
    "max_basket_applications",
    "condition__type",
    "condition__value",
    "condition__proxy_class",
    "condition__range",
    "benefit__type",
    "benefit__value",
    "benefit__max_affected_items",
    "benefit__proxy_class",
    "benefit__range",
)
_SHIPPING = ("Shipping percentage", "Shipping absolute", "Shipping fixed price")
#: What a range is made of; rows of these tables are counted.
_PARTS = (
    "included_products",
    "excluded_products",
    "classes",
    "included_categories",
    "excluded_categories",
)


def look(now: datetime, *, is_first: bool = False) -> int:
    """Journal the goods of site offers that began, ended or changed; return how many rows.

    Offers of vouchers, accounts and sessions are not everybody's. At the first look at a shop
    nothing began: what is there is only noted.
    """
    known = {row.offer_id: row for row in OfferSnapshot.objects.all()}
    offers = {offer["id"]: offer for offer in _site_offers()}
    goods = _fingerprints_of_ranges({_range_of(offer) for offer in offers.values()} - {None})
    rows: list[Mapping[str, Any]] = []
    changed: list[Mapping[str, Any]] = []
    for pk, offer in offers.items():
        is_active = _is_active(offer, now)
        terms = [str(offer[name]) for name in _TERMS]
        fingerprint = _hash([terms, goods.get(_range_of(offer))])
        before = known.get(pk)
        if before and (before.is_active, before.fingerprint) == (is_active, fingerprint):
            continue
        rows.append(
            {"offer_id": pk, "is_active": is_active, "fingerprint": fingerprint, "seen_at": now}
        )
        if is_active or (before and before.is_active):
            changed.append(offer)
    gone = [pk for pk in known if pk not in offers]
    if not (rows or gone):
        return 0
    with transaction.atomic(using=database_for(StockChange)):
        written = 0 if is_first else sum(_journal(offer, now) for offer in changed)
        upsert(
            OfferSnapshot,
            rows,
            conflict="offer_id",
            update=["is_active", "fingerprint", "seen_at"],
        )
        OfferSnapshot.objects.filter(offer_id__in=gone).delete()
    return written


def _site_offers() -> list[Mapping[str, Any]]:
    offers = tables.rows("offer", "ConditionalOffer").filter(offer_type="Site").order_by("pk")
    return list(offers.values("id", "status", "start_datetime", "end_datetime", *_TERMS))


def _is_active(offer: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether an offer changes what one unit costs at a moment."""
    if offer["status"] != "Open":
        return False
    begins, ends = offer["start_datetime"], offer["end_datetime"]
    if (begins is not None and begins > now) or (ends is not None and ends < now):
        return False
    if offer["benefit__type"] in _SHIPPING and not offer["benefit__proxy_class"]:
        return False
    takes_several = offer["condition__type"] in ("Count", "Coverage") and (
        (offer["condition__value"] or 0) > 1
    )
    return bool(offer["condition__proxy_class"]) or not takes_several


def _range_of(offer: Mapping[str, Any]) -> Any:
    return offer["benefit__range"] or offer["condition__range"]


def _fingerprints_of_ranges(ids: Collection[Any]) -> dict[Any, str]:
    """Return what each range is made of, in a constant number of queries.

    A product that enters one of its categories is not seen: that is no change of the range.
    """
    if not ids:
        return {}
    model = get_model("offer", "Range")
    made_of: dict[Any, list[Any]] = {
        row[0]: list(row[1:])
        for row in tables.rows("offer", "Range")
        .filter(pk__in=ids)
        .values_list("pk", "includes_all_products", "proxy_class")
    }
    for part in _PARTS:
        through = getattr(model, part).through._base_manager.using(database_for(StockChange))
        counted = through.filter(range_id__in=ids).values("range_id").order_by()
        for row in counted.annotate(rows=Count("pk"), newest=Max("pk")):
            made_of[row["range_id"]].append([part, row["rows"], row["newest"]])
    return {pk: _hash(parts) for pk, parts in made_of.items()}


def _hash(parts: Sequence[Any]) -> str:
    # Not for secrets: two states of an offer are told apart.
    return hashlib.sha1(json.dumps(parts).encode(), usedforsecurity=False).hexdigest()


def _journal(offer: Mapping[str, Any], now: datetime) -> int:
    """Insert a line for each stock record of the goods of an offer, inside the database."""
    goods = tables.rows("offer", "Range").filter(pk=_range_of(offer)).first()
    if goods is None:
        return 0
    connection = connections[database_for(StockChange)]
    quote = connection.ops.quote_name
    products = goods.all_products().order_by().values("pk")
    try:
        chosen, params = products.query.get_compiler(using=connection.alias).as_sql()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(StockChange._meta.db_table)} ({CHANGE}) "  # noqa: S608 - our own tables, and a query of Django's
            "SELECT o.stock_record_id, o.product_id, o.parent_id, %s, 'offer', o.num_available, "
            "o.num_available, o.is_available, o.is_available, o.price, o.price, o.currency "
            f"FROM {quote(StockSnapshot._meta.db_table)} o WHERE o.product_id IN ({chosen}) "
            "ORDER BY o.stock_record_id LIMIT %s",
            [connection.ops.adapt_datetimefield_value(now), *params, MOST],
        )
        written = int(cursor.rowcount)
    if written == MOST:
        logger.warning(
            "Offer %s is about more than %s goods; the first were noted.", offer["id"], MOST
        )
    return written
