"""A basket left behind in a browser becomes letters, until its owner comes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from oscar.core.loading import get_model

from oscar_triggers.models import Enrollment, Message, VoucherGrant
from sandbox.shop import mailbox

from .walking import Leave, Tide, Walker, another_device, leave_as_guest

if TYPE_CHECKING:
    from email.message import EmailMessage

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

_LINK_BACK = re.compile(r'href="([^"]+/t/b/[^"]+)"')


def subjects(letters: list[EmailMessage]) -> list[str]:
    """Return what letters are about."""
    return [str(letter["Subject"]) for letter in letters]


def link_back(letter: EmailMessage) -> str:
    """Return the link back to the basket."""
    found = _LINK_BACK.search(mailbox.part(letter, "html"))
    assert found, "the letter has no link back"
    return found.group(1)


def test_a_left_basket_becomes_three_letters(
    tide: Tide, walker: Walker, product: Any, leave: Leave
) -> None:
    leave(walker, product)
    assert tide.later("55m") == []
    [first] = tide.later("6m")
    [second] = tide.later("23h")
    [third] = tide.later("2d1m")
    assert tide.later("5d") == []

    assert subjects([first, second, third]) == [
        "You left something in your basket",
        "Can we help with your order?",
        "10% off the basket you left",
    ]
    for letter in (first, second, third):
        assert letter["To"] == "mary@example.com"
        assert "Enamel mug" in mailbox.part(letter, "html")
        assert "Enamel mug" in mailbox.part(letter, "plain")
        assert "12.50" in mailbox.part(letter, "html")
    assert "mary@kettle-and-pine.example" in second["Reply-To"]
    assert Enrollment.objects.get().exit_reason == "completed"


def test_the_third_letters_code_comes_with_its_link_and_works_once(
    tide: Tide, walker: Walker, product: Any, browser: Browser, open_shop: Any
) -> None:
    leave_as_guest(walker, product)
    tide.later("61m")
    tide.later("23h")
    [letter] = tide.later("2d1m")
    code = VoucherGrant.objects.get().code
    assert code in mailbox.part(letter, "html")

    with another_device(browser, open_shop.url) as page:
        page.goto(link_back(letter))
        assert code in page.content()
        assert "€11.25" in page.content()
        shopper = Walker(page=page, email=walker.email)
        shopper.start_checkout(agree=False)
        shopper.order()

    order = get_model("order", "Order").objects.get()
    assert order.discounts.get().voucher_code == code
    voucher = get_model("voucher", "Voucher").objects.get(code=code)
    assert not voucher.is_available_to_user(None)[0]


def test_who_orders_between_two_letters_gets_no_other(
    tide: Tide, walker: Walker, product: Any, leave: Leave
) -> None:
    leave(walker, product)
    assert "You left something in your basket" in subjects(tide.later("61m"))

    walker.order()
    tide.tick()

    assert Enrollment.objects.get().exit_reason == "goal"
    confirmation = subjects(tide.sink.messages)[-1]
    assert confirmation.startswith("Confirmation of order")
    assert tide.later("23h") == []
    assert tide.later("2d1m") == []
    assert Message.objects.count() == 1


def test_who_orders_on_another_device_under_the_same_address_gets_no_other(
    tide: Tide, walker: Walker, product: Any, other_product: Any, browser: Browser, open_shop: Any
) -> None:
    leave_as_guest(walker, product)
    tide.later("61m")

    with another_device(browser, open_shop.url) as page:
        shopper = Walker(page=page, email="MARY@example.com")
        shopper.add(other_product)
        shopper.start_checkout(agree=False)
        shopper.order()
    tide.tick()

    assert Enrollment.objects.get().exit_reason == "goal"
    assert tide.later("23h") == []


def test_who_unsubscribes_by_one_click_gets_no_other(
    tide: Tide, walker: Walker, product: Any, leave: Leave
) -> None:
    leave(walker, product)
    letter = tide.later("61m")[-1]
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    address = str(letter["List-Unsubscribe"]).strip("<>")
    answer = requests.post(address, data={"List-Unsubscribe": "One-Click"}, timeout=10)
    assert answer.status_code == 200
    tide.tick()

    assert Enrollment.objects.get().exit_reason == "unsubscribed"
    assert tide.later("23h") == []
    walker.page.goto("/basket/")
    assert "Enamel mug" in walker.page.content()
    assert tide.later("2d1m") == []


def test_looking_at_the_unsubscribe_page_changes_nothing_and_its_button_does(
    tide: Tide, walker: Walker, product: Any
) -> None:
    leave_as_guest(walker, product)
    [letter] = tide.later("61m")

    walker.page.goto(str(letter["List-Unsubscribe"]).strip("<>"))
    tide.tick()
    assert Enrollment.objects.get().state == "active"

    walker.page.get_by_role("button", name="Unsubscribe").click()
    walker.page.get_by_role("heading", name="You are unsubscribed").wait_for()
    tide.tick()
    assert Enrollment.objects.get().exit_reason == "unsubscribed"


def test_the_link_brings_the_basket_back_on_another_device_at_todays_price(
    tide: Tide, walker: Walker, product: Any, leave: Leave, browser: Browser, open_shop: Any
) -> None:
    leave(walker, product)
    letter = tide.later("61m")[-1]
    product.stockrecords.update(price="9.75")

    with another_device(browser, open_shop.url) as page:
        page.goto(link_back(letter))
        page.wait_for_url("**/basket/")
        shown = page.content()
        assert "Enamel mug" in shown
        assert "€9.75" in shown
        assert "€12.50" not in shown
        assert page.get_by_role("link", name="Login or register").count() == 1
        assert page.get_by_role("link", name="Logout").count() == 0
        assert "mary@example.com" not in shown.lower()
        page.goto("/accounts/profile/")
        page.wait_for_url("**/accounts/login/**")


def test_a_basket_that_was_ordered_does_not_come_back(
    tide: Tide, walker: Walker, product: Any, browser: Browser, open_shop: Any
) -> None:
    leave_as_guest(walker, product)
    [letter] = tide.later("61m")
    walker.order()

    with another_device(browser, open_shop.url) as page:
        answer = page.goto(link_back(letter))
        assert answer is not None
        assert answer.status == 404
        page.goto("/basket/")
        assert "Enamel mug" not in page.content()


def test_a_basket_left_a_second_time_is_written_about_again(
    tide: Tide, walker: Walker, product: Any, other_product: Any
) -> None:
    leave_as_guest(walker, product)
    for duration in ("61m", "23h", "2d1m"):
        assert len(tide.later(duration)) == 1
    assert tide.later("5d") == []

    walker.add(other_product)
    assert tide.later("50m") == []
    [letter] = tide.later("11m")

    assert "Ridge tent" in mailbox.part(letter, "html")
    assert [one.episode_key.rpartition(":")[2] for one in Enrollment.objects.order_by("pk")] == [
        "1",
        "2",
    ]


def test_a_payment_that_never_came_back_is_a_left_basket(
    tide: Tide, walker: Walker, product: Any
) -> None:
    leave_as_guest(walker, product)
    tide.tick()
    # As Oscar does before it sends the shopper to a payment page.
    get_model("basket", "Basket").objects.get().freeze()

    [letter] = tide.later("61m")

    assert "Enamel mug" in mailbox.part(letter, "html")


def test_a_guest_who_does_not_tick_the_box_gets_nothing(
    tide: Tide, walker: Walker, product: Any
) -> None:
    walker.add(product)
    walker.start_checkout(agree=False)

    assert tide.later("61m") == []

    [message] = Message.objects.all()
    assert (message.state, message.reason) == ("skipped", "no_consent")
