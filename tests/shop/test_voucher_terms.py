"""What a voucher is good for, priced by the shop itself, and how many a month gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_class, get_model
from oscar.test import factories

from oscar_triggers.content.values import Money
from oscar_triggers.engine import incentives
from oscar_triggers.models import (
    Message,
    StockCause,
    StockChange,
    VoucherGrant,
)

from .conftest import publish_flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def goods(shopper: Any, product: Any) -> Any:
    """Return a second product at 40, in a category below "Kitchen"; the first costs 12.50."""
    category = get_model("catalogue", "Category")
    kitchen = category.add_root(name="Kitchen")
    pans = kitchen.add_child(name="Pans")
    pan = factories.create_product(title="Pan", price=Decimal("40.00"), num_in_stock=20)
    get_model("catalogue", "ProductCategory").objects.create(product=pan, category=pans)
    shopper.add(product, quantity=2)
    shopper.add(pan)
    return pan


@pytest.fixture
def promise(
    shopper: Any, make_message: Callable[..., Message]
) -> Callable[..., dict[str, Any] | incentives.Limited]:
    """Return a function that grants a voucher of some terms in a new letter."""
    made: list[Message] = []
    flow = publish_flow().flow

    def grant(now: datetime | None = None, **terms: Any) -> Any:
        made.append(
            make_message(shopper.basket, key=f"letter-{len(made)}", flow=flow, step_key="letter")
        )
        voucher = incentives.registry.get("voucher")
        assert voucher.problems(terms) == []
        return voucher.grant(made[-1].pk, None, terms, now or timezone.now())

    return grant


def total(shopper: Any, code: str) -> Decimal:
    """Return what the shop asks for the basket with a code, as its basket page would."""
    shopper.client.post(reverse("basket:vouchers-add"), {"code": code})
    basket = shopper.basket
    user = basket.owner or AnonymousUser()
    basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=user)
    get_class("offer.applicator", "Applicator")().apply(basket, user)
    return Decimal(basket.total_incl_tax)


def site_offer(product: Any, percent: int = 50) -> Any:
    """Return an offer of the shop that reduces one product for everybody."""
    offer, benefit, condition, range_ = (
        get_model("offer", name) for name in ("ConditionalOffer", "Benefit", "Condition", "Range")
    )
    one = range_.objects.create(name=f"Only {product.pk}")
    one.add_product(product)
    return offer.objects.create(
        name=f"Half price {product.pk}",
        offer_type=offer.SITE,
        condition=condition.objects.create(range=one, type=condition.COUNT, value=1),
        benefit=benefit.objects.create(range=one, type=benefit.PERCENTAGE, value=percent),
    )


def fell(product: Any, before: str, *, ago: timedelta = timedelta(days=3)) -> None:
    """Note that a product's price fell to what it is."""
    record = product.stockrecords.get()
    StockChange.objects.create(
        stock_record_id=record.pk,
        product_id=product.pk,
        noticed_at=timezone.now() - ago,
        cause=StockCause.PRICE,
        price_before=Decimal(before),
        price_after=record.price,
        currency=record.price_currency,
    )


def test_the_shop_takes_the_goods_at_their_price(shopper: Any, goods: Any) -> None:
    assert total(shopper, "NO-CODE") == Decimal("65.00")


