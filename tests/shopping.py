"""Goods, and people who walk through the shop over HTTP as a browser would."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.signing import Signer
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model


def make_product(
    title: str, *, price: Decimal, num_in_stock: int | None = 10, parent: Any = None
) -> Any:
    """Make a product (a variant when a parent is given) with one stock record in EUR."""
    from oscar.test import factories

    extra = {"parent": parent} if parent is not None else {}
    product = factories.create_product(title=title, product_class="Gear", **extra)
    factories.create_stockrecord(
        product,
        price=price,
        num_in_stock=num_in_stock,
        partner_name="Whitby warehouse",
        partner_sku=f"SKU-{product.pk}",
        currency=settings.OSCAR_DEFAULT_CURRENCY,
    )
    return product


@dataclass(kw_only=True)
class Shopper:
    """A person at the shop's pages; every step is a real request."""

    client: Client
    email: str

    @property
    def is_member(self) -> bool:
        """Tell whether the person is signed in."""
        return "_auth_user_id" in self.client.session

    def add(self, product: Any, quantity: int = 1) -> None:
        """Put a product into the basket."""
        response = self.client.post(
            reverse("basket:add", kwargs={"pk": product.pk}), {"quantity": quantity}
        )
        assert response.status_code == 302, response.status_code
        assert self.basket.lines.filter(product=product).exists(), "the shop did not take it"

    @property
    def basket(self) -> Any:
        """Return the basket row that the shop shows to this person."""
        baskets = get_model("basket", "Basket").objects
        if self.is_member:
            return baskets.get(owner_id=self.client.session["_auth_user_id"], status="Open")
        cookie = self.client.cookies[settings.OSCAR_BASKET_COOKIE_OPEN]
        return baskets.get(pk=Signer().unsign(cookie.value))

    def change_quantity(self, line: Any, quantity: int) -> None:
        """Change a line on the basket page."""
        response = self.client.post(
            reverse("basket:summary"),
            {
                "form-TOTAL_FORMS": "1",
                "form-INITIAL_FORMS": "1",
                "form-MIN_NUM_FORMS": "0",
                "form-MAX_NUM_FORMS": "1000",
                "form-0-id": line.pk,
                "form-0-quantity": quantity,
            },
        )
        assert response.status_code == 302, response.status_code

    def start_checkout(self) -> None:
        """Begin the checkout; a guest gives the e-mail address."""
        gateway = reverse("checkout:index")
        if self.is_member:
            response = self.client.get(gateway)
        else:
            response = self.client.post(gateway, {"username": self.email, "options": "anonymous"})
        assert response.status_code == 302, response.status_code

    def place_order(self) -> Any:
        """Walk through the whole checkout and return the order."""
        self.start_checkout()
        address = {
            "first_name": "Anna",
            "last_name": "Bell",
            "line1": "1 King Road",
            "line4": "London",
            "postcode": "SW1 9RE",
            "country": "GB",
        }
        response = self.client.post(reverse("checkout:shipping-address"), address)
        assert response.status_code == 302, response.content
        self.client.get(reverse("checkout:shipping-method"))
        response = self.client.get(reverse("checkout:payment-details"))
        response = self.client.post(reverse("checkout:preview"), {"action": "place_order"})
        assert response.status_code == 302, response.content
        assert "thank-you" in response.url, response.url
        return get_model("order", "Order").objects.order_by("-pk").first()
