"""What the shop asks from a person: by its own strategy, for many at once, with its offers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from oscar.apps.partner import strategy
from oscar.core.loading import get_model

from oscar_triggers.shop.stock import quoting
from tests.shopping import make_product

from .conftest import records_of

pytestmark = pytest.mark.django_db

TEN = Decimal("10.00")


def _quote(product: Any, user: Any = None) -> quoting.Quote | None:
    pk = None if user is None else user.pk
    return quoting.quote_many([(pk, product.pk)], timezone.now()).get((pk, product.pk))


def _user(name: str) -> Any:
    return get_user_model().objects.create(username=name, email=f"{name}@example.com")


def _in_dollars(product: Any, price: Decimal) -> Any:
    from oscar.test import factories

    return factories.create_stockrecord(
        product, price=price, num_in_stock=1, partner_name="US", partner_sku=f"US-{product.pk}",
        currency="USD",
    )  # fmt: skip


def test_a_quote_says_what_the_shop_asks(product: Any) -> None:
    quote = _quote(product)
    assert quote == quoting.Quote(
        product_id=product.pk,
        price=Decimal("12.50"),
        currency="EUR",
        is_tax_known=True,
        is_available=True,
        num_available=10,
        stock_record_id=product.stockrecords.get().pk,
    )


@pytest.mark.usefixtures("personal_prices")
def test_each_person_is_asked_their_own_price(product: Any, member: Any) -> None:
    records_of(product).update(price=Decimal("9.99"))
    _in_dollars(product, Decimal("14.00"))
    prices = {
        user: (quote.price, quote.currency)
        for user in (None, member, _user("trader"), _user("american"))
        if (quote := _quote(product, user)) is not None
    }
    assert list(prices.values()) == [
        (Decimal("11.99"), "EUR"),  # 9.99 and 20 % are 11.988.
        (Decimal("11.99"), "EUR"),
        (Decimal("9.99"), "EUR"),
        (Decimal("14.00"), "USD"),
    ]


def test_where_tax_is_not_known_the_price_is_without(
    product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy.Selector, "strategy", lambda *_a, **_k: strategy.US())
    quote = _quote(product)
    assert quote is not None
    assert (quote.price, quote.is_tax_known) == (Decimal("12.50"), False)


def test_what_cannot_be_bought_says_so(product: Any, other_product: Any) -> None:
    records_of(product).update(num_in_stock=3, num_allocated=3)
    quote = _quote(product)
    assert quote is not None
    assert (quote.is_available, quote.num_available) == (False, 0)
    get_model("catalogue", "Product").objects.filter(pk=other_product.pk).update(is_public=False)
    hidden = _quote(other_product)
    assert hidden is not None
    assert not hidden.is_available
    get_model("catalogue", "ProductClass").objects.update(track_stock=False)
    counted = _quote(product)
    assert counted is not None
    assert (counted.is_available, counted.num_available) == (True, None)


def test_without_a_price_there_is_no_quote(product: Any, other_product: Any) -> None:
    records_of(product).update(price=None)
    records_of(other_product).delete()
    assert _quote(product) is None
    assert _quote(other_product) is None
    assert quoting.quote_many([(None, 10**9)], timezone.now()) == {}
    assert quoting.quote_many([(10**9, product.pk)], timezone.now()) == {}, "who is that?"


def test_a_parent_costs_what_its_cheapest_variant_costs_that_can_be_bought() -> None:
    from oscar.test import factories

    parent = factories.create_product(title="Shirt", product_class="Gear", structure="parent")
    make_product("First", price=Decimal("20.00"), parent=parent)
    cheap = make_product("Cheap", price=TEN, parent=parent)
    hidden = make_product("Hidden", price=Decimal("1.00"), parent=parent)
    type(hidden).objects.filter(pk=hidden.pk).update(is_public=False)
    sold_out = make_product("Sold out", price=Decimal("5.00"), num_in_stock=0, parent=parent)
    quote = _quote(parent)
    assert quote is not None
    assert (quote.price, quote.product_id, quote.is_available) == (TEN, cheap.pk, True)
    records_of(cheap).model.objects.update(num_in_stock=0)
    quote = _quote(parent)
    assert quote is not None
    assert (quote.product_id, quote.is_available) == (sold_out.pk, False)


def test_many_quotes_cost_as_many_queries_as_one(
    product: Any, django_assert_num_queries: Any
) -> None:
    from oscar.test import factories

    people = [_user(f"reader-{number}") for number in range(4)]
    parent = factories.create_product(title="Shirt", product_class="Gear", structure="parent")
    goods = [product, *(make_product(f"S{n}", price=TEN, parent=parent) for n in range(4)), parent]
    wanted = [(user.pk, good.pk) for user in people for good in goods] + [(None, product.pk)]
    with django_assert_num_queries(3):
        assert len(quoting.quote_many(wanted, timezone.now())) == len(wanted)
    with django_assert_num_queries(3):
        quoting.quote_many([(people[0].pk, product.pk)], timezone.now())


def test_one_product_that_the_strategy_trips_over_silences_no_other(
    product: Any, other_product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tripping(strategy.Default):
        def fetch_for_product(self, good: Any, stockrecord: Any = None) -> Any:
            if good.pk == product.pk:
                raise ZeroDivisionError
            return super().fetch_for_product(good, stockrecord)

    monkeypatch.setattr(strategy.Selector, "strategy", lambda *_a, **_k: Tripping())
    quotes = quoting.quote_many([(None, product.pk), (None, other_product.pk)], timezone.now())
    assert list(quotes) == [(None, other_product.pk)]


# ── Offers ───────────────────────────────────────────────────────────────────────────────────────


def test_a_site_offer_makes_the_price_lower(
    product: Any, other_product: Any, member: Any, make_offer: Callable[..., Any]
) -> None:
    make_offer(product, percent=20)
    baskets = get_model("basket", "Basket").objects.count()
    for user_id in (None, member.pk):
        quote = quoting.quote_with_offers(product.pk, user_id, timezone.now())
        assert quote is not None
        assert quote.price == TEN
        other = quoting.quote_with_offers(other_product.pk, user_id, timezone.now())
        assert other is not None
        assert other.price == Decimal("189.00")
    assert get_model("basket", "Basket").objects.count() == baskets, "it was thrown away"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "Suspended"},
        {"offer_type": "Voucher"},
        {"end_datetime": timezone.now() - timezone.timedelta(days=1)},
    ],
)
def test_an_offer_that_is_not_everybodys_today_changes_nothing(
    product: Any, make_offer: Callable[..., Any], fields: dict[str, Any]
) -> None:
    offer = make_offer(product, percent=20)
    type(offer).objects.filter(pk=offer.pk).update(**fields)
    quote = quoting.quote_with_offers(product.pk, None, timezone.now())
    assert quote is not None
    assert quote.price == Decimal("12.50")


@pytest.mark.usefixtures("personal_prices")
def test_offers_are_counted_with_tax_where_the_shop_counts_so(
    product: Any, make_offer: Callable[..., Any], settings: Any
) -> None:
    settings.OSCAR_OFFERS_INCL_TAX = True
    make_offer(product, percent=20)
    quote = quoting.quote_with_offers(product.pk, None, timezone.now())
    assert quote is not None
    assert quote.price == Decimal("12.00"), "12.50 and 20 % tax, less 20 %"


def test_what_no_offer_is_about_costs_no_basket(
    product: Any, make_offer: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    goods = [make_product(f"Mug {number}", price=TEN) for number in range(10)]
    make_offer(product, percent=20)
    with django_assert_max_num_queries(10):
        quoting.quote_many_with_offers([(None, good.pk) for good in goods], timezone.now())


def test_a_sold_out_product_has_its_offer_price(
    product: Any, make_offer: Callable[..., Any]
) -> None:
    make_offer(product, percent=20)
    records_of(product).update(num_in_stock=0)
    quote = quoting.quote_with_offers(product.pk, None, timezone.now())
    assert quote is not None
    assert (quote.price, quote.is_available) == (TEN, False)
