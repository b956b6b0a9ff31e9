"""What tests of letters about products share."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_triggers.engine import enrollments
from oscar_triggers.snapshots import About, Subject
from tests.shop.conftest import make_order


def subject_about(about_type: str, about_id: Any, **known: Any) -> Subject:
    """Return someone on the way through a flow about a product, without a flow."""
    moment = timezone.now()
    values: dict[str, Any] = {
        "enrollment_id": 1,
        "flow_id": 1,
        "flow_key": "back-in-stock",
        "contact_id": 1,
        "user_id": None,
        "about": About(type=about_type, id=str(about_id)),
        "entered_at": moment,
        "clock_at": moment,
        "watermarks": enrollments.current_watermarks(),
    }
    return Subject(**{**values, **known})


def order_of(number: str, *products: Any, **fields: Any) -> Any:
    """Write an order of some products, as an import does."""
    order = make_order(number, **fields)
    lines = get_model("order", "Line").objects
    for product in products:
        record = product.stockrecords.first()
        lines.create(
            order=order,
            product=product,
            stockrecord=record,
            partner=record.partner if record else None,
            partner_sku=record.partner_sku if record else "",
            title=product.get_title(),
            quantity=1,
            num_allocated=0,
            line_price_incl_tax=order.total_incl_tax,
            line_price_excl_tax=order.total_excl_tax,
            line_price_before_discounts_incl_tax=order.total_incl_tax,
            line_price_before_discounts_excl_tax=order.total_excl_tax,
        )
    return order


@pytest.fixture
def category(db: None) -> Any:
    """Return a category of the shop."""
    return factories.CategoryFactory(name="Kitchen")
