"""The lowest price of the days before, from the journal: honest "was" prices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from oscar_triggers.models import StockChange
from oscar_triggers.shop.stock.quoting import lowest_price
from tests.shopping import make_product

from .conftest import Watch, records_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def _lowest(watch: Watch, product: Any, days: int, **more: Any) -> Decimal | None:
    return lowest_price([product.pk], "EUR", watch.now - days * DAY, **more).get(product.pk)


def _sell_for(watch: Watch, product: Any, price: str, later: timedelta) -> StockChange:
    records_of(product).update(price=Decimal(price))
    [line] = watch.look(later)
    return line


@pytest.fixture
def history(watch: Watch, product: Any) -> StockChange:
    """Sell the mug for 12.50, ten days for 15, ten days for 11, ten for 14, and 9 from today."""
    watch.look()
    _sell_for(watch, product, "15.00", DAY)
    _sell_for(watch, product, "11.00", 10 * DAY)
    _sell_for(watch, product, "14.00", 10 * DAY)
    return _sell_for(watch, product, "9.00", 10 * DAY)


def test_the_lowest_price_includes_todays(watch: Watch, history: Any, product: Any) -> None:
    assert _lowest(watch, product, 30) == Decimal("9.00")


@pytest.mark.parametrize(
    ("days", "lowest"),
    [(5, "14.00"), (15, "11.00"), (29, "11.00"), (10, "14.00"), (45, "11.00")],
)
def test_before_a_reduction_what_was_valid_at_the_beginning_counts(
    watch: Watch, history: StockChange, product: Any, days: int, lowest: str
) -> None:
    found = _lowest(watch, product, days, until=history.noticed_at)
    assert found == Decimal(lowest)


def test_a_first_change_says_what_was_valid_before_we_looked(watch: Watch, product: Any) -> None:
    watch.look()
    line = _sell_for(watch, product, "15.00", DAY)
    assert _lowest(watch, product, 30, until=line.noticed_at) == Decimal("12.50")
    assert _lowest(watch, product, 30) == Decimal("12.50")


def test_a_price_that_never_changed_is_the_lowest(watch: Watch, product: Any) -> None:
    assert _lowest(watch, product, 30) is None, "nobody looked yet"
    watch.look()
    assert _lowest(watch, product, 30) == Decimal("12.50")
    assert lowest_price([product.pk], "USD", watch.now - DAY) == {}


@pytest.mark.usefixtures("personal_prices")
def test_prices_are_told_with_the_shops_tax(watch: Watch, product: Any) -> None:
    watch.look()
    line = _sell_for(watch, product, "15.00", DAY)
    assert line.quoted_after == Decimal("18.00")
    assert _lowest(watch, product, 30, until=line.noticed_at) == Decimal("15.00")


def test_an_offer_makes_a_price_that_counts(
    watch: Watch, product: Any, make_offer: Callable[..., Any]
) -> None:
    watch.look()
    offer = make_offer(product, percent=20)
    watch.look(DAY)
    type(offer).objects.update(status="Suspended")
    [line] = watch.look(5 * DAY)
    assert line.quoted_after == Decimal("12.50")
    assert _lowest(watch, product, 30) == Decimal("10.00")
    assert lowest_price([product.pk], "EUR", watch.now)[product.pk] == Decimal("12.50")


def test_another_partners_price_was_asked_from_nobody(watch: Watch, product: Any) -> None:
    from oscar.test import factories

    second = factories.create_stockrecord(
        product, price=Decimal("5.00"), num_in_stock=5, partner_name="Leeds", partner_sku="leeds"
    )
    watch.look()
    type(second).objects.filter(pk=second.pk).update(price=Decimal("4.00"))
    watch.look(DAY)
    assert _lowest(watch, product, 30) == Decimal("12.50")


def test_a_parent_has_the_lowest_price_of_its_variants(watch: Watch) -> None:
    from oscar.test import factories

    parent = factories.create_product(title="Shirt", product_class="Gear", structure="parent")
    small = make_product("Small", price=Decimal("20.00"), parent=parent)
    make_product("Large", price=Decimal("22.00"), parent=parent)
    watch.look()
    _sell_for(watch, small, "25.00", DAY)
    assert _lowest(watch, parent, 30) == Decimal("20.00")
    assert lowest_price([parent.pk], "EUR", watch.now)[parent.pk] == Decimal("22.00")


def test_many_products_cost_as_many_queries_as_one(
    watch: Watch, product: Any, django_assert_num_queries: Any
) -> None:
    goods = [make_product(f"Mug {number}", price=Decimal("10.00")) for number in range(6)]
    watch.look()
    get_model("partner", "StockRecord").objects.update(price=Decimal("9.00"))
    watch.look(DAY)
    with django_assert_num_queries(5):
        found = lowest_price([good.pk for good in goods], "EUR", watch.now - DAY / 2)
    assert set(found.values()) == {Decimal("9.00")}
