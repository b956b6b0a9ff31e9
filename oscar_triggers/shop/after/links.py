"""Where somebody goes on: the order's own page, and the page where it is paid."""

from __future__ import annotations

import logging
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from ...conf import triggers_settings
from ...engine import faults
from .. import pictures

logger = logging.getLogger(__name__)


def order_url(order: Any, base_url: str) -> str:
    """Return an order's page: a customer's in the account, a guest's by Oscar's signed address."""
    number = str(order.number)
    try:
        if order.user_id is not None:
            path = reverse("customer:order", kwargs={"order_number": number})
        else:
            told = {"order_number": number, "hash": order.verification_hash()}
            path = reverse("customer:anon-order", kwargs=told)
    except NoReverseMatch:  # a number that Oscar's addresses cannot hold, or a shop without them
        return base_url
    return pictures.absolute(base_url, path)


def pay_url(order: Any, base_url: str) -> str:
    """Return where an order is paid, by OSCAR_TRIGGERS["PAYMENT_PAGE"]; else the order's page."""
    page = triggers_settings().payment_page
    if not page:
        return order_url(order, base_url)
    number = str(order.number)
    if "/" in page:
        return pictures.absolute(base_url, page.replace("{number}", number))
    try:
        path = str(import_string(page)(number))
    except Exception as error:  # noqa: BLE001 - the shop's function must not stop a whole batch
        logger.error("PAYMENT_PAGE gave no address: %s", faults.told(error))
        return order_url(order, base_url)
    return pictures.absolute(base_url, path) if path else order_url(order, base_url)
