"""What is bought together: counted in the database, from all the shop's orders of a year."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from oscar.core.loading import get_model

from ...engine import sweeping
from ...models import ProductPair, Pulse
from ...models.sql import database_for
from ..orders import highest_order

#: Orders older than this say little about what goes with what today.
LOOKS_BACK = timedelta(days=365)
#: One order is somebody's basket, not a habit.
LEAST_ORDERS = 2
#: Who orders more than this buys for others: a wholesaler's order says nothing.
MOST_PRODUCTS = 40
#: So many companions of each product are kept.
KEPT = 40


@sweeping.register
class PairSweep(sweeping.Sweep):
    """Counts a few times a day what was bought together, when somebody ordered since."""

    name = "companions"
    every = timedelta(hours=6)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Count anew where there are new orders, or the last count is a day old."""
        newest = highest_order()
        counted_at = pulse.position_at
        is_fresh = counted_at is not None and now - counted_at < timedelta(days=1)
        if is_fresh and pulse.watermark.get("order") == newest:
            return {"pairs": 0}
        pairs = count(now)
        pulse.position_at = now
        pulse.watermark = {**pulse.watermark, "order": newest}
        return {"pairs": pairs}


def count(now: datetime) -> int:
    """Count all pairs anew, in one statement, and forget those of before; return how many."""
    alias = database_for(ProductPair)
    connection = connections[alias]
    moment = connection.ops.adapt_datetimefield_value
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute(_statement(connection), [moment(now - LOOKS_BACK), moment(now)])
        written = cursor.rowcount
        ProductPair.objects.using(alias).exclude(computed_at=now).delete()
    return int(written)


def _statement(connection: Any) -> str:
    """Write what counts; a variant counts for the product that it belongs to."""
    order, line = get_model("order", "Order"), get_model("order", "Line")
    product = get_model("catalogue", "Product")
    quote = connection.ops.quote_name

    def table(model: Any) -> str:
        return str(quote(model._meta.db_table))

    def column(model: Any, name: str) -> str:
        options = model._meta
        return str(quote((options.pk if name == "pk" else options.get_field(name)).column))

    pairs = table(ProductPair)
    at = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
    return (
        f"INSERT INTO {pairs} (product_id, companion_id, count, computed_at) "  # noqa: S608 - names of the shop's own tables, values are parameters
        "WITH bought AS ("
        f"SELECT DISTINCT l.{column(line, 'order')} AS order_id, "
        f"COALESCE(p.{column(product, 'parent')}, p.{column(product, 'pk')}) AS product_id "
        f"FROM {table(order)} o "
        f"JOIN {table(line)} l ON l.{column(line, 'order')} = o.{column(order, 'pk')} "
        f"JOIN {table(product)} p ON p.{column(product, 'pk')} = l.{column(line, 'product')} "
        f"WHERE o.{column(order, 'date_placed')} > {at}"
        "), usual AS ("
        "SELECT order_id FROM bought GROUP BY order_id "
        f"HAVING COUNT(*) BETWEEN 2 AND {MOST_PRODUCTS}"
        "), counted AS ("
        "SELECT a.product_id, b.product_id AS companion_id, COUNT(*) AS orders "
        "FROM usual u JOIN bought a ON a.order_id = u.order_id "
        "JOIN bought b ON b.order_id = u.order_id AND b.product_id <> a.product_id "
        f"GROUP BY a.product_id, b.product_id HAVING COUNT(*) >= {LEAST_ORDERS}"
        "), ranked AS ("
        "SELECT product_id, companion_id, orders, ROW_NUMBER() OVER ("
        "PARTITION BY product_id ORDER BY orders DESC, companion_id) AS place FROM counted"
        f") SELECT product_id, companion_id, orders, {at} FROM ranked WHERE place <= {KEPT} "
        "ON CONFLICT (product_id, companion_id) DO UPDATE "
        "SET count = excluded.count, computed_at = excluded.computed_at"
    )
