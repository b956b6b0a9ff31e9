"""Recommending stays quick in a shop with thousands of products in one category."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import recommendations
from oscar_triggers.content.recommendations import Occasion
from oscar_triggers.shop.companions import likeness
from oscar_triggers.shop.companions.context import MOST
from tests.shop.products.conftest import subject_about

from .conftest import in_category

pytestmark = pytest.mark.django_db

PRODUCTS = 3_000
LETTERS = 100


def fill(category: Any, number: int) -> list[int]:
    """Make products in a category, with a stock record and two attributes each."""
    first = in_category(category, "The first", style="plain", colour="blue")
    record = first.stockrecords.get()
    product_class = get_model("catalogue", "Product")
    made = product_class.objects.bulk_create(
        product_class(
            title=f"Thing {n}",
            slug=f"thing-{n}",
            product_class_id=first.product_class_id,
            structure="standalone",
        )
        for n in range(number)
    )
    get_model("catalogue", "ProductCategory").objects.bulk_create(
        get_model("catalogue", "ProductCategory")(product=one, category=category) for one in made
    )
    get_model("partner", "StockRecord").objects.bulk_create(
        get_model("partner", "StockRecord")(
            product=one,
            partner_id=record.partner_id,
            partner_sku=f"thing-{n}",
            price_currency=record.price_currency,
            price=10 + n % 9,
            # The newest are sold out.
            num_in_stock=0 if n > number - 500 else 5,
        )
        for n, one in enumerate(made)
    )
    attributes = list(first.product_class.attributes.all())
    get_model("catalogue", "ProductAttributeValue").objects.bulk_create(
        get_model("catalogue", "ProductAttributeValue")(
            product=one, attribute=attribute, value_text=f"look {n % 7}"
        )
        for n, one in enumerate(made)
        for attribute in attributes
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return [one.pk for one in made]


def test_a_batch_of_letters_in_a_large_category_is_quick(category: Any) -> None:
    ids = fill(category, PRODUCTS)
    for fills, seeds in (("similar", 3), ("alternatives", 3), ("picked", 8)):
        occasions = [
            Occasion(
                subject=subject_about("product", ids[n]),
                products=tuple(ids[n * 8 : n * 8 + seeds]),
                bought=(),
            )
            for n in range(LETTERS)
        ]
        took = []
        while len(took) < 3 and min(took, default=1) >= 0.5:
            before = time.perf_counter()
            found = recommendations.recommend_many(fills, occasions, timezone.now(), 12)
            took.append(time.perf_counter() - before)
        # What is sold out takes nobody's place.
        assert all(len(some) >= MOST for some in found), fills
        assert min(took) < 0.5, (fills, took)


def test_the_number_of_queries_does_not_depend_on_products_or_categories(category: Any) -> None:
    ids = [in_category(category, f"Mug {n}").pk for n in range(3)]
    with CaptureQueriesContext(connection) as few:
        likeness.alike(ids[:1])
    for n in range(6):
        other = get_model("catalogue", "Category").add_root(name=f"Other {n}")
        ids += [in_category(other, f"Pot {n} {m}").pk for m in range(4)]
    with CaptureQueriesContext(connection) as many:
        found = likeness.alike(ids)
    assert len(many) == len(few)
    assert all(found[pk] for pk in ids)
