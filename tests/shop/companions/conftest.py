"""What tests of recommendations share: goods in categories, and orders of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.content import recommendations
from tests.shopping import make_product


@pytest.fixture(autouse=True)
def nobody_rests() -> Iterator[None]:
    """Ask every recommender again, whatever failed in the test before."""
    recommendations._resting.clear()
    yield
    recommendations._resting.clear()


@pytest.fixture
def category(db: None) -> Any:
    """Return a category of the shop."""
    return factories.CategoryFactory(name="Kitchen")


def in_category(category: Any, title: str, price: str = "10.00", **attributes: str) -> Any:
    """Make a product in a category, with attributes such as its style."""
    product = make_product(title, price=Decimal(price))
    get_model("catalogue", "ProductCategory").objects.create(product=product, category=category)
    for code, text in attributes.items():
        attribute, _ = get_model("catalogue", "ProductAttribute").objects.get_or_create(
            product_class=product.product_class, code=code, defaults={"name": code}
        )
        attribute.save_value(product, text)
    return product
