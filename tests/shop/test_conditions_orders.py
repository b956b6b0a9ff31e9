"""Questions about orders: how often, for how much, when, what; whoever the person was then."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers import conditions
from oscar_triggers.engine import contacts
from oscar_triggers.exceptions import InvalidOptions
from oscar_triggers.models import Contact
from oscar_triggers.snapshots import About, Person, Subject
from tests.shopping import make_product

from .conftest import Clock, make_order

pytestmark = pytest.mark.django_db


def about_nothing(**known: Any) -> Subject:
    """Return someone on the way through a flow."""
    moment = timezone.now() - timedelta(hours=1)
    values: dict[str, Any] = {
        "enrollment_id": 1,
        "flow_id": 1,
        "flow_key": "a",
        "contact_id": 1,
        "user_id": None,
        "about": About(type="", id=""),
        "entered_at": moment,
        "clock_at": moment,
    }
    return Subject(**{**values, **known})


def ask(kind: str, *subjects: Subject, **options: Any) -> list[Any]:
    """Return the verdicts."""
    question = conditions.from_options({"kind": kind, **options})
    return question.holds_many(subjects, timezone.now())


def ago(days: float) -> datetime:
    """Return a moment so many days ago."""
    return timezone.now() - timedelta(days=days)


def order_of(member: Any, number: str, *, days: float = 1, **rest: Any) -> Any:
    """Write an order of a member, so many days ago."""
    order = make_order(number, user=member, **rest)
    get_model("order", "Order").objects.filter(pk=order.pk).update(date_placed=ago(days))
    return order


def add_line(order: Any, product: Any) -> Any:
    """Write a line of an order."""
    return get_model("order", "Line").objects.create(
        order=order, product=product, title=product.get_title(), upc=product.upc or "", quantity=1, num_allocated=0,
        partner_sku="x", line_price_incl_tax=1, line_price_excl_tax=1,
        line_price_before_discounts_incl_tax=1, line_price_before_discounts_excl_tax=1,
        unit_price_incl_tax=1, unit_price_excl_tax=1,
    )  # fmt: skip


def test_orders_are_counted_ever_and_lately(member: Any) -> None:
    someone = about_nothing(user_id=member.pk)
    for days, number in ((400, "1"), (40, "2"), (2, "3")):
        order_of(member, number, days=days)
    [verdict] = ask("order_count", someone, comparison="equals", count=3)
    assert verdict.holds
    assert verdict.compared["orders"] == 3
    assert ask("order_count", someone, count=1, within="30d")[0].compared["orders"] == 1
    assert not ask("order_count", someone, count=3, within="365d")[0].holds
    assert ask("order_count", about_nothing(), comparison="equals", count=0)[0].holds


def test_totals_are_of_one_currency(member: Any) -> None:
    someone = about_nothing(user_id=member.pk)
    order_of(member, "1", total_incl_tax=Decimal("60"))
    order_of(member, "2", total_incl_tax=Decimal("45"))
    order_of(member, "3", total_incl_tax=Decimal("500"), currency="SEK")
    [verdict] = ask("order_total", someone, amount="100")
    assert verdict.holds
    assert verdict.compared["total"] == Decimal("105")
    assert verdict.compared["other_currencies"] == {"SEK": Decimal("500")}
    assert not ask("order_total", someone, amount="106")[0].holds
    assert ask("order_total", someone, amount="500", currency="sek")[0].holds
    assert not ask("order_total", someone, amount="1", currency="CHF")[0].holds


def test_the_last_order_and_none(member: Any) -> None:
    someone, stranger = about_nothing(user_id=member.pk), about_nothing(contact_id=77)
    order_of(member, "1", days=200)
    order_of(member, "2", days=100)

    def answers(**options: Any) -> list[bool]:
        return [verdict.holds for verdict in ask("last_order", someone, stranger, **options)]

    assert answers(comparison="more_than", days=90) == [True, False]
    assert answers(comparison="more_than", days=150) == [False, False]
    assert answers(comparison="less_than", days=150) == [True, False]
    assert answers(comparison="never") == [False, True]
    [verdict, _] = ask("last_order", someone, stranger, days=90)
    assert verdict.compared["last_order"] == "2"


def test_orders_of_an_account_count_for_the_contact_that_stands_for_it(
    member: Any, clock: Clock
) -> None:
    """Events that only name a contact, as a birthday, know no account."""
    [contact_id] = contacts.resolve_many([(Person(user_id=member.pk), None)], clock.now)
    assert contact_id is not None
    order_of(member, "1")
    assert ask("has_ordered", about_nothing(contact_id=contact_id))[0].holds


def test_a_guests_order_counts_for_the_customer_with_the_same_address(
    guest: Any, product: Any, clock: Clock
) -> None:
    guest.add(product)
    guest.place_order()
    clock.tick()
    other = about_nothing(contact_id=0, emails=("guest@example.com",))
    assert ask("has_ordered", other, about_nothing(contact_id=0))[0].holds
    assert not ask("has_ordered", about_nothing(contact_id=0))[0].holds
    assert ask("bought", other, product=str(product.pk))[0].holds
    assert Contact.objects.count() == 1


def test_an_order_since_the_entry_is_seen_before_any_signal_tells_of_it(product: Any) -> None:
    someone = about_nothing(emails=("anna@example.com",), entered_at=ago(2))
    assert not ask("ordered_since_entry", someone)[0].holds
    order = make_order("7", guest_email="ANNA@Example.com")
    add_line(order, product)
    [verdict] = ask("ordered_since_entry", someone)
    assert verdict.holds
    assert verdict.compared["order"] == "7"
    assert ask("bought", someone, product=str(product.pk), since_entry=True)[0].holds
    get_model("order", "Order").objects.update(date_placed=ago(3))
    assert not ask("ordered_since_entry", someone)[0].holds
    # An order that is dated earlier but was written later: an import, another clock.
    later = about_nothing(
        emails=("anna@example.com",), entered_at=ago(2), watermarks={"order": order.pk - 1}
    )
    assert ask("ordered_since_entry", later)[0].holds


@pytest.fixture
def shelves(db: None) -> dict[str, Any]:
    """Put a mug in Kitchen › Cups, with two variants, and a brand on it."""
    from oscar.apps.catalogue.categories import create_from_breadcrumbs

    cups = create_from_breadcrumbs("Kitchen > Cups")
    create_from_breadcrumbs("Kitchenware")
    mug = make_product("Mug", price=Decimal("9"))
    mug.structure = "parent"
    mug.save()
    mug.stockrecords.all().delete()
    blue = make_product("Blue mug", price=Decimal("10"), parent=mug)
    get_model("catalogue", "Product").objects.filter(pk=blue.pk).update(structure="child")
    mug.categories.add(cups)
    attribute = get_model("catalogue", "ProductAttribute").objects.create(
        product_class=mug.product_class, name="Brand", code="brand", type="text"
    )
    get_model("catalogue", "ProductAttributeValue").objects.create(
        product=mug, attribute=attribute, value_text="Falcon"
    )
    get_model("catalogue", "Product").objects.filter(pk=blue.pk).update(upc="4711")
    blue.refresh_from_db()
    tent = make_product("Tent", price=Decimal("100"))
    return {"mug": mug, "blue": blue, "tent": tent, "cups": cups}


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        ({"product": "4711"}, True),
        ({"product": "{mug}"}, True),
        ({"product": "{blue}"}, True),
        ({"product": "{tent}"}, False),
        ({"product": "nothing"}, False),
        ({"product": "9" * 40}, False),
        ({"category": "cups"}, True),
        ({"category": "kitchen"}, True),
        ({"category": "Kitchen"}, True),
        ({"category": "kitchenware"}, False),
        ({"category": "no-such"}, False),
        ({"brand": "falcon"}, True),
        ({"brand": "Hawk"}, False),
        ({"brand": "falcon", "attribute": "maker"}, False),
        ({"brand": "falcon", "category": "cups", "product": "4711"}, True),
        ({"brand": "falcon", "category": "kitchenware"}, False),
    ],
)
def test_goods_are_known_by_number_category_and_brand(
    member: Any, shopper: Any, shelves: dict[str, Any], options: dict[str, str], holds: bool
) -> None:
    ids = {name: getattr(one, "pk", "") for name, one in shelves.items()}
    options = {name: value.format(**ids) for name, value in options.items()}
    add_line(order_of(member, "1"), shelves["blue"])
    [verdict] = ask("bought", about_nothing(user_id=member.pk), **options)
    assert verdict.holds is holds
    assert verdict.compared["orders"] == 1
    shopper.add(shelves["blue"])
    basket = about_nothing(about=About(type="basket", id=str(shopper.basket.pk)))
    assert ask("basket_contains", basket, **options)[0].holds is holds


def test_bought_lately_is_not_bought_ever(member: Any, product: Any) -> None:
    add_line(order_of(member, "1", days=40), product)
    someone = about_nothing(user_id=member.pk)
    assert ask("bought", someone, product=str(product.pk), within="50d")[0].holds
    assert not ask("bought", someone, product=str(product.pk), within="30d")[0].holds
    assert not ask("bought", someone, product=str(product.pk), since_entry=True)[0].holds


def test_goods_in_a_basket_are_counted(shopper: Any, product: Any, other_product: Any) -> None:
    shopper.add(product, quantity=3)
    shopper.add(other_product)
    basket = about_nothing(about=About(type="basket", id=str(shopper.basket.pk)))
    nothing = about_nothing(about=About(type="basket", id="999999"))
    verdicts = ask("basket_lines", basket, nothing, count=2)
    assert [verdict.holds for verdict in verdicts] == [True, False]
    assert verdicts[0].compared["items"] == 4
    assert not ask("basket_lines", basket, count=3)[0].holds
    assert ask("basket_lines", basket, count=4, of="items", comparison="equals")[0].holds
    assert ask("basket_lines", nothing, count=1, comparison="less_than")[0].holds


def test_a_batch_costs_the_queries_of_one(db: None, product: Any, clock: Clock) -> None:
    from oscar.test.factories import UserFactory

    people = []
    for number in range(25):
        user = UserFactory(username=f"u{number}", email=f"u{number}@example.com")
        add_line(order_of(user, f"N{number}"), product)
        [pk] = contacts.resolve_many([(Person(user_id=user.pk), None)], clock.now)
        people.append(
            about_nothing(
                enrollment_id=number + 1, contact_id=pk, user_id=user.pk, emails=(user.email,),
                entered_at=ago(10), about=About(type="product", id=str(product.pk)),
                payload={"price": "20.00"},
            )
        )  # fmt: skip
    for kind, options in (
        ("has_ordered", {}),
        ("order_count", {"count": 1}),
        ("order_total", {"amount": "1"}),
        ("last_order", {"days": 1}),
        ("bought", {"product": str(product.pk)}),
        ("bought", {"product": str(product.pk), "since_entry": True}),
        ("ordered_since_entry", {}),
        ("product_in_stock", {}),
        ("product_price", {"amount": "1"}),
        ("price_dropped", {}),
    ):
        counted = []
        for some in (people[:1], people):
            with CaptureQueriesContext(connection) as captured:
                verdicts = ask(kind, *some, **options)
            counted.append(len(captured))
            if kind != "last_order":
                assert all(verdict.holds for verdict in verdicts), kind
        assert counted[0] == counted[1], kind


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "order_count", "count": -1},
        {"kind": "order_count", "count": 1, "comparison": "like"},
        {"kind": "order_total"},
        {"kind": "last_order", "comparison": "more_than"},
        {"kind": "last_order", "comparison": "sometimes"},
        {"kind": "bought"},
        {"kind": "basket_contains", "product": " "},
        {"kind": "basket_lines", "count": 1, "of": "boxes"},
        {"kind": "product_in_stock", "at_least": 0},
        {"kind": "price_dropped", "percent": "0"},
        {"kind": "price_dropped", "amount": "-1"},
    ],
)
def test_a_question_without_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        conditions.from_options(options)
