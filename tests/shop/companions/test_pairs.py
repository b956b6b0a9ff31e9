"""What is bought together is counted in the database, from all orders at once."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.models import ProductPair, Pulse
from oscar_triggers.shop.companions import pairs
from tests.shop.products.conftest import order_of
from tests.shop.products.test_said import make_variant
from tests.shopping import make_product

pytestmark = pytest.mark.django_db


def counted(product: Any) -> dict[int, int]:
    found = ProductPair.objects.filter(product_id=product.pk)
    return dict(found.values_list("companion_id", "count"))


def test_products_of_the_same_orders_go_together(product: Any, other_product: Any) -> None:
    lamp = make_product("Lamp", price=Decimal(5))
    order_of("1", product, other_product, lamp)
    order_of("2", product, other_product)
    order_of("3", product, product, lamp.__class__.objects.get(pk=other_product.pk))
    pairs.count(timezone.now())
    assert counted(product) == {other_product.pk: 3}, "the lamp was bought with it only once"
    assert counted(other_product) == {product.pk: 3}


def test_a_variant_counts_for_its_product(product: Any) -> None:
    parent = factories.create_product(title="Pot", product_class="Gear", structure="parent")
    red, blue = make_variant(parent, "red"), make_variant(parent, "blue")
    order_of("1", product, red)
    order_of("2", product, blue)
    order_of("3", red, blue)
    pairs.count(timezone.now())
    assert counted(product) == {parent.pk: 2}
    assert counted(parent) == {product.pk: 2}, "and not for itself"


def test_old_orders_and_those_of_wholesalers_say_nothing(
    product: Any, other_product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "MOST_PRODUCTS", 2)
    lamp = make_product("Lamp", price=Decimal(5))
    order_of("1", product, other_product)
    order_of("2", product, other_product, lamp)
    order_of("3", product, other_product, date_placed=timezone.now() - timedelta(days=400))
    pairs.count(timezone.now())
    assert not ProductPair.objects.exists()


def test_what_is_no_longer_bought_together_is_forgotten(product: Any, other_product: Any) -> None:
    now = timezone.now()
    order_of("1", product, other_product)
    order = order_of("2", product, other_product)
    assert pairs.count(now) == 2
    order.delete()
    assert pairs.count(now + timedelta(hours=1)) == 0
    assert not ProductPair.objects.exists()


def test_the_sweep_counts_when_somebody_ordered(product: Any, other_product: Any) -> None:
    sweep, pulse, now = pairs.PairSweep(), Pulse.objects.create(name="sweep:test"), timezone.now()
    order_of("1", product, other_product)
    order_of("2", product, other_product)
    assert sweep.run(now, pulse) == {"pairs": 2}
    get_model("order", "Line").objects.all().delete()
    assert sweep.run(now + timedelta(hours=6), pulse) == {"pairs": 0}
    assert ProductPair.objects.count() == 2, "nobody ordered: nothing was counted"
    sweep.run(now + timedelta(hours=30), pulse)
    assert not ProductPair.objects.exists(), "orders that are too old are forgotten once a day"


def test_twenty_thousand_lines_are_counted_by_one_statement(product: Any) -> None:
    goods = get_model("catalogue", "Product")
    made = goods.objects.bulk_create(
        goods(title=f"Thing {n}", slug=f"thing-{n}", product_class=product.product_class)
        for n in range(200)
    )
    ids = [one.pk for one in made]
    orders = get_model("order", "Order")
    money: dict[str, Any] = {"currency": "EUR", "total_incl_tax": 1, "total_excl_tax": 1}
    placed = orders.objects.bulk_create(
        orders(number=f"N{n}", date_placed=timezone.now(), **money) for n in range(5_000)
    )
    lines = get_model("order", "Line")
    price = dict.fromkeys(
        (
            "line_price_incl_tax", "line_price_excl_tax",
            "line_price_before_discounts_incl_tax", "line_price_before_discounts_excl_tax",
        ),
        1,
    )  # fmt: skip
    lines.objects.bulk_create(
        [
            lines(
                order=order,
                product_id=ids[(number * 7 + place * (place + 1)) % len(ids)],
                title="Thing",
                num_allocated=0,
                **price,
            )
            for number, order in enumerate(placed)
            for place in range(4)
        ],
        batch_size=2_000,
    )
    assert lines.objects.count() == 20_000
    began = time.monotonic()
    with CaptureQueriesContext(connection) as caught:
        found = pairs.count(timezone.now())
    took = time.monotonic() - began
    reading = [one["sql"] for one in caught if "order_line" in one["sql"]]
    assert len(reading) == 1
    assert reading[0].startswith("INSERT INTO")
    assert len(caught) <= 5, "that one, and the rows of before deleted"
    assert found > 500
    assert took < 5, f"it took {took:.1f} s"
