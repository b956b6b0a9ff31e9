"""What happens between two statements of a sweep, and at the end of a guest's week."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from oscar_triggers.engine import contacts
from oscar_triggers.models import ProductRequest, RequestKind, RequestState
from oscar_triggers.shop.requests import alerts, asking, endings
from oscar_triggers.snapshots import Person
from tests.shopping import make_product

from .conftest import Shop, alert, restock, states, wait_for

pytestmark = pytest.mark.django_db


@contextmanager
def before_statement(number: int, act: Callable[[], object]) -> Iterator[list[str]]:
    """Do something right before one statement, as another process may; yield what was asked."""
    asked: list[str] = []

    def ask(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        if len(asked) == number:
            act()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(ask):
        yield asked


def unconfirmed(shop: Shop, product: Any, email: str) -> ProductRequest:
    """Let a guest ask who did not confirm yet."""
    [contact_id] = contacts.resolve_many([(Person(email=email), None)], shop.now)
    return ProductRequest.objects.create(
        contact_id=contact_id,
        kind=RequestKind.BACK,
        state=RequestState.UNCONFIRMED,
        product_id=product.pk,
        created_at=shop.now,
        expires_at=shop.now + asking.CONFIRM_WITHIN,
    )


def test_an_alert_makes_a_guests_request_wait_for_longer_than_the_week_to_confirm_it(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    unconfirmed(shop, mug, "both@example.com")
    alert(mug, email="both@example.com")
    shop.sweep()
    assert states() == ["waiting"]
    shop.sweep(timedelta(days=8))
    assert states() == ["waiting"]
    restock(mug, 1)
    assert shop.ring() == ["both@example.com"]


def test_who_cancels_while_an_alert_is_taken_in_is_not_put_back_in_the_line(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    for number in range(1, 14):
        ProductRequest.objects.all().delete()
        alerts.rows().delete()
        [request] = wait_for(mug, 1)
        alert(mug, email="guest-0@example.com")

        def cancel(pk: int = request.pk) -> None:
            ProductRequest.objects.filter(pk=pk).update(state=RequestState.CANCELLED)

        with before_statement(number, cancel) as asked:
            alerts.adopt(shop.now)
        request.refresh_from_db()
        if len(asked) > number:
            assert request.state == RequestState.CANCELLED, asked[number]


def test_who_asks_while_gone_products_are_looked_for_waits_for_one_that_is_there(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish("product_discontinued", gone_for="7d")
    pot = make_product("Pot", price=Decimal(9), num_in_stock=0)
    for number in range(1, 8):
        ProductRequest.objects.all().delete()
        wait_for(mug, 1)
        with before_statement(number, lambda: wait_for(pot, 1)):
            endings.discontinue(timedelta(days=7), shop.now)
        assert set(states()) == {"waiting"}, number
