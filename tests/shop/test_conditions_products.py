"""Questions about a product as the shop would sell it now."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers import conditions
from oscar_triggers.engine import contacts
from oscar_triggers.models import Contact
from oscar_triggers.snapshots import About, Person, Subject
from tests.shopping import make_product

from .conftest import Clock, commit

pytestmark = pytest.mark.django_db


def about(product: Any, **known: Any) -> Subject:
    """Return someone on the way through a flow about a product."""
    moment = timezone.now() - timedelta(hours=1)
    values: dict[str, Any] = {
        "enrollment_id": 1,
        "flow_id": 1,
        "flow_key": "a",
        "contact_id": 1,
        "user_id": None,
        "about": About(type="product", id=str(getattr(product, "pk", product))),
        "entered_at": moment,
        "clock_at": moment,
    }
    return Subject(**{**values, **known})


def ask(kind: str, subject: Subject, **options: Any) -> Any:
    """Return the verdict."""
    [verdict] = conditions.from_options({"kind": kind, **options}).holds_many(
        [subject], timezone.now()
    )
    return verdict


def with_variants() -> tuple[Any, Any, Any]:
    """Make a product with two variants, one of which is sold out."""
    parent = make_product("Mug", price=Decimal("9"))
    parent.stockrecords.all().delete()
    red = make_product("Red", price=Decimal("8"), num_in_stock=0, parent=parent)
    blue = make_product("Blue", price=Decimal("10"), num_in_stock=2, parent=parent)
    products = get_model("catalogue", "Product").objects
    products.filter(pk=parent.pk).update(structure="parent")
    products.filter(pk__in=[red.pk, blue.pk]).update(structure="child", product_class=None)
    return parent, red, blue


def test_stock_is_what_is_not_promised_to_orders(product: Any) -> None:
    assert ask("product_in_stock", about(product), at_least=10).holds
    product.stockrecords.update(num_allocated=8)
    verdict = ask("product_in_stock", about(product), at_least=3)
    assert not verdict.holds
    assert verdict.compared["left"] == 2
    product.stockrecords.update(num_allocated=10)
    assert not ask("product_in_stock", about(product)).holds


def test_a_product_with_variants_is_in_stock_while_one_of_them_is() -> None:
    parent, red, blue = with_variants()
    assert not ask("product_in_stock", about(red)).holds
    assert ask("product_in_stock", about(blue), at_least=2).holds
    assert ask("product_in_stock", about(parent), at_least=2).holds
    assert not ask("product_in_stock", about(parent), at_least=3).holds
    # The cheaper one is sold out.
    assert ask("product_price", about(parent), comparison="equals", amount="10").holds
    get_model("catalogue", "Product").objects.filter(pk=blue.pk).update(is_public=False)
    assert not ask("product_in_stock", about(parent)).holds


def test_goods_without_counted_stock_are_always_there(product: Any) -> None:
    product.product_class.track_stock = False
    product.product_class.save()
    product.stockrecords.update(num_in_stock=None)
    assert ask("product_in_stock", about(product), at_least=500).holds


def test_what_is_hidden_or_gone_is_not_in_stock(product: Any) -> None:
    for other in ("999999", "mug", ""):
        verdict = ask("product_in_stock", about(other))
        assert not verdict.holds
    get_model("catalogue", "Product").objects.update(is_public=False)
    assert not ask("product_in_stock", about(product)).holds
    assert not ask("product_in_stock", about(product, about=About(type="", id=""))).holds


def test_the_price_is_of_one_currency(product: Any) -> None:
    assert ask("product_price", about(product), comparison="equals", amount="12.5").holds
    assert ask("product_price", about(product), comparison="less_than", amount="12.51").holds
    verdict = ask("product_price", about(product), amount="1", currency="USD")
    assert not verdict.holds
    assert verdict.compared["currency"] == "EUR"


@pytest.mark.parametrize(
    ("payload", "options", "holds"),
    [
        ({"price": "15.00"}, {}, True),
        ({"price": "12.50"}, {}, False),
        ({"price": "12.00"}, {}, False),
        ({"price": "15.00"}, {"percent": "16.6"}, True),
        ({"price": "15.00"}, {"percent": "17"}, False),
        ({"price": "15.00"}, {"amount": "2.50"}, True),
        ({"price": "15.00"}, {"amount": "2.51"}, False),
        ({"price": "15.00"}, {"amount": "2", "percent": "50"}, False),
        ({"old": "15.00"}, {}, False),
        ({"old": "15.00"}, {"field": "old"}, True),
        ({"price": "a lot"}, {}, False),
        ({"price": "15.00", "currency": "USD"}, {}, False),
        ({"price": "15.00", "currency": "EUR"}, {}, True),
    ],
)
def test_a_product_costs_less_than_the_event_told(
    product: Any, payload: dict[str, Any], options: dict[str, Any], holds: bool
) -> None:
    verdict = ask("price_dropped", about(product, payload=payload), **options)
    assert verdict.holds is holds
    assert verdict.compared["now"] == Decimal("12.50")


def test_something_in_the_basket_costs_less_than_when_it_was_put_in(
    shopper: Any, product: Any, other_product: Any
) -> None:
    shopper.add(product)
    shopper.add(other_product)
    basket = about(product, about=About(type="basket", id=str(shopper.basket.pk)))
    assert not ask("price_dropped", basket).holds
    other_product.stockrecords.update(price=Decimal("150.00"))
    verdict = ask("price_dropped", basket, percent="20")
    assert verdict.holds
    [fallen] = verdict.compared["fallen"]
    assert fallen["product"] == other_product.pk
    assert not ask("price_dropped", basket, percent="25").holds


def test_who_puts_something_in_a_basket_was_there(
    shopper: Any, product: Any, member: Any, clock: Clock
) -> None:
    [contact_id] = contacts.resolve_many([(Person(user_id=member.pk), None)], clock.now)
    Contact.objects.update(seen_at=None)
    someone = about(
        product, contact_id=contact_id, entered_at=timezone.now() - timedelta(minutes=1)
    )
    assert not ask("visited", someone).holds
    shopper.add(product)
    commit()
    verdict = ask("visited", someone)
    assert verdict.holds
    assert verdict.compared["sign"] == "basket"
