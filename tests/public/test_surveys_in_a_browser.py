"""Surveys and the form behind the stars, as people use them: by keyboard, narrow, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.engine import contacts
from oscar_triggers.models import SurveyAnswer
from oscar_triggers.shop.surveys import links
from oscar_triggers.shop.surveys.links import Invitation
from oscar_triggers.snapshots import About, Person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plain(browser: Any, live_server: Any) -> Iterator[Any]:
    """Open a page in a small browser that runs no scripts."""
    context = browser.new_context(
        base_url=live_server.url,
        locale="en-GB",
        java_script_enabled=False,
        viewport={"width": 320, "height": 640},
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def path() -> str:
    """Return the page of a survey that a guest is asked to answer."""
    cache.clear()
    contact_id = contacts.resolve(Person(email="guest@example.com"), now=timezone.now())
    assert contact_id is not None
    about = About(type="order", id="R-1")
    return links.path_of(Invitation(survey="delivery", contact_id=contact_id, about=about))


def test_a_reader_answers_by_keyboard_and_is_asked_one_thing_more(plain: Any, path: str) -> None:
    plain.goto(f"{path}?score=4")
    chosen = plain.get_by_role("radio", name="4 stars")
    assert chosen.is_checked()
    assert plain.get_by_role("group", name="Your rating").count() == 1
    chosen.focus()
    plain.keyboard.press("ArrowUp")
    assert plain.get_by_role("radio", name="3 stars").is_checked()
    plain.get_by_role("textbox").fill("Wet")
    plain.get_by_role("button", name="Send").focus()
    plain.keyboard.press("Enter")
    plain.get_by_role("heading", name="Thank you for your answer").wait_for()
    assert SurveyAnswer.objects.get().score == 3
    plain.get_by_role("radio", name="10", exact=True).check()
    plain.get_by_role("button", name="Send").click()
    plain.get_by_role("link", name="Go to the shop").wait_for()
    told = SurveyAnswer.objects.order_by("pk").values_list("survey", "score", "text")
    assert list(told) == [("delivery", 3, "Wet"), ("recommend", 10, "")]


@pytest.mark.parametrize("survey", ["delivery", "recommend"])
def test_the_page_fits_a_small_telephone(plain: Any, path: str, survey: str) -> None:
    invitation = links.read(path.rstrip("/").rpartition("/")[2])
    assert invitation is not None
    plain.goto(links.path_of(invitation.to(survey)))
    for answer in plain.get_by_role("radio").all():
        box = answer.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    heading = plain.locator("h1").bounding_box()
    assert heading["x"] + heading["width"] <= 320


def test_a_star_leads_to_the_shops_form_and_the_review_is_stored(page: Any, product: Any) -> None:
    page.goto(f"{reverse('oscar_triggers:review', args=[product.pk])}?score=4")
    assert page.locator("select[name=score]").input_value() == "4"
    assert not get_model("reviews", "ProductReview").objects.exists()
    page.fill("#add_review_form [name=title]", "Holds tea")
    page.fill("#add_review_form [name=body]", "And does not leak.")
    page.fill("#add_review_form [name=name]", "Guest")
    page.fill("#add_review_form [name=email]", "guest@example.com")
    page.get_by_role("button", name="Save review").click()
    page.get_by_text("Thank you for reviewing this product").wait_for()
    review = get_model("reviews", "ProductReview").objects.get()
    assert (review.product_id, review.score, review.email) == (product.pk, 4, "guest@example.com")