def test_an_amount_is_off_the_whole_basket_and_told_as_money(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    values = promise(amount=10)
    assert values["amount"] == Money(amount=Decimal(10), currency=values["amount"].currency)
    assert values["percent"] == ""
    assert total(shopper, values["code"]) == Decimal("55.00")


@pytest.mark.parametrize(("minimum", "asked"), [("65", "55.00"), ("65.01", "65.00")])
def test_a_basket_must_be_worth_the_minimum(
    shopper: Any, goods: Any, promise: Callable[..., Any], minimum: str, asked: str
) -> None:
    values = promise(amount=10, minimum=minimum)
    assert total(shopper, values["code"]) == Decimal(asked)


def test_a_category_means_all_that_is_below_it_and_nothing_else(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    assert total(shopper, promise(percent=10, categories=["Kitchen"])["code"]) == Decimal("61.00")


def test_two_vouchers_of_the_same_terms_share_an_offer_and_a_range(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    for _time in range(2):
        promise(percent=10, categories=["kitchen"], exclude_reduced=True, minimum=5)
    promise(percent=10, categories=["Pans"], exclude_reduced=True, minimum=5)
    assert get_model("offer", "ConditionalOffer").objects.count() == 2
    assert get_model("offer", "Range").objects.count() == 3, "Kitchen, Pans, everything"


@pytest.mark.parametrize("is_exclusive", [True, False])
def test_goods_in_an_offer_of_the_shop_stay_as_they_are(
    shopper: Any, goods: Any, product: Any, promise: Callable[..., Any], is_exclusive: bool
) -> None:
    offer = site_offer(product)
    offer.exclusive = is_exclusive
    offer.save()
    without = promise(percent=10, exclude_reduced=True)["code"]
    # Two mugs at half price, and a tenth off the pan.
    assert total(shopper, without) == Decimal("12.50") + Decimal("36.00")


def test_a_reduced_pan_stays_as_it_is_while_mugs_become_cheaper(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    site_offer(goods)
    code = promise(amount=5, exclude_reduced=True)["code"]
    assert total(shopper, code) == Decimal("20.00") + Decimal("20.00")


def test_goods_whose_price_fell_lately_stay_as_they_are(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    fell(goods, "50.00")
    code = promise(percent=10, exclude_reduced=True)["code"]
    assert total(shopper, code) == Decimal("22.50") + Decimal("40.00")


def test_a_price_that_fell_long_ago_is_the_price(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    fell(goods, "50.00", ago=timedelta(days=31))
    code = promise(percent=10, exclude_reduced=True)["code"]
    assert total(shopper, code) == Decimal("58.50")


def test_a_code_for_which_everything_is_reduced_is_not_taken(
    shopper: Any, goods: Any, product: Any, promise: Callable[..., Any]
) -> None:
    fell(goods, "50.00")
    fell(product, "20.00")
    assert total(shopper, promise(percent=10, exclude_reduced=True)["code"]) == Decimal("65.00")
    assert shopper.basket.vouchers.count() == 0


def test_a_month_gives_so_many_vouchers_and_the_next_one_again(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    now = datetime(2026, 3, 31, 12, tzinfo=timezone.get_default_timezone())
    for _time in range(2):
        assert "code" in promise(now, percent=10, monthly_limit=2)
    refused = promise(now + timedelta(hours=1), percent=10, monthly_limit=2)
    assert isinstance(refused, incentives.Limited)
    assert refused.reason == "voucher_month_full"
    assert refused.compared == {"month": "2026-03", "given": 2, "most": 2}
    assert VoucherGrant.objects.count() == 2, "what was not granted leaves nothing behind"
    assert "code" in promise(now + timedelta(hours=13), percent=10, monthly_limit=2)


def test_a_voucher_that_was_taken_back_makes_room_for_another(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    promise(percent=10, monthly_limit=1)
    assert isinstance(promise(percent=10, monthly_limit=1), incentives.Limited)
    incentives.revoke_all(list(Message.objects.values_list("pk", flat=True)), timezone.now())
    assert "code" in promise(percent=10, monthly_limit=1)


def test_amounts_that_are_out_count_until_they_are_over(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    now = timezone.now()
    terms = {"amount": 10, "valid": "1d", "monthly_budget": 25}
    assert "code" in promise(now, **terms)
    assert "code" in promise(now, **terms)
    refused = promise(now, **terms)
    assert isinstance(refused, incentives.Limited)
    assert refused.reason == "voucher_budget_used"
    assert (refused.compared["discount"], refused.compared["budget"]) == ("20", "25")
    assert "code" in promise(now + timedelta(days=2), **terms)


def test_a_budget_is_what_orders_of_the_month_saved(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    terms = {"percent": 10, "monthly_budget": 5}
    assert total(shopper, promise(**terms)["code"]) == Decimal("58.50")
    assert "code" in promise(**terms), "nobody ordered yet"
    shopper.place_order()
    shopper.add(goods)
    refused = promise(**terms)
    assert isinstance(refused, incentives.Limited)
    assert refused.compared["discount"] == "6.5"


def test_a_cancelled_order_gives_the_budget_back(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    terms = {"percent": 10, "monthly_budget": 5}
    total(shopper, promise(**terms)["code"])
    order = shopper.place_order()
    shopper.add(goods)
    assert isinstance(promise(**terms), incentives.Limited)
    order.set_status("Cancelled")
    assert "code" in promise(**terms)


def test_a_category_that_is_gone_is_no_reason_to_reduce_everything(
    shopper: Any, goods: Any, promise: Callable[..., Any]
) -> None:
    refused = promise(percent=10, categories=["Socks"])
    assert isinstance(refused, incentives.Limited)
    assert refused.reason == "voucher_goods_gone"
    assert get_model("voucher", "Voucher").objects.count() == 0
