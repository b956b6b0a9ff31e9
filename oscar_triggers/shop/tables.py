"""Oscar's tables as the database holds them, whichever of its apps a shop has forked."""

from __future__ import annotations

from typing import Any

from django.db import models, router
from django.db.models import Exists, QuerySet
from oscar.core.loading import get_model

#: A redirect payment leaves a basket Frozen for ever; whether it was bought, only an order tells.
ALIVE = ("Open", "Frozen")
MERGED = "Merged"


def rows(app_label: str, model_name: str) -> QuerySet[Any]:
    """Return all rows of one of Oscar's models, read from the database that is written to."""
    model: type[models.Model] = get_model(app_label, model_name)
    return model._base_manager.using(router.db_for_write(model))


def baskets() -> QuerySet[Any]:
    """Return all baskets."""
    return rows("basket", "Basket")


def basket_lines() -> QuerySet[Any]:
    """Return all basket lines, in no particular order."""
    return rows("basket", "Line").order_by()


def orders() -> QuerySet[Any]:
    """Return all orders, in no particular order."""
    return rows("order", "Order").order_by()


def stock_records() -> QuerySet[Any]:
    """Return all stock records."""
    return rows("partner", "StockRecord")


def ordered(basket: Any) -> Exists:
    """Say in the database whether an order came from a basket (an id or an OuterRef)."""
    return Exists(orders().filter(basket_id=basket))
