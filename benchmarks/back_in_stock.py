"""What saving a stock record costs with 1,000 people waiting: Oscar alone, and with our flow.

Both in one run, in turns on the same database: with Oscar alone the save finds, mails and closes
every alert inside the shop's request; with ours it leaves a mark, and the next tick tells a wave.
"""

from __future__ import annotations

import os
import statistics
from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks.basket_add import Queries
from benchmarks.stage import Watch, fresh_database, on_each_database, table

WAITING = int(os.environ.get("BENCHMARK_WAITING", "1000"))
ROUNDS = 5


def _save(record: Any, watch: Watch) -> int:
    """Save a stock record as a page does; return the number of statements."""
    from django.db import connection

    counter = Queries()
    record.num_in_stock = WAITING
    with connection.execute_wrapper(counter):
        watch.time(record.save)
    return counter.count


def _measure() -> list[list[object]]:
    from django.conf import settings
    from django.core import mail
    from django.db import connection
    from django.utils import timezone
    from oscar.core.loading import get_model
    from oscar.test.factories import UserFactory

    from oscar_triggers.definitions import FlowDefinition
    from oscar_triggers.engine import clockwork, flows
    from oscar_triggers.models import Owner, ProductRequest
    from oscar_triggers.shop.requests import takeover
    from oscar_triggers.testing import factories
    from tests.shopping import make_product

    mail.outbox = []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    now = timezone.now()
    alerts = get_model("customer", "ProductAlert")
    product = make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=0)
    record = product.stockrecords.get()
    people = [UserFactory(username=f"p{n}", email=f"p{n}@example.com") for n in range(WAITING)]

    def wait() -> None:
        alerts.objects.all().delete()
        alerts.objects.bulk_create(
            alerts(product=product, user=person, status="Active") for person in people
        )

    empty, oscar, ours, sweep = Watch(), Watch(), Watch(), Watch()
    takeover.disconnect()
    nobody = _save(record, empty)
    wait()
    alone = _save(record, oscar)
    assert len(mail.outbox) == WAITING, "Oscar did not mail everybody"
    takeover.connect()

    factories.letter("back", now=now)
    definition = FlowDefinition.from_dict(
        {
            "flow": "back",
            "trigger": {"kind": "back_in_stock", "most_per_wave": WAITING},
            "stream": "transactional",
            "steps": [{"key": "letter", "kind": "send", "options": {"template": "back"}}],
        }
    )
    flows.publish(definition, owner=Owner.FILE, now=now)
    # Oscar forbids nobody to ask again.
    wait()
    beside = {_save(record, ours) for _round in range(ROUNDS)}
    mail.outbox.clear()
    counter = Queries()
    with connection.execute_wrapper(counter):
        sweep.time(lambda: clockwork.tick(now + timedelta(seconds=60), send=False))
    told = ProductRequest.objects.filter(state="told").count()
    assert told == WAITING, f"{told} of {WAITING} were told"
    assert mail.outbox == []
    [with_us] = beside
    assert with_us <= 2 + 2, f"a save costs {with_us} queries with us"
    return [
        ["nobody waits, Oscar alone", nobody, _seconds(empty)],
        [f"{WAITING:,} wait, Oscar alone", alone, _seconds(oscar)],
        [f"{WAITING:,} wait, with our flow", with_us, _seconds(ours)],
        [f"… and the tick that claims {told:,} for a wave", counter.count, _seconds(sweep)],
    ]


def _seconds(watch: Watch) -> str:
    return f"{statistics.median(watch.wall):.3f} s, cpu {statistics.median(watch.cpu):.3f} s"


def run() -> None:
    """Print what a save costs on one database."""
    with fresh_database() as vendor:
        rows = _measure()
        print(f"### {vendor}: StockRecord.save(), mail in memory\n", flush=True)
        table(["", "queries", "time"], rows)


if __name__ == "__main__":
    on_each_database("benchmarks.back_in_stock", run)
