"""Stock, prices and orders change in Oscar's dashboard, and those whom it concerns get a letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_triggers.models import Enrollment, ProductRequest, RequestState
from sandbox.shop import mailbox, people

from .staff import Staff
from .walking import Tide, Walker, another_device

if TYPE_CHECKING:
    from email.message import EmailMessage

    from playwright.sync_api import Browser

    from tests.mail import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

_LINK = re.compile(r'<a\b(?![^>]*display:\s*none)[^>]*\bhref="([^"]+)"')
#: A browser without a window says so in its name, and what programs look at is not remembered.
_WITH_A_WINDOW = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36"}


@pytest.fixture
def live(open_shop: Any, smtp_sink: SmtpSink) -> Callable[..., Tide]:
    """Return a function that publishes flows that ship, and returns the time of their shop."""

    def publish(*presets: str) -> Tide:
        cache.clear()
        call_command("triggers_publish", *(f"preset:{name}" for name in presets), verbosity=0)
        tide = Tide(sink=smtp_sink)
        # The first look at a shop only watches.
        tide.tick()
        return tide

    return publish


@pytest.fixture
def staff(browser: Browser, open_shop: Any) -> Iterator[Staff]:
    """Return the shop's owner, signed in to the dashboard on a device of their own."""
    people.hire_and_invite()
    with another_device(browser, open_shop.url) as page:
        owner = Staff(page=page)
        owner.sign_in()
        yield owner


def link_to(letter: EmailMessage, page: Any, path: str) -> str:
    """Return the first link of a letter that leads a reader to a page, wherever it goes through."""
    for url in _LINK.findall(mailbox.part(letter, "html")):
        answer = page.request.get(url.replace("&amp;", "&"))
        if path in answer.url:
            return str(url.replace("&amp;", "&"))
    raise AssertionError(f"no link of the letter leads to {path}")


def test_a_guest_waits_for_a_product_is_told_and_buys_it(
    live: Callable[..., Tide], walker: Walker, staff: Staff, product: Any
) -> None:
    product.categories.add(create_from_breadcrumbs("Kitchen"))
    product.stockrecords.update(num_in_stock=0)
    tide = live("back-in-stock", "request-confirmation")

    page = walker.page
    page.goto(product.get_absolute_url())
    assert page.locator("#add_to_basket_form, #alert_form").count() == 0
    page.get_by_label("Your e-mail address").fill(walker.email)
    page.get_by_role("button", name="Tell me when it is back").click()
    page.get_by_text("Please look into your mailbox").wait_for()

    [question] = tide.later("1m")
    page.goto(link_to(question, page, "/w/confirm/"))
    assert ProductRequest.objects.get().state == RequestState.UNCONFIRMED
    page.locator("form button[type=submit]").click()
    page.wait_for_load_state()
    assert ProductRequest.objects.get().state == RequestState.WAITING
    assert tide.later("2d") == []

    staff.restock(product, 3)
    [letter] = tide.later("5m")
    assert letter["To"] == walker.email
    assert "Enamel mug" in mailbox.part(letter, "html")

    page.goto(link_to(letter, page, product.get_absolute_url()))
    assert page.url.partition("?")[0].endswith(product.get_absolute_url())
    page.locator("#add_to_basket_form button[type=submit]").click()
    page.locator("#messages .alert-success").first.wait_for()
    walker.start_checkout(agree=False)
    walker.order()
    confirmation = [str(one["Subject"]) for one in tide.later("2d")]

    assert get_model("order", "Order").objects.get().lines.get().product == product
    assert ProductRequest.objects.get().state == RequestState.BOUGHT
    assert [subject for subject in confirmation if "Confirmation" not in subject] == []


def test_prices_cut_all_at_once_become_one_letter_with_the_old_and_the_new(
    live: Callable[..., Tide], walker: Walker, staff: Staff, product: Any, other_product: Any
) -> None:
    tide = live("price-drop")
    walker.page.set_extra_http_headers(_WITH_A_WINDOW)
    walker.register(agree=True)
    walker.add(other_product)
    walker.page.goto(product.get_absolute_url())
    assert "price" not in " ".join(str(one["Subject"]).lower() for one in tide.later("1h"))

    staff.cut_prices([product, other_product], 20)
    [letter] = tide.later("1d")

    for part in (mailbox.part(letter, "html"), mailbox.part(letter, "plain")):
        for words in ("Enamel mug", "12.50", "10.00", "Ridge tent", "189.00", "151.20"):
            assert words in part
    walker.page.goto(link_to(letter, walker.page, other_product.get_absolute_url()))
    assert "€151.20" in walker.page.content()
    assert tide.later("5d") == []


def test_a_parcel_arrives_and_the_stars_in_a_letter_become_a_review(
    live: Callable[..., Tide], walker: Walker, staff: Staff, product: Any
) -> None:
    tide = live("review-request")
    walker.register(agree=True)
    walker.add(product)
    walker.order()
    number = get_model("order", "Order").objects.get().number
    tide.later("1h")

    staff.set_status(number, "Being processed")
    staff.set_status(number, "Shipped")
    assert tide.later("3d") == []
    staff.set_status(number, "Delivered")
    assert tide.later("7d") == []
    [letter] = tide.later("1d1h")
    assert "Enamel mug" in mailbox.part(letter, "html")

    walker.page.goto(link_to(letter, walker.page, "score=4"))
    assert walker.page.locator("select[name=score]").input_value() == "4"
    reviews = get_model("reviews", "ProductReview").objects
    assert not reviews.exists()
    walker.page.fill("#add_review_form [name=title]", "Holds tea")
    walker.page.fill("#add_review_form [name=body]", "And does not leak.")
    walker.page.get_by_role("button", name="Save review").click()
    walker.page.get_by_text("Thank you for reviewing this product").wait_for()

    review = reviews.get()
    assert (review.product, review.score, review.user.email) == (product, 4, walker.email)
    assert tide.later("30d") == []
    assert Enrollment.objects.get().state != "active"
