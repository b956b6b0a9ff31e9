"""Products are told as the shop shows them, in the reader's language, in a few queries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.shop.products.said import Telling
from tests.shopping import make_product

pytestmark = pytest.mark.django_db

SHOP = "https://shop.example"


def make_variant(parent: Any, colour: str, **fields: Any) -> Any:
    """Make a variant in a colour, which is an attribute of its class."""
    child = make_product("", parent=parent, **{"price": Decimal("12.50"), **fields})
    attribute, _ = get_model("catalogue", "ProductAttribute").objects.get_or_create(
        product_class=parent.product_class, code="colour", defaults={"name": "Colour"}
    )
    attribute.save_value(child, colour)
    return child


@pytest.fixture
def parent(db: None) -> Any:
    """Return a mug that is sold in colours."""
    return factories.create_product(title="Enamel mug", product_class="Gear", structure="parent")


def test_a_product_is_told_with_its_page_and_a_picture(product: Any) -> None:
    said = Telling([product.pk]).about(product.pk, language="en", base_url=SHOP)
    assert said.title == "Enamel mug"
    assert said.variant == ""
    assert said.url == SHOP + product.get_absolute_url()
    assert said.image_url.startswith(f"{SHOP}/")
    assert set(said.values()) == {"title", "variant", "url", "image_url"}


def test_a_variant_has_its_parents_title_and_picture_and_says_what_it_is(parent: Any) -> None:
    image = factories.ProductImageFactory(product=parent)
    cream = make_variant(parent, "cream")
    said = Telling([cream.pk]).about(cream.pk, language="", base_url=SHOP)
    assert (said.title, said.variant) == ("Enamel mug", "Colour: cream")
    assert said.image_url == SHOP + image.original.url


def test_what_is_hidden_or_gone_is_not_public(parent: Any, product: Any) -> None:
    cream = make_variant(parent, "cream")
    assert Telling([cream.pk]).is_public(cream.pk)
    type(parent).objects.filter(pk=parent.pk).update(is_public=False)
    telling = Telling([cream.pk, product.pk])
    assert not telling.is_public(cream.pk)
    assert telling.is_public(product.pk)
    assert not telling.is_public(987)
    assert 987 not in telling
    with pytest.raises(KeyError):
        telling.about(987, language="en", base_url=SHOP)


def test_addresses_are_those_of_the_readers_language(
    product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.utils import translation

    def in_language(self: Any) -> str:
        return f"/{translation.get_language()}/{self.slug}"

    monkeypatch.setattr(type(product), "get_absolute_url", in_language)
    telling = Telling([product.pk])
    russian = telling.about(product.pk, language="ru", base_url=SHOP)
    german = telling.about(product.pk, language="de", base_url="https://laden.example")
    assert russian.url == f"{SHOP}/ru/{product.slug}"
    assert german.url == f"https://laden.example/de/{product.slug}"


def test_any_number_of_products_costs_the_same_queries(parent: Any) -> None:
    def queries(ids: list[int]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            telling = Telling(ids)
            for pk in ids:
                for language in ("en", "ru"):
                    telling.about(pk, language=language, base_url=SHOP)
        return len(caught)

    cream, blue = make_variant(parent, "cream"), make_variant(parent, "blue")
    few = queries([cream.pk])
    many = [make_variant(parent, f"no. {number}").pk for number in range(6)]
    singles = [make_product(f"Pot {n}", price=Decimal(5)).pk for n in range(6)]
    assert queries([cream.pk, blue.pk, *many, *singles]) == few
    assert few <= 8
    assert queries([]) == 0
