"""Marks: what was saved is looked at in the next tick, without waiting for the sweep's turn.

A mark is a number, never a value: Oscar sends `post_save` by hand from allocations, with
instances whose price and stock are old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models.signals import post_delete, post_save
from django.utils import timezone
from oscar.core.loading import get_model

from ...models import StockMark
from ...models.sql import database_for, upsert
from .. import tables
from ..receivers import Write, harmless


@harmless
def note_stock(instance: Any = None, raw: bool = False, **kwargs: Any) -> Write | None:
    """Mark a stock record that was saved or removed: one upsert after the commit."""
    stock_record_id = getattr(instance, "pk", None)
    if stock_record_id is None or raw:
        return None
    return lambda: upsert(
        StockMark,
        [{"stock_record_id": stock_record_id, "marked_at": timezone.now()}],
        conflict="stock_record_id",
        update=["marked_at"],
    )


@harmless
def note_product(
    instance: Any = None, created: bool = False, raw: bool = False, **kwargs: Any
) -> Write | None:
    """Mark the stock records of a product that was saved: it may have been shown or hidden."""
    product_id = getattr(instance, "pk", None)
    # A new product has no stock record yet.
    if product_id is None or created or raw:
        return None
    return lambda: _mark_product(product_id)


def _mark_product(product_id: int) -> None:
    """Mark what is sold as a product or as one of its variants, in one statement."""
    connection = connections[database_for(StockMark)]
    quote = connection.ops.quote_name
    records = quote(tables.stock_records().model._meta.db_table)
    products = quote(tables.rows("catalogue", "Product").model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(StockMark._meta.db_table)} (stock_record_id, marked_at) "  # noqa: S608 - tables of ours and of the shop's models
            f"SELECT s.id, %s FROM {records} s WHERE s.product_id = %s OR s.product_id IN "
            f"(SELECT p.id FROM {products} p WHERE p.parent_id = %s) "
            # In one order, so that two saves never wait for each other.
            "ORDER BY s.id ON CONFLICT (stock_record_id) DO UPDATE SET marked_at = excluded.marked_at",
            [
                connection.ops.adapt_datetimefield_value(timezone.now()),
                product_id,
                product_id,
            ],
        )


def _connections() -> tuple[tuple[Any, Any, Callable[..., None]], ...]:
    record, product = get_model("partner", "StockRecord"), get_model("catalogue", "Product")
    return (
        (post_save, record, note_stock),
        (post_delete, record, note_stock),
        (post_save, product, note_product),
    )


def connect() -> None:
    """Listen to stock records and products; connecting twice changes nothing."""
    for number, (signal, sender, receiver) in enumerate(_connections()):
        signal.connect(receiver, sender=sender, dispatch_uid=f"oscar_triggers.stock.{number}")


def disconnect() -> None:
    """Stop listening; what happens then is found by the sweep alone."""
    for number, (signal, sender, _receiver) in enumerate(_connections()):
        signal.disconnect(sender=sender, dispatch_uid=f"oscar_triggers.stock.{number}")
