"""Flows about stock, prices, reviews and delivery that ship: from rows of the shop to the letter."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import presets, rendering, tags
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.files import read_letter_file
from oscar_triggers.models import Enrollment, Message, ProductRequest, SurveyAnswer
from tests.shop.after.conftest import set_silently
from tests.shop.requests.conftest import restock, sell
from tests.shop.reviews.conftest import order_of, review
from tests.shopping import make_product

from .test_orders import Story, agree, reasons

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def plain_links(settings: Any, shop_site: Any) -> None:
    """Let links lead straight to their pages, and forget who asked how often."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "TRACK_CLICKS": False}
    cache.clear()


@pytest.fixture
def mug(db: None) -> Any:
    """Return a mug that is sold out."""
    return make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=0)


def ask(client: Client, product: Any, **fields: Any) -> None:
    """Send the form on a product's page."""
    url = reverse("oscar_triggers:request_ask", args=[product.pk])
    assert client.post(url, {"kind": "back", **fields}).status_code == 302


def path_in(letter: Any, part: str) -> str:
    """Return the path of the first link with this part in it."""
    found = re.search(rf"https?://[^/\s]+(/\S*{part}[\w:-]*/)", letter.body)
    assert found is not None, letter.body
    return found[1]


def html_of(letter: Any) -> str:
    return str(letter.alternatives[0][0])


# ── Back in stock ────────────────────────────────────────────────────────────────────────────────


def ask_and_confirm(story: Story, product: Any, email: str) -> None:
    """Let a guest ask, and press the button to which the letter leads."""
    client = Client()
    ask(client, product, email=email)
    letter = story.letter()
    assert letter.to == [email]
    assert product.title in letter.subject
    assert client.post(path_in(letter, "/w/confirm/")).status_code == 200


def test_a_guest_asks_confirms_and_gets_one_letter_until_the_stock_is_gone(mug: Any) -> None:
    story = Story("request-confirmation", "back-in-stock")
    ask_and_confirm(story, mug, "first@example.com")
    ask_and_confirm(story, mug, "second@example.com")
    assert story.letters() == []
    restock(mug, 1)
    letter = story.letter()
    assert letter.to == ["first@example.com"]
    assert letter.subject == "Enamel mug is back"
    assert "€12.50" in letter.body
    assert "Only 1 left" in letter.body
    assert "More pieces are waited for than there are" in letter.body
    assert "we tell nobody else in the line" in letter.body
    assert mug.get_absolute_url() in letter.body
    assert "unsubscribe" not in letter.body.lower()
    sell(mug)
    assert story.letters(2 * DAY) == []
    waiting = ProductRequest.objects.get(state="waiting")
    assert waiting.contact.points.get().value == "second@example.com"


def test_the_letter_has_a_link_by_which_nothing_more_is_told(mug: Any) -> None:
    story = Story("request-confirmation", "back-in-stock")
    ask_and_confirm(story, mug, "first@example.com")
    restock(mug, 20)
    letter = story.letter()
    assert "More pieces are waited for" not in letter.body
    assert "left" not in letter.body
    page = Client().get(path_in(letter, "/w/"))
    assert page.status_code == 200


def test_what_was_taken_out_of_the_shop_is_told_with_what_is_like_it(
    member: Any, member_client: Client, mug: Any
) -> None:
    category = get_model("catalogue", "Category").add_root(name="Kitchen")
    cup = make_product("Steel cup", price=Decimal("11.00"))
    for one in (mug, cup):
        one.categories.add(category)
    agree(member.email)
    story = Story("back-in-stock", "discontinued")
    ask(member_client, mug)
    type(mug).objects.filter(pk=mug.pk).update(is_public=False)
    assert story.letters(6 * DAY) == []
    letter = story.letter(2 * DAY)
    assert letter.subject == "Enamel mug has left our shop"
    assert "Steel cup" in letter.body
    assert "€11.00" in letter.body
    assert story.letters(8 * DAY) == []


def test_who_agreed_to_no_adverts_is_shown_no_other_goods(
    member: Any, member_client: Client, mug: Any
) -> None:
    story = Story("back-in-stock", "discontinued")
    ask(member_client, mug)
    type(mug).objects.filter(pk=mug.pk).update(is_public=False)
    assert story.letters(8 * DAY) == []
    assert Message.objects.get().reason == "no_consent"


# ── Prices ───────────────────────────────────────────────────────────────────────────────────────


def cut(products: list[Any], price: str) -> None:
    """Cut prices as a bulk action does: no signal."""
    records = get_model("partner", "StockRecord").objects
    records.filter(product__in=products).update(price=Decimal(price))


def test_who_looked_at_goods_is_told_of_six_that_became_cheaper(
    member: Any, member_client: Client
) -> None:
    agree(member.email)
    goods = [make_product(f"Kettle {n}", price=Decimal("20.00")) for n in range(8)]
    story = Story("price-drop", "price-reached")
    for one in goods:
        assert member_client.get(one.get_absolute_url()).status_code == 200
    story.letters()
    cut(goods, "15.00")
    letter = story.letter()
    assert letter.to == [member.email]
    assert letter.subject.startswith("Now €15.00: Kettle")
    assert letter.body.count("instead of €20.00, you save €5.00 (25%)") == 6
    assert letter.body.count("Lowest price of the 30 days before: €20.00") == 6
    assert "Unsubscribe" in letter.body
    assert story.letters(DAY) == []


