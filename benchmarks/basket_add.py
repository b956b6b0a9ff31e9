"""What our receivers add to putting a product into a basket: queries and CPU, with and without us.

Requests with and without our receivers take turns in one process. The difference of whole
requests drowns in their noise, so the receiver's own cost is also taken alone.
"""

from __future__ import annotations

import os
import statistics
from decimal import Decimal
from typing import Any

from benchmarks.stage import Watch, fresh_database, on_each_database, per_unit, table

ADDS = int(os.environ.get("BENCHMARK_ADDS", "150"))
ALONE = 2_000


class Queries:
    """Counts statements (a wrapper of Django's connection)."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Count one."""
        self.count += 1
        return execute(sql, params, many, context)


def _measure(first_add: bool) -> list[list[object]]:
    from django.db import connection
    from django.test import Client

    from oscar_triggers.shop import receivers
    from tests.shopping import Shopper, make_product

    product = make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=10_000_000)
    watches = {False: Watch(), True: Watch()}
    queries: dict[bool, list[int]] = {False: [], True: []}
    regulars = {with_us: Shopper(client=Client(), email="") for with_us in watches}
    for shopper in regulars.values():
        shopper.add(product)
    for turn in range(ADDS):
        for with_us in (True, False) if turn % 2 else (False, True):
            (receivers.connect if with_us else receivers.disconnect)()
            shopper = Shopper(client=Client(), email="") if first_add else regulars[with_us]
            counter = Queries()

            def add(shopper: Shopper = shopper) -> None:
                path = f"/basket/add/{product.pk}/"
                assert shopper.client.post(path, {"quantity": 1}).status_code == 302

            with connection.execute_wrapper(counter):
                watches[with_us].time(add)
            queries[with_us].append(counter.count)
    receivers.connect()
    without, ours = (statistics.median(watches[w].cpu) * 1e6 for w in (False, True))
    low, high = (statistics.median(queries[w]) for w in (False, True))
    name = "first add of a new basket" if first_add else "further add of the same visitor"
    return [[name, low, f"{high - low:+g}", f"{without:,.0f}", f"{ours - without:+,.0f}"]]


def _alone() -> list[list[object]]:
    """Take the receivers of basket_addition alone, called as the signal calls them."""
    from django.test import RequestFactory
    from oscar.core.loading import get_model

    from oscar_triggers.shop import receivers

    request: Any = RequestFactory().get("/")
    rows = []
    for name, many in (("receiver alone, new basket", True), ("receiver alone, known", False)):
        baskets = [
            get_model("basket", "Basket").objects.create() for _ in range(ALONE if many else 1)
        ]
        watch = Watch()

        def send(baskets: list[Any] = baskets) -> None:
            for turn in range(ALONE):
                request._basket_cache = baskets[turn % len(baskets)]
                receivers.note_visitor(sender=None, request=request, product=None, user=None)

        if not many:
            send()
        watch.time(send)
        rows.append([name, "", "+1" if many else "+0", "", f"+{per_unit(watch.cpu, ALONE)}"])
    return rows


def run() -> None:
    """Print what we add on one database."""
    with fresh_database() as vendor:
        rows = [*_measure(first_add=True), *_measure(first_add=False), *_alone()]
        print(f"### {vendor}: {ADDS} adds each, medians\n", flush=True)
        table(["", "queries without us", "with us", "CPU µs without us", "with us"], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.basket_add", run)
