"""Who may be told of which fall: the base line is what this person last saw."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from oscar.test.factories import UserFactory

from oscar_triggers.engine import contacts
from oscar_triggers.models import Contact, Enrollment, PriceSeen, ProductRequest, StockChange
from oscar_triggers.shop.prices import seen
from oscar_triggers.shop.prices.events import PriceDroppedOptions
from oscar_triggers.shop.prices.falling import PriceDropSweep
from oscar_triggers.snapshots import Person
from tests.shop.conftest import make_order
from tests.shopping import make_product

from .conftest import Shop, drops, fell, publish

pytestmark = pytest.mark.django_db


def see(
    shop: Shop,
    user: Any,
    product: Any,
    price: str,
    *,
    source: str = "view",
    currency: str = "EUR",
    ago: timedelta = timedelta(0),
) -> Contact:
    """Note that a member saw a price."""
    [contact_id] = contacts.resolve_many([(Person(user_id=user.pk), None)], shop.clock.now)
    assert contact_id is not None
    seen.note(
        [
            seen.Sight(
                contact_id=contact_id,
                product_id=product.pk,
                source=source,
                price=Decimal(price),
                currency=currency,
                seen_at=shop.clock.now - ago,
            )
        ]
    )
    return Contact.objects.get(pk=contact_id)


@pytest.fixture
def mug(shop: Shop) -> Any:
    """Return a mug for 20.00 EUR that the sweeps know."""
    product = make_product("Mug", price=Decimal("20.00"))
    shop.tick()
    return product


def test_who_saw_more_is_told_once(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    assert [fell(one) for one in drops()] == [[(mug.pk, "20.00", "15.00", "view")]]
    [event] = drops()
    assert (event["percent"], event["count"], event["currency"]) == ("25.00", 1, "EUR")
    shop.tick(timedelta(minutes=5))
    shop.tick(timedelta(hours=5))
    assert len(drops()) == 1


def test_who_saw_less_hears_nothing(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "14.00")
    shop.price(mug, "15.00")
    assert drops() == []


def test_a_price_that_rises_is_no_news(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "30.00", ago=timedelta(days=3))
    shop.price(mug, "25.00")
    assert drops() == []


def test_the_last_price_counts_whatever_was_seen_before(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "30.00", source="basket", ago=timedelta(days=2))
    see(shop, member, mug, "16.00", source="view", ago=timedelta(days=1))
    shop.price(mug, "15.00")
    # The interest is the stronger one, the price the newer one.
    assert [fell(one) for one in drops()] == [[(mug.pk, "16.00", "15.00", "basket")]]


def test_a_request_beats_a_basket_beats_a_wish_beats_a_look(
    shop: Shop, member: Any, mug: Any
) -> None:
    order = ["view", "wish", "basket", "request"]
    for number, source in enumerate(order):
        contact = see(shop, member, mug, "20.00", source=source)
        if source == "request":
            ProductRequest.objects.create(
                contact=contact,
                kind="cheaper",
                state="waiting",
                product_id=mug.pk,
                created_at=shop.clock.now,
            )
        shop.price(mug, str(15 - number))
        assert drops()[-1]["source"] == source


def test_who_was_told_what_they_asked_for_has_looked_at_it_from_then_on(
    shop: Shop, member: Any, mug: Any
) -> None:
    contact = see(shop, member, mug, "20.00", source="request")
    ProductRequest.objects.create(
        contact=contact,
        kind="cheaper",
        state="told",
        product_id=mug.pk,
        created_at=shop.clock.now,
    )
    shop.price(mug, "15.00")
    assert [one["source"] for one in drops()] == ["view"]


def test_several_falls_of_one_look_are_one_event(
    shop: Shop, member: Any, mug: Any, product: Any, other_product: Any
) -> None:
    shop.tick()
    see(shop, member, product, "12.50", source="wish")
    see(shop, member, mug, "20.00")
    see(shop, member, other_product, "189.00", source="basket")
    get_model("partner", "StockRecord").objects.update(price=Decimal("10.00"))
    shop.tick()
    [event] = drops()
    assert [(p["product_id"], p["source"]) for p in event["products"]] == [
        (other_product.pk, "basket"),
        (product.pk, "wish"),
        (mug.pk, "view"),
    ]


def test_two_currencies_are_never_compared(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "20.00", currency="USD")
    shop.price(mug, "15.00")
    assert drops() == []
    mug.stockrecords.update(price_currency="USD")
    shop.price(mug, "14.00")
    [event] = drops()
    assert fell(event) == [(mug.pk, "20.00", "14.00", "view")]
    assert event["products"][0]["currency"] == "USD"


def test_everybody_is_compared_with_what_the_shop_asks_from_them(
    shop: Shop, mug: Any, personal_prices: None
) -> None:
    from oscar.test import factories

    factories.create_stockrecord(
        mug, price=Decimal("22.00"), num_in_stock=5, partner_sku="usd", currency="USD"
    )
    shop.tick()
    anna = UserFactory(username="anna")
    trader = UserFactory(username="trader-tom")
    american = UserFactory(username="american-amy")
    see(shop, anna, mug, "24.00")
    see(shop, trader, mug, "20.00", ago=timedelta(days=1))
    see(shop, american, mug, "22.00", currency="USD")
    # 18.50 and 20 % are 22.20; the trader saw 18.00 already in a shop window.
    mug.stockrecords.filter(price_currency="EUR").update(price=Decimal("18.50"))
    see(shop, trader, mug, "18.00")
    shop.tick()
    assert [fell(one) for one in drops()] == [[(mug.pk, "24.00", "22.20", "view")]]
    mug.stockrecords.filter(price_currency="USD").update(price=Decimal("21.00"))
    shop.tick()
    assert fell(drops()[-1]) == [(mug.pk, "22.00", "21.00", "view")]
    assert len(drops()) == 2


def test_rounding_is_no_fall(shop: Shop, member: Any, mug: Any, personal_prices: None) -> None:
    # 12.49 and 20 % are 14.9880: shown and seen as 14.99.
    shop.price(mug, "12.49")
    see(shop, member, mug, "14.99")
    mug.stockrecords.update(price=Decimal("12.48"))
    shop.tick()
    # 12.48 and 20 % are 14.976, shown as 14.98: a cent.
    assert [fell(one) for one in drops()] == [[(mug.pk, "14.99", "14.98", "view")]]
    see(shop, member, mug, "14.98")
    StockChange.objects.create(
        stock_record_id=mug.stockrecords.get().pk,
        product_id=mug.pk,
        noticed_at=shop.clock.now,
        cause="price",
        is_available=True,
        was_available=True,
        price_before=Decimal("12.48"),
        price_after=Decimal("12.48"),
        currency="EUR",
    )
    shop.tick()
    assert len(drops()) == 1


def test_a_lower_tax_is_a_lower_price(
    shop: Shop, member: Any, mug: Any, personal_prices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar.apps.partner import strategy

    see(shop, member, mug, "24.00")
    monkeypatch.setattr(strategy.UK, "rate", Decimal("0.05"))
    # Nothing in the tables changed; the shop's next change of the price, by a cent, shows it.
    shop.price(mug, "19.99")
    assert [fell(one) for one in drops()] == [[(mug.pk, "24.00", "20.99", "view")]]


def test_what_cannot_be_bought_is_told_when_it_is_back(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "20.00")
    mug.stockrecords.update(num_in_stock=0)
    shop.price(mug, "15.00")
    assert drops() == []
    mug.stockrecords.update(num_in_stock=3)
    shop.tick()
    assert [fell(one) for one in drops()] == [[(mug.pk, "20.00", "15.00", "view")]]
    # Again sold out and back: nobody is told a second time.
    mug.stockrecords.update(num_in_stock=0)
    shop.tick()
    mug.stockrecords.update(num_in_stock=3)
    shop.tick(timedelta(days=2))
    assert len(drops()) == 1


def test_a_hidden_product_is_not_told(shop: Shop, member: Any, mug: Any) -> None:
    see(shop, member, mug, "20.00")
    get_model("catalogue", "Product").objects.filter(pk=mug.pk).update(is_public=False)
    shop.price(mug, "15.00")
    assert drops() == []


@pytest.mark.parametrize("by", ["account", "email"])
def test_who_bought_it_since_hears_nothing(shop: Shop, member: Any, mug: Any, by: str) -> None:
    see(shop, member, mug, "20.00", ago=timedelta(days=2))
    whose = {"user": member} if by == "account" else {"guest_email": "ANNA@Example.com"}
    order = make_order("A-1", date_placed=shop.clock.now - timedelta(days=1), **whose)
    _line(order, mug)
    shop.price(mug, "15.00")
    assert drops() == []


def test_who_bought_it_before_and_looked_again_is_told(shop: Shop, member: Any, mug: Any) -> None:
    order = make_order("A-1", user=member, date_placed=shop.clock.now - timedelta(days=9))
    _line(order, mug)
    see(shop, member, mug, "20.00", source="basket", ago=timedelta(days=10))
    see(shop, member, mug, "20.00", ago=timedelta(days=1))
    shop.price(mug, "15.00")
    # What was in the basket was bought: the look is what is left.
    assert [fell(one) for one in drops()] == [[(mug.pk, "20.00", "15.00", "view")]]


def _line(order: Any, product: Any) -> None:
    get_model("order", "Line").objects.create(
        order=order,
        product=product,
        title=product.title,
        quantity=1,
        num_allocated=0,
        partner_name="P",
        partner_sku="S",
        line_price_incl_tax=Decimal(20),
        line_price_excl_tax=Decimal(20),
        line_price_before_discounts_incl_tax=Decimal(20),
        line_price_before_discounts_excl_tax=Decimal(20),
    )


def with_variants() -> tuple[Any, Any, Any]:
    """Make a product with two variants, for 20.00 and for 24.00."""
    parent = make_product("Hat", price=Decimal("1"))
    parent.stockrecords.all().delete()
    red = make_product("Red", price=Decimal("20"), parent=parent)
    blue = make_product("Blue", price=Decimal("24"), parent=parent)
    products = get_model("catalogue", "Product").objects
    products.filter(pk=parent.pk).update(structure="parent")
    products.filter(pk__in=[red.pk, blue.pk]).update(structure="child", product_class=None)
    return parent, red, blue


def test_a_page_with_variants_costs_what_its_cheapest_one_does(shop: Shop, member: Any) -> None:
    parent, red, blue = with_variants()
    shop.tick()
    see(shop, member, parent, "20.00")
    # The dearer variant fell, and the page still begins at 20.00.
    shop.price(blue, "21.00")
    assert drops() == []
    shop.price(red, "15.00")
    assert [fell(one) for one in drops()] == [[(parent.pk, "20.00", "15.00", "view")]]


def test_who_wants_one_variant_is_told_of_that_one(shop: Shop, member: Any) -> None:
    parent, red, blue = with_variants()
    shop.tick()
    see(shop, member, blue, "24.00", source="basket")
    see(shop, member, parent, "20.00", ago=timedelta(hours=1))
    shop.price(red, "15.00")
    # The page fell through the other one; theirs costs what it did.
    assert [fell(one) for one in drops()] == [[(parent.pk, "20.00", "15.00", "view")]]
    shop.price(blue, "18.00")
    assert (blue.pk, "24.00", "18.00", "basket") in fell(drops()[-1])


def test_a_variant_and_its_page_are_one_product(shop: Shop, member: Any) -> None:
    parent, red, _blue = with_variants()
    shop.tick()
    see(shop, member, red, "20.00", source="basket")
    see(shop, member, parent, "20.00")
    shop.price(red, "15.00")
    assert [fell(one) for one in drops()] == [[(red.pk, "20.00", "15.00", "basket")]]


def test_who_asked_for_a_price_is_told_at_that_price(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "20.00", source="request")
    ProductRequest.objects.create(
        contact=contact,
        kind="cheaper",
        state="waiting",
        product_id=mug.pk,
        target_price=Decimal("12.00"),
        currency="EUR",
        created_at=shop.clock.now,
    )
    shop.price(mug, "15.00")
    assert drops() == []
    shop.price(mug, "12.00")
    [event] = drops()
    assert fell(event) == [(mug.pk, "20.00", "12.00", "request")]
    # However high the least fall of a flow is: just this was asked for.
    assert PriceDroppedOptions(least_percent=Decimal(90)).wants(event["products"][0])


def test_joined_people_are_one_person(shop: Shop, member: Any, mug: Any) -> None:
    contact = see(shop, member, mug, "14.00")
    [guest_id] = contacts.resolve_many(
        [(Person(email="someone@example.com"), None)], shop.clock.now
    )
    PriceSeen.objects.create(
        contact_id=guest_id,
        product_id=mug.pk,
        source="basket",
        price=Decimal("20.00"),
        currency="EUR",
        seen_at=shop.clock.now - timedelta(days=1),
    )
    assert contacts.join(contact.pk, guest_id, shop.clock.now)
    shop.price(mug, "15.00")
    assert drops() == []
    shop.price(mug, "13.00")
    assert [fell(one) for one in drops()] == [[(mug.pk, "14.00", "13.00", "basket")]]


def test_a_newer_fall_carries_on_what_waits(
    shop: Shop, member: Any, mug: Any, product: Any
) -> None:
    shop.tick()
    publish(shop.clock, wait="1d")
    see(shop, member, mug, "20.00")
    see(shop, member, product, "12.50")
    shop.price(mug, "15.00")
    shop.price(product, "10.00")
    first, second = drops()
    assert fell(first) == [(mug.pk, "20.00", "15.00", "view")]
    assert {one[0] for one in fell(second)} == {mug.pk, product.pk}
    states = list(Enrollment.objects.order_by("pk").values_list("state", "exit_reason"))
    assert states == [("ended", "superseded"), ("active", "")]


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        ({}, True),
        ({"least_percent": "25"}, True),
        ({"least_percent": "25.1"}, False),
        ({"least_amount": "5"}, True),
        ({"least_amount": "5.01"}, False),
        ({"least_percent": "10", "least_amount": "6"}, False),
        ({"interests": ["view"]}, True),
        ({"interests": ["basket", "wish"]}, False),
        ({"below_lowest": True}, True),
    ],
)
def test_a_flow_says_which_falls_are_worth_a_letter(
    shop: Shop, member: Any, mug: Any, options: dict[str, Any], holds: bool
) -> None:
    publish(shop.clock, wait="1d", **options)
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00")
    assert len(drops()) == 1
    assert Enrollment.objects.exists() is holds


@pytest.mark.parametrize(
    "options",
    [
        {"least_percent": Decimal(100)},
        {"least_percent": Decimal(-1)},
        {"least_amount": Decimal(-1)},
        {"interests": ("stolen",)},
        {"interests": ()},
        {"most_products": 0},
    ],
)
def test_falls_that_no_price_can_take_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|from|below zero"):
        PriceDroppedOptions(**options)


def test_the_lowest_price_of_the_30_days_before_is_told(shop: Shop, member: Any, mug: Any) -> None:
    publish(shop.clock, wait="1d", below_lowest=True)
    # On sale for 14.00 a week ago, then 20.00 again.
    shop.price(mug, "14.00")
    shop.price(mug, "20.00", later=timedelta(days=2))
    see(shop, member, mug, "20.00")
    shop.price(mug, "15.00", later=timedelta(days=5))
    [event] = drops()
    assert event["products"][0]["lowest_30d"] == "14.00"
    assert not Enrollment.objects.exists()
    shop.price(mug, "13.00")
    assert drops()[-1]["products"][0]["lowest_30d"] == "14.00"
    assert Enrollment.objects.exists()


def test_the_same_queries_for_one_person_and_for_many(shop: Shop, mug: Any) -> None:
    def count(people: int, price: str) -> int:
        for _ in range(people):
            see(shop, UserFactory(), mug, "20.00")
        mug.stockrecords.update(price=Decimal(price))
        before = len(drops())
        shop.clock.now += timedelta(minutes=1)
        from oscar_triggers.engine import sweeping
        from oscar_triggers.models import Pulse

        stock = sweeping.registry.get("stock")
        stock.run(shop.clock.now, Pulse.objects.get(name="sweep:stock"))
        pulse = Pulse.objects.get(name="sweep:price_drops")
        with CaptureQueriesContext(connection) as queries:
            PriceDropSweep().run(shop.clock.now, pulse)
        pulse.save()
        assert len(drops()) > before
        return len(queries)

    one = count(1, "19.00")
    assert count(1, "18.00") <= one + 1
    again = count(1, "17.00")
    assert count(40, "16.00") == again


@pytest.fixture
def mugs(shop: Shop, mug: Any, product: Any) -> Any:
    """Return the category of the mug and of the member's own."""
    category = get_model("catalogue", "Category").add_root(name="Mugs", slug="mugs")
    for one in (mug, product):
        get_model("catalogue", "ProductCategory").objects.create(product=one, category=category)
    shop.tick()
    return category


