"""Offers that begin, end or are edited: no signal tells of prices that change with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from oscar_triggers.models import OfferSnapshot, StockChange
from oscar_triggers.shop.stock import offers

from .conftest import Watch

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TWELVE = Decimal("12.50")


def _about(lines: list[StockChange]) -> list[tuple[str, int]]:
    return [(line.cause, line.product_id) for line in lines]


def test_an_offer_that_was_there_before_the_first_look_tells_nothing(
    watch: Watch, product: Any, make_offer: Callable[..., Any]
) -> None:
    make_offer(product)
    assert watch.look() == []
    assert watch.look() == []


def test_an_offer_that_is_made_tells_of_its_goods(
    watch: Watch, product: Any, other_product: Any, make_offer: Callable[..., Any]
) -> None:
    watch.look()
    make_offer(product, percent=20)
    [line] = watch.look()
    assert _about([line]) == [("offer", product.pk)]
    assert (line.price_before, line.price_after) == (TWELVE, TWELVE)
    assert line.quoted_after == Decimal("10.00")
    assert (line.was_available, line.is_available) == (True, True)
    assert watch.look() == []


def test_an_offer_begins_and_ends_by_its_dates(
    watch: Watch, product: Any, make_offer: Callable[..., Any]
) -> None:
    begins = timezone.now() + DAY
    make_offer(product, start_datetime=begins, end_datetime=begins + DAY)
    watch.look()
    assert watch.look() == []
    assert _about(watch.look(DAY)) == [("offer", product.pk)]
    assert watch.look() == []
    assert _about(watch.look(DAY)) == [("offer", product.pk)]
    assert watch.look() == []


@pytest.mark.parametrize("edit", ["status", "benefit", "goods"])
def test_an_offer_that_is_edited_by_update_is_told(
    watch: Watch, product: Any, other_product: Any, make_offer: Callable[..., Any], edit: str
) -> None:
    offer = make_offer(product)
    watch.look()
    if edit == "status":
        type(offer).objects.update(status="Suspended")
    elif edit == "benefit":
        type(offer.benefit).objects.update(value=30)
    else:
        offer.condition.range.add_product(other_product)
    told = _about(watch.look())
    assert ("offer", product.pk) in told
    assert (("offer", other_product.pk) in told) == (edit == "goods")
    assert watch.look() == []


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("offer", {"offer_type": "Voucher"}),
        ("condition", {"value": 3}),
        ("benefit", {"type": "Shipping percentage"}),
    ],
)
def test_an_offer_that_leaves_the_price_of_one_unit_alone_tells_nothing(
    watch: Watch, product: Any, make_offer: Callable[..., Any], model: str, fields: dict[str, Any]
) -> None:
    watch.look()
    offer = make_offer(product)
    changed = offer if model == "offer" else getattr(offer, model)
    type(changed).objects.update(**fields)
    assert watch.look() == []


def test_an_offer_about_everything_is_capped(
    watch: Watch,
    product: Any,
    other_product: Any,
    make_offer: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(offers, "MOST", 1)
    watch.look()
    offer = make_offer()
    type(offer.condition.range).objects.update(includes_all_products=True)
    assert _about(watch.look()) == [("offer", product.pk)]
    assert "more than 1 goods" in caplog.text


def test_an_offer_that_is_deleted_is_forgotten(
    watch: Watch, product: Any, make_offer: Callable[..., Any]
) -> None:
    offer = make_offer(product)
    watch.look()
    assert OfferSnapshot.objects.count() == 1
    offer.delete()
    watch.look()
    assert OfferSnapshot.objects.count() == 0
