"""The staff's side of the shop: Oscar's own dashboard in a real browser, by clicks only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.shop.people import ADMIN

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(kw_only=True)
class Staff:
    """Somebody who works at the shop, in front of the dashboard."""

    page: Page

    def sign_in(self) -> None:
        """Sign in with the password that the sandbox prints."""
        self.page.goto("/dashboard/login/")
        self.page.fill("[name=username]", ADMIN.email)
        self.page.fill("[name=password]", ADMIN.password)
        self.page.get_by_role("button", name="Login").click()
        self.page.wait_for_url("**/dashboard/")

    def restock(self, product: Any, units: int) -> None:
        """Write on the form of a product how many units there are."""
        self.page.goto(f"/dashboard/catalogue/products/{product.pk}/")
        self.page.get_by_role("link", name="Stock and pricing").click()
        self.page.locator("[name$=-num_in_stock]").first.fill(str(units))
        self._press("Save", f"Updated product '{product.title}'")

    def cut_prices(self, products: list[Any], percent: int) -> None:
        """Choose products in the list, and lower their prices at once."""
        self.page.goto("/dashboard/catalogue/")
        for product in products:
            self.page.check(f"[name=selected_product][value='{product.pk}']")
        self.page.locator("select[name=action]").select_option(label="Update product prices")
        self.page.get_by_role("button", name="Go", exact=True).click()
        self.page.fill("[name=increase_by_percentage]", str(-percent))
        self.page.get_by_label("I understand this action cannot be undone").check()
        self._press("Apply: Update product prices", "Price updated on")

    def set_status(self, number: str, status: str) -> None:
        """Set the status of an order."""
        self.page.goto(f"/dashboard/orders/{number}/")
        self.page.locator("#order_status_form [name=new_status]").select_option(status)
        self._press("Change status", f"to '{status}'")

    def _press(self, name: str, said: str) -> None:
        """Press a button, and read that the dashboard did it."""
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.locator("#messages").get_by_text(said).first.wait_for()
