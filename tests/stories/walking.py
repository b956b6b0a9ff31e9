"""People at the shop's pages in a real browser, and the shop's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oscar_triggers.engine import clockwork
from sandbox.shop.travel import parse_duration, travel

if TYPE_CHECKING:
    from email.message import EmailMessage

    from playwright.sync_api import Browser, Page

    from tests.mail import SmtpSink

#: A tick that follows another finds at most what that one left for it.
_MOST_TICKS = 10


@dataclass(kw_only=True)
class Tide:
    """The shop's time and what it brings by SMTP."""

    sink: SmtpSink

    def tick(self) -> None:
        """Ring once: what happened until now is known afterwards."""
        report = clockwork.tick()
        for name, found in report.sweeps.items():
            assert "error" not in found, f"the sweep {name} failed: {found}"

    def later(self, duration: str) -> list[EmailMessage]:
        """Let time pass and the engine do what is due; return the letters that came meanwhile."""
        before = len(self.sink.raw)
        self.tick()
        travel(parse_duration(duration))
        for _ in range(_MOST_TICKS):
            self.tick()
            if clockwork.tick().was_idle:
                break
        return self.sink.messages[before:]


@dataclass(kw_only=True)
class Walker:
    """Somebody with a browser of their own."""

    page: Page
    email: str

    def add(self, product: Any) -> None:
        """Open a product and put it into the basket."""
        self.page.goto(product.get_absolute_url())
        self.page.locator("#add_to_basket_form button[type=submit]").click()
        self.page.locator("#messages .alert-success").first.wait_for()

    def register(self, *, agree: bool) -> None:
        """Open an account."""
        self.page.goto("/accounts/register/")
        self.page.fill("[name=email]", self.email)
        self.page.fill("[name=password1]", "tea-and-biscuits-4711")
        self.page.fill("[name=password2]", "tea-and-biscuits-4711")
        self.page.set_checked("[name=triggers_opt_in]", agree)
        self.page.locator("[name=registration_submit]").click()
        self.page.get_by_role("link", name="Logout").wait_for()

    def start_checkout(self, *, agree: bool) -> None:
        """Begin the checkout as a guest."""
        self.page.goto("/checkout/")
        self.page.fill("[name=username]", self.email)
        self.page.check("[name=options][value=anonymous]")
        self.page.set_checked("[name=triggers_opt_in]", agree)
        self.page.get_by_role("button", name="Continue").click()
        self.page.wait_for_url("**/checkout/shipping-address/")

    def order(self) -> None:
        """Click through the rest of the checkout."""
        self.page.goto("/checkout/shipping-address/")
        for name, value in {
            "first_name": "Anna",
            "last_name": "Bell",
            "line1": "1 King Road",
            "line4": "London",
            "postcode": "SW1 9RE",
        }.items():
            self.page.fill(f"#new_shipping_address [name={name}]", value)
        self.page.locator("#new_shipping_address button[type=submit]").click()
        self.page.locator("#view_preview").click()
        self.page.locator("#place-order").click()
        self.page.wait_for_url("**/checkout/thank-you/")


Leave = Callable[[Walker, Any], None]


def leave_as_guest(walker: Walker, product: Any) -> None:
    """Fill a basket, tell the address at the checkout, agree to letters, and go away."""
    walker.add(product)
    walker.start_checkout(agree=True)


def leave_as_member(walker: Walker, product: Any) -> None:
    """Open an account, agree to letters, fill a basket, and go away."""
    walker.register(agree=True)
    walker.add(product)


@contextmanager
def another_device(browser: Browser, base_url: str) -> Iterator[Page]:
    """Open a browser that the shop has never seen."""
    context = browser.new_context(base_url=base_url, locale="en-GB")
    context.set_default_timeout(15_000)
    context.route(
        "**/*",
        lambda route: (
            route.continue_() if route.request.url.startswith(base_url) else route.abort()
        ),
    )
    yield context.new_page()
    context.close()
