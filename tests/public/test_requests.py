"""Asking to be told: the form on a product's page, the letter of confirmation, and taking it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse

from oscar_triggers.models import (
    Contact,
    Flow,
    JournalEntry,
    Message,
    ProductRequest,
    RequestState,
)
from oscar_triggers.shop.requests import asking
from tests.shop.requests.conftest import (  # noqa: F401 - fixtures
    Shop,
    alert,
    mug,
    publish,
    restock,
    shop,
    wait_for,
)
from tests.shop.requests.test_waves import make_family
from tests.shopping import make_product

pytestmark = pytest.mark.django_db(transaction=True)

SENT = "Please look into your mailbox"


@pytest.fixture
def open_shop(shop: Shop, publish: Callable[..., Any]) -> Shop:  # noqa: F811 - a fixture
    """Publish the flow that tells people, and the shipped one that asks guests to confirm."""
    publish()
    call_command("triggers_publish", "preset:request-confirmation", verbosity=0)
    Flow.objects.update(active_since=shop.now - timedelta(minutes=1))
    cache.clear()
    return shop


def ask(client: Client, product: Any, **fields: Any) -> str:
    """Send the form and return what the next page says."""
    url = reverse("oscar_triggers:request_ask", args=[product.pk])
    response = client.post(url, {"kind": "back", **fields}, follow=True)
    assert response.status_code == 200
    return "\n".join(str(message) for message in response.context["messages"])


def form(product: Any, user: Any = None, strategy: Any = None) -> str:
    """Return what the tag shows on a product's page."""
    from django.contrib.auth.models import AnonymousUser

    request = RequestFactory().get("/")
    request.user = user or AnonymousUser()
    if strategy is not None:
        request.strategy = strategy  # type: ignore[attr-defined]  # Oscar's middleware puts it there
    template = Template("{% load triggers %}{% triggers_tell_me product %}")
    return template.render(Context({"product": product, "request": request}))


def link_in(letter: Any) -> str:
    found = re.search(r"https?://[^/]+(/\S*/w/confirm/[\w-]+/)", letter.body)
    assert found is not None, letter.body
    return found[1]


def test_a_guest_asks_confirms_by_a_button_and_is_told(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
    settings: Any,
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "TRACK_CLICKS": False}
    assert SENT in ask(client, mug, email="Guest@Example.com", quantity="2")
    assert open_shop.ring() == ["guest@example.com"]
    [letter] = mail.outbox
    assert "Enamel mug" in letter.subject
    assert "List-Unsubscribe" not in letter.extra_headers
    url = link_in(letter)
    request = ProductRequest.objects.get()
    restock(mug, 5)
    # Scanners open links; nothing is confirmed by that.
    for _try in range(2):
        page = client.get(url)
        assert "Enamel mug" in page.content.decode()
        assert page["Referrer-Policy"] == "no-referrer"
    assert client.head(url).status_code == 200
    assert open_shop.ring() == []
    request.refresh_from_db()
    assert request.state == RequestState.UNCONFIRMED
    assert Client(enforce_csrf_checks=True).post(url).status_code == 200
    assert open_shop.ring() == ["guest@example.com"]
    request.refresh_from_db()
    assert (request.state, request.quantity) == (RequestState.TOLD, 2)


