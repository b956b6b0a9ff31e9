"""What letters say about a basket is what the shop would say now."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import tags
from oscar_triggers.content.context import Provided
from oscar_triggers.content.values import Money
from oscar_triggers.shop import pictures
from oscar_triggers.shop.context import BasketContext

from .conftest import subject_of, titles

pytestmark = pytest.mark.django_db


def provide(*baskets: Any) -> list[Provided]:
    """Ask the provider about baskets."""
    return BasketContext().provide_many([subject_of(one) for one in baskets], timezone.now())


@pytest.fixture
def basket(shopper: Any, product: Any, other_product: Any) -> Any:
    """Return a basket with two mugs and a tent."""
    shopper.add(product, quantity=2)
    shopper.add(other_product)
    return shopper.basket


def test_lines_are_quoted_as_the_shop_would_now(basket: Any, product: Any) -> None:
    product.stockrecords.update(price=Decimal("13.00"))
    [provided] = provide(basket)
    said = provided.values["basket"]
    assert titles(said["lines"]) == ["Enamel mug", "Ridge tent"]
    mug = said["first"]
    assert mug["quantity"] == 2
    assert mug["unit_price"] == Money(amount=Decimal("13.00"), currency="EUR")
    assert mug["line_price"] == Money(amount=Decimal("26.00"), currency="EUR")
    assert said["total"] == Money(amount=Decimal("215.00"), currency="EUR")
    assert said["count"] == 3
    assert mug["url"].startswith("http://localhost:8000/")
    assert mug["url"].endswith(product.get_absolute_url())
    assert mug["image_url"] == "http://localhost:8000/static/oscar_triggers/no-picture.png"


def test_what_cannot_be_bought_is_not_offered(basket: Any, product: Any) -> None:
    product.stockrecords.update(num_in_stock=0)
    [provided] = provide(basket)
    assert titles(provided.values["basket"]["lines"]) == ["Ridge tent"]
    get_model("catalogue", "Product").objects.update(is_public=False)
    [provided] = provide(basket)
    assert provided.unavailable == "nothing_buyable"


def test_only_what_is_left_in_stock_is_offered(basket: Any, product: Any) -> None:
    product.stockrecords.update(num_in_stock=1)
    [provided] = provide(basket)
    assert provided.values["basket"]["first"]["quantity"] == 1


def test_an_empty_or_deleted_basket_gives_nothing_to_say(basket: Any) -> None:
    basket.flush()
    [provided] = provide(basket)
    assert provided.unavailable == "basket_empty"
    get_model("basket", "Basket").objects.all().delete()
    [provided] = provide(basket)
    assert provided.unavailable == "basket_empty"


def test_a_variant_is_told_from_its_siblings(shopper: Any, shop_site: Any) -> None:
    from tests.shopping import make_product

    parent = make_product("Wool hat", price=Decimal("20.00"))
    parent.stockrecords.all().delete()
    parent.structure = "parent"
    parent.save()
    child = make_product("", price=Decimal("20.00"), parent=parent)
    child.structure = "child"
    child.product_class = None
    child.save()
    colour = parent.product_class.attributes.create(name="Colour", code="colour", type="text")
    get_model("catalogue", "ProductAttributeValue").objects.create(
        product=child, attribute=colour, value_text="red"
    )
    shopper.add(child)
    [provided] = provide(shopper.basket)
    line = provided.values["basket"]["first"]
    assert (line["title"], line["variant"]) == ("Wool hat", "Colour: red")


def test_the_same_queries_for_one_basket_and_for_many(product: Any, other_product: Any) -> None:
    from oscar.test.factories import UserFactory

    Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")  # noqa: N806 - they are classes

    def fill() -> Any:
        basket = Basket.objects.create(owner=UserFactory())
        for one in (product, other_product):
            Line.objects.create(
                basket=basket,
                product=one,
                stockrecord=one.stockrecords.get(),
                line_reference=str(one.pk),
            )
        return basket

    baskets = [fill() for _ in range(20)]
    with CaptureQueriesContext(connection) as one:
        provide(baskets[0])
    with CaptureQueriesContext(connection) as many:
        provided = provide(*baskets)
    assert len(many) == len(one)
    assert all(len(each.values["basket"]["lines"]) == 2 for each in provided)


@pytest.mark.parametrize(
    ("url", "expires"),
    [
        ("https://s3.example/a.jpg?X-Amz-Expires=300&X-Amz-Signature=x", True),
        ("https://cdn.example/a.jpg?Expires=1&Signature=x&Key-Pair-Id=y", True),
        ("https://cdn.example/a.jpg?v=3", False),
        ("https://cdn.example/expires/a.jpg", False),
    ],
)
def test_addresses_that_stop_working_are_not_used(url: str, expires: bool) -> None:
    assert pictures.expires(url) is expires


@pytest.mark.parametrize("language", ["en", "de", "ru", "en-gb", "fr"])
def test_samples_are_shaped_like_what_letters_are_filled_with(basket: Any, language: str) -> None:
    [provided] = provide(basket)
    sample = tags.samples("basket", language)["basket"]
    said = provided.values["basket"]
    assert set(sample) == set(said)
    assert set(sample["lines"][0]) == set(sample["first"]) == set(said["first"])
    for name, value in sample["first"].items():
        assert type(value) is type(said["first"][name]), name
    assert sample["total"].amount == sum(line["line_price"].amount for line in sample["lines"])
