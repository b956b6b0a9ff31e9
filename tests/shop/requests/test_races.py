"""Two runners, and Oscar's own command beside us: nobody is told twice, and nobody is forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from oscar.core.loading import get_model

from oscar_triggers.models import JournalEntry, ProductRequest, RequestState
from oscar_triggers.shop.requests import alerts, terms, waves

from .conftest import Shop, restock, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def at_once(*works: Callable[[], object]) -> None:
    """Run work in threads that begin at the same moment; raise what any of them raises."""
    ready = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            ready.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_two_runners_promise_no_unit_twice(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 60)
    restock(mug, 20)
    current = terms.current()
    assert current is not None
    at_once(*[lambda: waves.send(current, shop.now)] * 4)
    assert ProductRequest.objects.filter(state=RequestState.TOLD).count() == 20
    assert JournalEntry.objects.filter(kind="back_in_stock").count() == 20
    told = ProductRequest.objects.filter(state=RequestState.TOLD).order_by("created_at")
    first = ProductRequest.objects.order_by("created_at")[:20]
    assert [one.pk for one in told] == [one.pk for one in first]


def test_oscars_command_beside_us_neither_doubles_nor_loses_an_alert(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    model = get_model("customer", "ProductAlert")
    model.objects.bulk_create(
        model(product=mug, email=f"a{n}@example.com", status="Active") for n in range(40)
    )
    mug.stockrecords.update(num_in_stock=100)
    publish()
    current = terms.current()
    assert current is not None

    def ours() -> None:
        alerts.adopt(shop.now)
        waves.send(current, shop.now)

    at_once(ours, lambda: call_command("oscar_send_alerts", verbosity=0), ours)
    for _ring in range(3):
        shop.ring()
    told = Counter(address for letter in mail.outbox for address in letter.to)
    assert told == {f"a{n}@example.com": 1 for n in range(40)}
    assert set(model.objects.values_list("status", flat=True)) == {"Closed"}


def test_an_alert_that_oscar_closes_while_we_claim_it_is_told_by_one_of_us(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    model = get_model("customer", "ProductAlert")
    model.objects.bulk_create(
        model(product=mug, email=f"a{n}@example.com", status="Active") for n in range(30)
    )
    alerts.adopt(shop.now)
    mug.stockrecords.update(num_in_stock=100)
    current = terms.current()
    assert current is not None
    closed: list[int] = []

    def somebody_else() -> None:
        for pk in model.objects.order_by("-pk").values_list("pk", flat=True)[:15]:
            rows = model.objects.filter(pk=pk, status="Active")
            closed.extend([pk] * rows.update(status="Closed", date_closed=shop.now))

    at_once(lambda: waves.send(current, shop.now + timedelta(seconds=1)), somebody_else)
    ours = set(ProductRequest.objects.filter(wave__gt=0).values_list("alert_id", flat=True))
    assert ours & set(closed) == set()
    assert len(ours) + len(closed) == 30