def test_a_price_that_goes_up_again_is_not_told(member: Any, member_client: Client) -> None:
    agree(member.email)
    kettle = make_product("Kettle", price=Decimal("20.00"))
    story = Story("price-drop")
    member_client.get(kettle.get_absolute_url())
    story.letters()
    cut([kettle], "19.50")
    assert story.letters() == [], "less than five percent"
    cut([kettle], "20.00")
    assert story.letters() == []


def test_who_named_a_price_is_told_once_at_that_price_and_needs_no_consent(
    member: Any, member_client: Client
) -> None:
    kettle = make_product("Kettle", price=Decimal("20.00"))
    story = Story("price-drop", "price-reached")
    # It is in the basket too: the answer to the question comes first.
    member_client.post(reverse("basket:add", args=[kettle.pk]), {"quantity": 1})
    ask(member_client, kettle, kind="cheaper", target_price="16.00")
    story.letters()
    cut([kettle], "17.00")
    assert story.letters() == []
    cut([kettle], "16.00")
    letter = story.letter()
    assert letter.to == [member.email]
    assert "€16.00" in letter.body
    assert "You need not cancel anything" in letter.body
    cut([kettle], "10.00")
    assert story.letters(DAY) == []
    assert ProductRequest.objects.get().state == "told"


def test_the_form_offers_to_tell_of_prices_only_where_somebody_would(
    member: Any, member_client: Client
) -> None:
    from oscar_triggers.shop.requests import terms

    Story("price-drop")
    assert not terms.offered().cheaper
    Story("price-reached")
    assert terms.offered().cheaper


# ── Reviews ──────────────────────────────────────────────────────────────────────────────────────


def received(story: Story, order: Any) -> None:
    """Let the dashboard say that an order came to its buyer."""
    story.letters()
    set_silently(order, "Delivered")
    assert story.letters() == []


def test_after_eight_days_the_buyer_is_asked_and_once_reminded(
    member: Any, product: Any, other_product: Any
) -> None:
    agree(member.email)
    story = Story("review-request")
    order = order_of(product, other_product, user=member, date_placed=story.now, status="Pending")
    received(story, order)
    assert story.letters(7 * DAY) == []
    letter = story.letter(DAY)
    assert letter.to == [member.email]
    assert "Enamel mug" in letter.body
    assert "Ridge tent" in letter.body
    form = reverse("oscar_triggers:review", args=[product.pk])
    assert form in letter.body
    for score in range(1, 6):
        assert f"{form}?score={score}" in html_of(letter)
    reminder = story.letter(5 * DAY)
    assert reminder.subject != letter.subject
    assert "Ridge tent" in reminder.body
    assert story.letters(30 * DAY) == []
    assert reasons() == ["completed"]


def test_who_wrote_a_review_is_thanked_and_not_reminded_even_when_it_is_sold_out(
    member: Any, product: Any, other_product: Any
) -> None:
    agree(member.email)
    story = Story("review-request", "review-thanks")
    order = order_of(product, other_product, user=member, date_placed=story.now, status="Pending")
    received(story, order)
    story.letter(8 * DAY)
    product.stockrecords.update(num_in_stock=0)
    review(product, user=member, date_created=timezone.now())
    thanks = story.letter(timedelta(minutes=3))
    assert thanks.subject == "Thank you for your review"
    assert "Enamel mug" in thanks.body
    assert "https://t.me/share/url?url=http" in thanks.body
    assert story.letters(6 * DAY) == []
    assert "goal" in reasons()


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("key", ["review-request", "review-reminder"])
def test_an_order_of_sixty_products_is_still_a_letter_that_is_shown_whole(
    key: str, language: str
) -> None:
    path = presets.FOLDER / "letters" / f"{key}.{language}.mjml"
    letter = compile_letter(read_letter_file(path.read_text(), language).source)
    given = tags.samples("order", language)
    long = {
        name: value * 20 if name in ("title", "variant") else value + "x" * 150
        for name, value in given["review"]["products"][1].items()
    }
    given["review"]["products"] = [long] * 60
    filled = rendering.fill(letter, given, language=language, time_zone="")
    assert len(filled.html.encode()) < 100_000
    assert filled.html.count("★") == 12 * 5


# ── Delivery ─────────────────────────────────────────────────────────────────────────────────────


def test_a_week_after_an_order_came_the_buyer_is_asked_how_it_came(
    member: Any, product: Any
) -> None:
    agree(member.email)
    story = Story("delivery-rating")
    order = order_of(product, user=member, date_placed=story.now, status="Pending")
    received(story, order)
    assert story.letters(6 * DAY) == []
    letter = story.letter(DAY)
    assert order.number in letter.subject
    page = path_in(letter, "/s/")
    assert f"{page}?score=4" in html_of(letter)
    client = Client()
    assert client.get(f"{page}?score=4").status_code == 200
    assert not SurveyAnswer.objects.exists()
    assert client.post(page, {"score": "4"}).status_code == 200
    assert SurveyAnswer.objects.get().score == 4


def test_who_sent_everything_back_is_not_asked(member: Any, product: Any) -> None:
    agree(member.email)
    story = Story("delivery-rating")
    order = order_of(product, user=member, date_placed=story.now, status="Pending")
    received(story, order)
    set_silently(order, "Refunded")
    assert story.letters(8 * DAY) == []
    assert Enrollment.objects.get().exit_reason == "condition"
