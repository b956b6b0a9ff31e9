"""Shoppers and staff in a process of their own: each deed is committed at the moment it is told.

A deed is an order, an unsubscription, a price rise, or the last piece sold elsewhere. Reads the
kind of deed and the customers from a JSON file, says `ready N` when deed N is written and not
committed, waits for `N MOMENT` on standard input (CLOCK_MONOTONIC, which all processes share),
commits then, and says `done N BEFORE AFTER` by the database's clock.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

#: Deeds that are written ahead, each in a transaction of its own.
_OPEN_AT_ONCE = 6


class Doer:
    """Writes deeds ahead and commits each when its moment has come."""

    def __init__(self, kind: str, customers: list[dict[str, Any]]) -> None:
        self.do = DEEDS[kind]
        self.customers = customers
        self.moments: dict[int, float] = {}
        self.told = threading.Condition()
        self.next = 0
        self.closed = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serve until standard input ends."""
        pens = [threading.Thread(target=self._write_deeds) for _ in range(_OPEN_AT_ONCE)]
        for pen in pens:
            pen.start()
        for line in sys.stdin:
            number, moment = line.split()
            with self.told:
                self.moments[int(number)] = float(moment)
                self.told.notify_all()
        with self.told:
            self.closed = True
            self.told.notify_all()
        for pen in pens:
            pen.join()

    def _write_deeds(self) -> None:
        from django.db import connection

        while True:
            with self._lock:
                number, self.next = self.next, self.next + 1
            if number >= len(self.customers) or not self._write(number):
                connection.close()
                return

    def _write(self, number: int) -> bool:
        from django.db import transaction

        clock: dict[str, float] = {}
        with transaction.atomic():
            # The first of the callbacks: it runs before anything else that waits for the commit.
            transaction.on_commit(lambda: clock.update(after=database_clock()))
            self.do(number, self.customers[number])
            self._say(f"ready {number}")
            with self.told:
                self.told.wait_for(lambda: self.closed or number in self.moments)
                if number not in self.moments:
                    transaction.set_rollback(True)
                    return False
            time.sleep(max(0.0, self.moments[number] - time.monotonic()))
            clock["before"] = database_clock()
        self._say(f"done {number} {clock['before']:.6f} {clock['after']:.6f}")
        return True

    def _say(self, line: str) -> None:
        with self._lock:
            print(line, flush=True)  # noqa: T201 - tells its parent


def database_clock() -> float:
    """Return the database's clock in seconds."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


def place(number: int, customer: dict[str, Any]) -> None:
    """Write an order: from the very basket, from the same account, or from the same address."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone
    from oscar.core.loading import get_model

    if number % 3 == 0:
        from oscar.core.loading import get_class
        from oscar.test import factories

        basket = get_model("basket", "Basket").objects.get(pk=customer["basket"])
        basket.strategy = get_class("partner.strategy", "Selector")().strategy()
        user = get_user_model().objects.get(pk=customer["user"])
        factories.create_order(number=f"S{number}", basket=basket, user=user)
        return
    who = (
        {"user_id": customer["user"]}
        if number % 3 == 1
        else {"guest_email": customer["email"].upper()}
    )
    get_model("order", "Order").objects.create(
        number=f"S{number}",
        currency="EUR",
        total_incl_tax=Decimal("12.50"),
        total_excl_tax=Decimal("12.50"),
        date_placed=timezone.now(),
        **who,
    )


def unsubscribe(number: int, customer: dict[str, Any]) -> None:
    """Write the withdrawal, and not what follows from it: the mark must see it by itself."""
    from django.utils import timezone

    from oscar_triggers.models import ALL_TOPICS, ConsentAction, point_hash
    from oscar_triggers.policy import consent
    from oscar_triggers.policy.points import EMAIL

    now = timezone.now()
    withdrawal = consent.Line(
        channel=EMAIL,
        point_hash=point_hash(EMAIL, customer["email"]),
        topic=ALL_TOPICS,
        action=ConsentAction.WITHDRAW,
        source="storm",
        occurred_at=now,
    )
    assert consent.write_many([withdrawal], now) == 1


def raise_price(number: int, customer: dict[str, Any]) -> None:
    """Raise the price of what lies in the basket."""
    _stock_of(customer).update(price=Decimal("19.90"))


def sell_out(number: int, customer: dict[str, Any]) -> None:
    """Sell the last piece of what lies in the basket to somebody else."""
    _stock_of(customer).update(num_in_stock=0)


def _stock_of(customer: dict[str, Any]) -> Any:
    from oscar.core.loading import get_model

    found = get_model("partner", "StockRecord").objects.filter(pk=customer["stock_record"])
    assert found.count() == 1
    return found


DEEDS = {
    "order": place,
    "unsubscribe": unsubscribe,
    "price_rise": raise_price,
    "stock_out": sell_out,
}

if __name__ == "__main__":
    django.setup()
    told = json.loads(Path(sys.argv[1]).read_text())
    Doer(told["kind"], told["customers"]).run()