def test_a_member_is_told_without_a_letter_of_confirmation(
    open_shop: Shop,
    member_client: Client,
    member: Any,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    assert "We will write to you" in ask(member_client, mug)
    assert "We will write to you" in ask(member_client, mug, quantity="3")
    assert ProductRequest.objects.get().quantity == 3
    restock(mug, 3)
    assert open_shop.ring() == ["anna@example.com"]


def test_the_answer_is_the_same_whether_an_address_is_known_or_not(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
    member: Any,
) -> None:
    wait_for(mug, 1)
    answers = {
        ask(client, mug, email=email)
        for email in ("guest-0@example.com", member.email, "nobody@example.com")
    }
    assert len(answers) == 1
    # Who waits already gets no second letter, and what a stranger types changes nothing.
    assert sorted(open_shop.ring()) == [member.email, "nobody@example.com"]
    waiting = ProductRequest.objects.get(state=RequestState.WAITING)
    assert waiting.quantity == 1


def test_asking_again_and_again_is_one_letter(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    for _try in range(3):
        ask(client, mug, email="victim@example.com")
    assert open_shop.ring() == ["victim@example.com"]
    assert ProductRequest.objects.count() == 1


def test_nobody_can_bomb_an_address_by_asking_for_many_products_from_many_places(
    open_shop: Shop, client: Client, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "REQUEST_LIMITS": (3, timedelta(hours=1)),
    }
    for number in range(6):
        product = make_product(f"Mug {number}", price=Decimal(9), num_in_stock=0)
        # The counters are lost; the requests themselves are counted too.
        cache.clear()
        url = reverse("oscar_triggers:request_ask", args=[product.pk])
        client.post(url, {"kind": "back", "email": "v@example.com"}, REMOTE_ADDR=f"10.0.0.{number}")
    assert len(open_shop.ring()) == 3
    assert ProductRequest.objects.count() == 3


def test_a_visitor_who_asks_for_many_addresses_is_stopped(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
    settings: Any,
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "REQUEST_LIMITS": (3, timedelta(hours=1)),
    }
    client.defaults["REMOTE_ADDR"] = "9.9.9.9"
    said = [ask(client, mug, email=f"v{number}@example.com") for number in range(5)]
    assert ["often" in text for text in said] == [False] * 3 + [True] * 2
    assert Contact.objects.count() == 3
    # The address of a proxy is everybody's: it must not shut the shop's door.
    client.defaults["REMOTE_ADDR"] = "127.0.0.1"
    said = [ask(client, mug, email=f"w{number}@example.com") for number in range(5)]
    assert not any("often" in text for text in said)


def test_what_is_no_address_or_no_product_is_refused(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    assert "e-mail address" in ask(client, mug, email="nothing")
    type(mug).objects.filter(pk=mug.pk).update(is_public=False)
    url = reverse("oscar_triggers:request_ask", args=[mug.pk])
    assert client.post(url, {"kind": "back", "email": "a@example.com"}).status_code == 404
    assert client.post(url, {"kind": "other"}).status_code == 404
    assert client.get(url).status_code == 405
    missing = reverse("oscar_triggers:request_ask", args=[10**6])
    assert client.post(missing, {"kind": "back"}).status_code == 404
    assert not ProductRequest.objects.exists()
    assert not JournalEntry.objects.filter(kind="request_made").exists()


def test_a_link_of_last_month_confirms_nothing(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    from oscar_triggers.shop.requests.context import confirm_url

    ask(client, mug, email="guest@example.com")
    request = ProductRequest.objects.get()
    ProductRequest.objects.update(expires_at=request.created_at)
    client.post(confirm_url("", request.public_id))
    assert ProductRequest.objects.get().state == RequestState.UNCONFIRMED
    open_shop.sweep()
    assert ProductRequest.objects.get().state == RequestState.EXPIRED


def test_tokens_that_name_nothing_get_the_same_pages(client: Client, db: None) -> None:
    for name, token in (("request_confirm", "x" * 33), ("request", "x" * 22)):
        url = reverse(f"oscar_triggers:{name}", args=[token])
        assert client.get(url).status_code == 200
        assert client.post(url).status_code == 200


def test_the_link_in_the_letter_takes_it_back_by_a_button(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    [request] = wait_for(mug, 1)
    url = reverse("oscar_triggers:request", args=[request.public_id])
    assert "Enamel mug" in client.get(url).content.decode()
    assert ProductRequest.objects.get().state == RequestState.WAITING
    assert Client(enforce_csrf_checks=True).post(url).status_code == 200
    assert ProductRequest.objects.get().state == RequestState.CANCELLED
    # The random id of the letter does not confirm anything.
    assert asking.confirmable(request.public_id) is None


def test_a_letters_reader_sees_all_that_they_wait_for_and_takes_one_back(
    open_shop: Shop,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    tent = make_product("Tent", price=Decimal(9), num_in_stock=0)
    wait_for(mug, 2)
    [mine] = wait_for(tent, 1)
    restock(mug, 1)
    assert open_shop.ring() == ["guest-0@example.com"]
    wait_for(mug, 1)
    [message] = Message.objects.all()
    url = reverse("oscar_triggers:preferences", args=[message.public_id])
    page = client.get(url).content.decode()
    assert [word in page for word in ("Tent", "Enamel mug", "Unsubscribe")] == [True] * 3
    somebody = ProductRequest.objects.exclude(contact=mine.contact).get()
    mailbox = Client(enforce_csrf_checks=True)
    mailbox.post(url, {"request": somebody.public_id})
    assert ProductRequest.objects.get(pk=somebody.pk).state == RequestState.WAITING
    said = mailbox.post(url, {"request": mine.public_id}).content.decode()
    assert ("We will not write to you about it" in said, "Tent" in said) == (True, False)
    assert ProductRequest.objects.get(pk=mine.pk).state == RequestState.CANCELLED


def test_an_id_that_names_no_letter_gets_the_page_of_somebody_who_waits_for_nothing(
    client: Client, db: None
) -> None:
    response = client.get(reverse("oscar_triggers:preferences", args=["x" * 22]))
    assert response.status_code == 200
    assert "You wait for no product" in response.content.decode()
    assert response["Referrer-Policy"] == "no-referrer"


def test_a_customer_sees_and_cancels_what_they_wait_for(
    open_shop: Shop,
    member_client: Client,
    client: Client,
    mug: Any,  # noqa: F811 - a fixture
    member: Any,
) -> None:
    alert(mug, user=member)
    open_shop.sweep()
    [other] = wait_for(make_product("Tent", price=Decimal(9), num_in_stock=0), 1)
    url = reverse("oscar_triggers:requests")
    page = member_client.get(url).content.decode()
    assert "Enamel mug" in page
    assert "Tent" not in page
    member_client.post(url, {"request": other.public_id})
    assert ProductRequest.objects.get(pk=other.pk).state == RequestState.WAITING
    mine = ProductRequest.objects.get(contact__user=member)
    member_client.post(url, {"request": mine.public_id})
    mine.refresh_from_db()
    assert mine.state == RequestState.CANCELLED
    assert "You wait for nothing" in member_client.get(url).content.decode()
    assert Client().get(url).status_code == 302


def test_the_form_offers_what_a_flow_would_tell(
    shop: Shop,  # noqa: F811 - a fixture
    publish: Callable[..., Any],  # noqa: F811 - a fixture
    mug: Any,  # noqa: F811 - a fixture
    member: Any,
) -> None:
    from oscar.core.loading import get_class

    strategy = get_class("partner.strategy", "Selector")().strategy()
    assert form(mug, member, strategy).strip() == ""
    publish()
    assert "Tell me when it is back" in form(mug, member, strategy)
    assert form(mug, None, strategy).strip() == "", "nobody would send a guest's confirmation"
    call_command("triggers_publish", "preset:request-confirmation", verbosity=0)
    assert 'type="email"' in form(mug, None, strategy)
    restock(mug, 5)
    fresh = type(mug).objects.get(pk=mug.pk)
    assert "back in stock" not in form(fresh, member, strategy)


def test_the_form_says_that_somebody_waits_already(
    open_shop: Shop,
    member_client: Client,
    mug: Any,  # noqa: F811 - a fixture
    member: Any,
) -> None:
    ask(member_client, mug)
    shown = form(mug, member)
    assert "We will write to you when it is back" in shown
    assert "<button" not in shown


def test_who_wants_one_variant_can_ask_for_it_while_another_is_in_stock(
    open_shop: Shop, member_client: Client, member: Any
) -> None:
    from oscar.core.loading import get_class

    strategy = get_class("partner.strategy", "Selector")().strategy()
    jacket, red, blue = make_family()
    type(red).objects.filter(pk=red.pk).update(title="Shirt, red")
    type(blue).objects.filter(pk=blue.pk).update(title="Shirt, blue")
    every = form(jacket, member, strategy)
    assert [word in every for word in ("Any of them", "Shirt, red", "Shirt, blue")] == [True] * 3
    restock(blue, 3)
    some = form(jacket, member, strategy)
    assert [word in some for word in ("Any of them", "Shirt, red", "Shirt, blue")] == [
        False,
        True,
        False,
    ]
    assert "We will write to you" in ask(member_client, jacket, variant=str(red.pk))
    assert ProductRequest.objects.get().product_id == red.pk
    assert "We will write to you when it is back" in form(jacket, member, strategy)
    restock(red, 1)
    assert open_shop.ring() == ["anna@example.com"]


def test_a_variant_of_another_product_is_not_what_the_page_is_about(
    open_shop: Shop,
    member_client: Client,
    mug: Any,  # noqa: F811 - a fixture
) -> None:
    _shirt, red, _blue = make_family()
    for nonsense in (str(red.pk), "9" * 30, "-1", "red"):
        ask(member_client, mug, variant=nonsense)
    assert ProductRequest.objects.get().product_id == mug.pk


def test_the_system_check_finds_oscars_alerts_beside_ours() -> None:
    from django.core.checks import run_checks
    from django.db.models.signals import post_save
    from oscar.apps.customer.alerts.receivers import send_product_alerts
    from oscar.core.loading import get_model

    from oscar_triggers.shop.requests import takeover

    def found() -> set[str | None]:
        return {message.id for message in run_checks(tags=["oscar_triggers"])}

    assert "oscar_triggers.W070" not in found()
    post_save.connect(send_product_alerts, sender=get_model("partner", "StockRecord"))
    try:
        assert "oscar_triggers.W070" in found()
    finally:
        takeover.connect()
