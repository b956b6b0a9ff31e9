"""The shop under the tests is a real one: people walk through it over HTTP."""

from __future__ import annotations

import smtplib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.mail import send_mail
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.apps.search.forms import SearchForm as OscarSearchForm

from tests.shopping import make_product

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Page

    from tests.mail import SmtpSink
    from tests.shopping import Shopper


@pytest.mark.django_db
def test_a_guest_buys_a_mug(guest: Shopper, product: Any) -> None:
    guest.add(product, 2)
    order = guest.place_order()

    assert order.guest_email == "guest@example.com"
    assert [(line.product, line.quantity) for line in order.lines.all()] == [(product, 2)]


@pytest.mark.django_db
def test_a_member_changes_the_quantity_and_buys(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.change_quantity(shopper.basket.lines.get(), 3)
    order = shopper.place_order()

    assert order.user.email == "anna@example.com"
    assert order.lines.get().quantity == 3


@pytest.mark.django_db
def test_a_letter_goes_over_real_smtp(smtp_sink: SmtpSink) -> None:
    send_mail("Hello", "Your kettle is on.", None, ["anna@example.com"])

    (letter,) = smtp_sink.wait_for(1)
    assert letter["Subject"] == "Hello"
    assert smtp_sink.envelopes[0].rcpt_tos == ["anna@example.com"]


@pytest.mark.django_db
def test_a_sink_can_refuse_as_a_broken_server_would(smtp_sink: SmtpSink) -> None:
    smtp_sink.refuse_with = "451 try again later"

    with pytest.raises(smtplib.SMTPDataError):
        send_mail("Hello", "Your kettle is on.", None, ["anna@example.com"])
    assert smtp_sink.messages == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/catalogue/", "/search/?q=mug", "/basket/", "/accounts/login/"])
def test_the_shops_pages_open(client: Client, shop_site: Any, product: Any, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("words", "found"), [("enamel MUG", True), ("kettle", False)])
def test_people_find_what_the_shop_has(
    client: Client, shop_site: Any, product: Any, words: str, found: bool
) -> None:
    assert ("Enamel mug" in client.get("/search/", {"q": words}).text) is found


@pytest.mark.django_db
def test_a_category_lists_its_own_products_by_price(
    client: Client, shop_site: Any, product: Any, other_product: Any
) -> None:
    cheap = make_product("Spoon", price=Decimal("2.00"))
    kitchen = create_from_breadcrumbs("Kitchen")
    for item in (product, cheap):
        item.categories.add(kitchen)

    page = client.get(kitchen.get_absolute_url(), {"sort_by": "price-asc"})

    listed = [result.object for result in page.context["page_obj"]]
    assert listed == [cheap, product]


@pytest.mark.django_db
def test_oscars_search_box_stays_out_of_wagtails_admin(admin_client: Client, site: Any) -> None:
    response = admin_client.get("/cms/")

    assert response.status_code == 200
    assert not isinstance(response.context["search_form"], OscarSearchForm)
    assert isinstance(admin_client.get("/catalogue/").context["search_form"], OscarSearchForm)


@pytest.mark.browser
def test_a_browser_sees_the_shop(page: Page, shop_site: Any, product: Any) -> None:
    page.goto("/")

    assert page.get_by_role("link", name="Enamel mug").first.is_visible()
