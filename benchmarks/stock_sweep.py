"""What the stock sweep costs: a million stock records of which one in a thousand changed.

Beside it, what a Python loop takes for the same: both tables read through Django, compared row by
row, and what differs written in batches. Memory is the highest growth of each, in a process of
its own.
"""

from __future__ import annotations

import os
import resource
import sys
from datetime import timedelta
from typing import Any

from benchmarks.stage import Watch, fresh_database, on_each_database, ratio, side_by_side, table

ROWS = int(os.environ.get("BENCHMARK_ROWS", "1000000"))
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
CHANGED = ROWS // 1_000


def _fill() -> None:
    from django.db import connection

    numbers = (
        f"SELECT n FROM generate_series(1, {ROWS}) n"  # noqa: S608 - a number
        if connection.vendor == "postgresql"
        else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) "  # noqa: S608 - a number
        "SELECT n FROM s"
    )
    now = "CURRENT_TIMESTAMP"
    statements = (
        "INSERT INTO catalogue_productclass (id, name, slug, requires_shipping, track_stock) "
        "VALUES (1, 'Gear', 'gear', TRUE, TRUE)",
        "INSERT INTO partner_partner (id, code, name) VALUES (1, 'whitby', 'Whitby warehouse')",
        "INSERT INTO catalogue_product (id, structure, is_public, title, slug, description, "  # noqa: S608 - a number
        "meta_title, meta_description, product_class_id, date_created, date_updated, "
        "is_discountable, priority, code) SELECT n, 'standalone', TRUE, 'Mug ' || n, 'mug-' || n, "
        f"'', '', '', 1, {now}, {now}, TRUE, 0, 'mug-' || n FROM ({numbers}) x",
        "INSERT INTO partner_stockrecord (id, product_id, partner_id, partner_sku, "  # noqa: S608 - a number
        "price_currency, price, num_in_stock, num_allocated, date_created, date_updated) "
        f"SELECT n, n, 1, 'SKU-' || n, 'EUR', 10.00 + n % 90, n % 20, 0, {now}, {now} "
        f"FROM ({numbers}) x",
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("ANALYZE")


def _change(number: int) -> None:
    """Cut the price of one record in a thousand, as the dashboard's bulk action does."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE partner_stockrecord SET price = price - 0.01 WHERE id %% 1000 = %s", [number]
        )


def _sweep() -> int:
    """Run passes as ticks do until one is through; return how many lines were written."""
    from django.utils import timezone

    from oscar_triggers.models import Pulse
    from oscar_triggers.models.sql import insert_or_ignore
    from oscar_triggers.shop.stock.sweep import StockSweep

    insert_or_ignore(Pulse, [{"name": "sweep:stock"}], conflict="name")
    pulse = Pulse.objects.get(name="sweep:stock")
    now = (pulse.position_at or timezone.now()) + timedelta(minutes=1)
    written = 0
    while True:
        found = StockSweep().run(now, pulse)
        pulse.save()
        written += found.get("changed", 0)
        if not pulse.watermark:
            return written


def _loop() -> int:
    """Do the same by hand: read both, compare, write what differs."""
    from django.utils import timezone
    from oscar.core.loading import get_model

    from oscar_triggers.models import StockChange, StockSnapshot

    now = timezone.now()
    records = get_model("partner", "StockRecord").objects.select_related(
        "product__product_class", "product__parent"
    )
    known = {row.stock_record_id: row for row in StockSnapshot.objects.iterator()}
    changes, snapshots = [], []
    for record in records.order_by("pk").iterator():
        tracked = record.product.get_product_class().track_stock
        available = record.net_stock_level if tracked else None
        before = known[record.pk]
        if (before.price, before.num_available) == (record.price, available):
            continue
        changes.append(
            StockChange(
                stock_record_id=record.pk,
                product_id=record.product_id,
                noticed_at=now,
                cause="price",
                price_before=before.price,
                price_after=record.price,
                currency=record.price_currency,
            )
        )
        before.price, before.num_available = record.price, available
        snapshots.append(before)
    StockChange.objects.bulk_create(changes, batch_size=1_000)
    StockSnapshot.objects.bulk_update(snapshots, ["price", "num_available"], batch_size=500)
    return len(changes)


def _memory() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024)


def run() -> None:
    """Print what the first look, a pass and a loop take."""
    with fresh_database() as vendor:
        _fill()
        first, ours, theirs = Watch(), Watch(), Watch()
        first.time(_sweep)
        for number in range(ROUNDS):
            for contestant, work, remainder in ((ours, _sweep, 0), (theirs, _loop, 1)):
                _change(2 * number + remainder)
                # A process of its own: the memory of one is not that of the other.
                contestant.time(lambda work=work: side_by_side(1, lambda _number: _tell(work)))
        name = f"{ROWS:,} records, {CHANGED:,} changed"
        print(f"### {vendor}: {name}, {ROUNDS} rounds\n", flush=True)
        rows: list[list[Any]] = [
            ["first look", f"{first.wall[0]:.1f}", f"{first.cpu[0]:.1f}", ""],
            ["the sweep", *_seconds(ours), "1.0"],
            ["a Python loop", *_seconds(theirs), f"{ratio(ours.wall, theirs.wall):.1f}"],
        ]
        table(["", "seconds (median)", "our CPU", "the sweep is × faster"], rows)


def _tell(work: Any) -> None:
    before = _memory()
    written = work()
    assert written == CHANGED, f"{written} of {CHANGED} were found"
    print(f"{work.__name__[1:]}: memory grew by {_memory() - before:,.0f} MB", flush=True)


def _seconds(watch: Watch) -> tuple[str, str]:
    middle = len(watch.wall) // 2
    return f"{sorted(watch.wall)[middle]:.1f}", f"{sorted(watch.cpu)[middle]:.1f}"


if __name__ == "__main__":
    on_each_database("benchmarks.stock_sweep", run)