def test_who_bought_in_the_category_is_told_where_a_flow_wants_it(
    shop: Shop, member: Any, mug: Any, product: Any, mugs: Any
) -> None:
    publish(shop.clock, wait="1d", interests=["category"], bought_within="30d")
    see(shop, member, product, "12.50")
    stranger = UserFactory()
    contacts.resolve_many([(Person(user_id=stranger.pk), None)], shop.clock.now)
    order = make_order("A-1", user=member, date_placed=shop.clock.now - timedelta(days=9))
    _line(order, product)
    shop.price(mug, "15.00")
    assert [fell(one) for one in drops()] == [[(mug.pk, "20.00", "15.00", "category")]]
    assert Enrollment.objects.get().contact.user_id == member.pk
    # The mug itself was bought since: a lower price is no news.
    _line(make_order("A-2", user=member, date_placed=shop.clock.now), mug)
    shop.price(mug, "12.00")
    assert len(drops()) == 1


def test_who_bought_in_the_category_long_ago_is_not_told(
    shop: Shop, member: Any, mug: Any, product: Any, mugs: Any
) -> None:
    publish(shop.clock, wait="1d", interests=["category"], bought_within="30d")
    contacts.resolve_many([(Person(user_id=member.pk), None)], shop.clock.now)
    _line(make_order("A-1", user=member, date_placed=shop.clock.now - timedelta(days=31)), product)
    shop.price(mug, "15.00")
    assert drops() == []


def test_a_price_of_their_own_before_it_fell_is_known_to_nobody(
    personal_prices: None, shop: Shop, mug: Any, product: Any, mugs: Any
) -> None:
    publish(shop.clock, wait="1d", interests=["category"])
    anna, trader = UserFactory(username="anna"), UserFactory(username="trader-tom")
    for number, user in enumerate((anna, trader)):
        contacts.resolve_many([(Person(user_id=user.pk), None)], shop.clock.now)
        moment = shop.clock.now - timedelta(days=9)
        _line(make_order(f"A-{number}", user=user, date_placed=moment), product)
    shop.price(mug, "15.00")
    # Everybody's price with tax; the trader's without it is no stranger's.
    assert [fell(one) for one in drops()] == [[(mug.pk, "24.00", "18.00", "category")]]
