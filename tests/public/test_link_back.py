"""The link back to a basket, as a browser, a scanner and a stranger follow it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import links
from oscar_triggers.engine import contacts
from oscar_triggers.models import JournalEntry, Message
from oscar_triggers.shop import restoring
from oscar_triggers.snapshots import Person
from tests.policy.rows import enroll, make_flow, plan_message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    """Forget who tried what."""
    cache.clear()


@pytest.fixture
def letter(guest: Any, product: Any) -> Message:
    """Return a letter about a basket with two mugs, that a guest received."""
    guest.add(product, quantity=2)
    contact_id = contacts.resolve(Person(email=guest.email), now=timezone.now())
    basket_id = guest.basket.pk
    enrollment = enroll(make_flow("left-basket"), contact_id, f"basket:{basket_id}:1")
    return plan_message(
        enrollment,
        guest.email,
        state="sent",
        about_type="basket",
        about_id=str(basket_id),
    )


def url(message: Message) -> str:
    return reverse("oscar_triggers:basket", args=[links.sign(message.public_id, links.BASKET)])


def lines() -> int:
    return get_model("basket", "Line").objects.count()


def test_a_browser_lands_on_its_own_basket_with_the_lines_and_a_word(letter: Message) -> None:
    elsewhere = Client()
    response = elsewhere.get(url(letter))
    assert response.status_code == 302
    assert response.url == reverse("basket:summary"), "the token is not in the address"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "private, no-store"
    [word] = get_messages(response.wsgi_request)
    assert "Your basket is back" in str(word)
    page = elsewhere.get(response.url).content.decode()
    assert "Enamel mug" in page
    assert "guest@example.com" not in page


def test_a_link_to_the_checkout_goes_on_to_the_step_that_it_needs(letter: Message) -> None:
    elsewhere = Client()
    response = elsewhere.get(f"{url(letter)}?to=checkout")
    assert response.url == reverse("checkout:index")
    assert elsewhere.get(response.url).status_code == 200
    assert lines() == 2, "the lines were brought along"
    # Nowhere else: the address is ours and no open door.
    response = Client().get(f"{url(letter)}?to=https://evil.example/")
    assert response.url == reverse("basket:summary")


def test_a_scanner_that_only_looks_changes_nothing(letter: Message) -> None:
    before = (lines(), JournalEntry.objects.count())
    response = Client().head(url(letter))
    assert response.status_code == 302
    assert (lines(), JournalEntry.objects.count()) == before
    assert not response.cookies


def test_links_that_lead_nowhere_get_one_and_the_same_page(letter: Message) -> None:
    public_id = letter.public_id
    never_made = links.sign("A" * 22, links.BASKET)
    forged = public_id + "A" * 11
    other_purpose = links.sign(public_id, links.UNSUBSCRIBE)
    pages = [Client().get(f"/t/b/{token}/") for token in (never_made, forged, other_purpose, "x")]
    Message.objects.update(planned_at=timezone.now() - timedelta(days=31))
    pages.append(Client().get(url(letter)))
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1
    assert len({tuple(sorted(page.headers.items())) for page in pages}) == 1
    assert "no longer works" in pages[0].content.decode()


def test_a_head_for_a_link_that_leads_nowhere_says_so_too(letter: Message) -> None:
    assert Client().head("/t/b/x/").status_code == 404


def test_products_that_are_gone_are_said_to_be_gone(letter: Message, product: Any) -> None:
    product.stockrecords.update(num_in_stock=0)
    response = Client().get(url(letter))
    assert response.status_code == 404
    assert "not on sale any more" in response.content.decode()


def test_a_link_that_a_machine_opens_over_and_over_has_to_rest(letter: Message) -> None:
    answers = [Client().get(url(letter)) for _ in range(restoring.MOST_TRIES + 1)]
    assert answers[0].status_code == 302
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) > 0


def test_only_looking_at_it_is_not_a_post(letter: Message) -> None:
    assert Client().post(url(letter)).status_code == 405
