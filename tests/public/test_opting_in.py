"""The box on registration and checkout pages, from what is shown to what the ledger keeps."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.http import HttpRequest
from django.template import RequestContext, Template
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone, translation

from oscar_triggers.engine import clockwork, consents, contacts, intake, routing
from oscar_triggers.models import ConsentEvent, JournalEntry, point_hash
from oscar_triggers.policy import consent
from oscar_triggers.shop.events import OrderPlaced
from oscar_triggers.snapshots import About, Person

GUEST = Person(email="Guest@Example.com", language="en-gb")
HASH = point_hash("email", "guest@example.com")

pytestmark = pytest.mark.django_db


def shown(tag: str, request: HttpRequest | None = None) -> str:
    """Return what a shop's page shows for a tag."""
    request = request or RequestFactory().get("/")
    return Template("{% load triggers %}" + tag).render(RequestContext(request))


def fields(html: str) -> dict[str, str]:
    """Return what a browser posts of the shown form when its boxes are ticked."""
    found = {}
    for element in re.findall(r"<input[^>]+>", html):
        name, value = (re.search(rf'{key}="([^"]*)"', element) for key in ("name", "value"))
        assert name
        assert value
        found[name[1]] = unescape(value[1])
    return found


def label(html: str) -> str:
    words = re.search(r"<label[^>]*>([^<]+)</label>", html)
    assert words
    return unescape(words[1])


def post(data: dict[str, Any], person: Person = GUEST, *, source: str = "checkout") -> int:
    """Post a form as the shop's receivers see it, let the clockwork tick, and count lines."""
    request = RequestFactory().post("/", data)
    intake.record_many(consents.from_request(request, person, source=source, site_id=1))
    routing.route(timezone.now())
    assert not JournalEntry.objects.exclude(error="").exists()
    return ConsentEvent.objects.count()


def allowed() -> bool:
    state = consent.state("email", HASH, "offers")
    return state is not None and state.allowed


def test_the_box_is_not_ticked_before_the_visitor_ticks_it() -> None:
    html = shown("{% triggers_opt_in %}")
    assert "checked" not in html
    assert 'type="checkbox"' in html


def test_a_form_that_is_shown_again_keeps_the_visitors_tick() -> None:
    request = RequestFactory().post("/", {"triggers_opt_in": "email:offers"})
    assert "checked" in shown("{% triggers_opt_in %}", request)


def test_a_ticked_box_is_kept_with_the_exact_words_that_were_shown() -> None:
    html = shown("{% triggers_opt_in %}")
    assert post(fields(html)) == 1
    line = ConsentEvent.objects.get()
    assert line.text == label(html)
    assert (line.action, line.basis, line.source) == ("grant", "consent", "checkout")
    assert (line.channel, line.point_hash, line.topic) == ("email", HASH, "offers")
    assert (line.text_version != "", line.language) == (True, translation.get_language())
    assert line.contact_id == contacts.resolve(GUEST, now=timezone.now())
    assert allowed()


def test_a_box_shown_in_german_is_kept_in_german_whatever_the_post_speaks() -> None:
    with translation.override("de"):
        html = shown("{% triggers_opt_in %}")
    with translation.override("ru"):
        post(fields(html))
    line = ConsentEvent.objects.get()
    assert (line.language, line.text) == ("de", label(html))


def test_a_form_without_a_ticked_box_says_nothing() -> None:
    posted = fields(shown("{% triggers_opt_in %}"))
    del posted["triggers_opt_in"]
    assert post(posted) == 0
    assert post({}) == 0


@pytest.mark.parametrize(
    "value", ["fax:offers", "email:gossip", "email", "", "email:offers:x", "%", "x" * 9999]
)
def test_boxes_that_are_not_ours_say_nothing(value: str) -> None:
    assert post({"triggers_opt_in": value}) == 0


def test_a_shops_own_box_without_hidden_field_counts_in_the_words_of_the_page() -> None:
    with translation.override("en-gb"):
        assert post({"triggers_opt_in": "on"}) == 1
    assert "Offers" in ConsentEvent.objects.get().text


def test_words_that_changed_since_the_page_was_shown_are_no_proof(settings: Any) -> None:
    posted = fields(shown("{% triggers_opt_in %}"))
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "TOPICS": {"offers": "Something else"}}
    assert post(posted) == 0


def test_a_request_that_is_no_post_says_nothing() -> None:
    request = RequestFactory().get("/", {"triggers_opt_in": "on"})
    assert consents.from_request(request, GUEST, source="checkout") == []
    assert consents.from_request(None, GUEST, source="checkout") == []


def test_reading_the_box_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    request = RequestFactory().post("/", fields(shown("{% triggers_opt_in %}")))
    with django_assert_num_queries(0):
        records = consents.from_request(request, GUEST, source="registration", site_id=1)
    assert len(records) == 1


def test_a_form_sent_twice_at_once_is_one_line() -> None:
    posted = fields(shown("{% triggers_opt_in %}"))
    request = RequestFactory().post("/", posted)
    moment = timezone.now().replace(second=10)
    for _twice in range(2):
        moment += timedelta(seconds=1)
        intake.record_many(
            consents.from_request(request, GUEST, source="checkout", occurred_at=moment)
        )
    routing.route(timezone.now() + timedelta(minutes=2))
    assert ConsentEvent.objects.count() == 1


def test_boxes_for_two_channels_and_topics_are_kept_apart(settings: Any) -> None:
    topics = {"offers": "Offers", "news": "News"}
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "TOPICS": topics, "PHONE_REGION": "GB"}
    html = shown("{% triggers_opt_in topic='news' %}{% triggers_opt_in channel='sms' %}")
    posted: dict[str, Any] = fields(html)
    posted["triggers_opt_in"] = ["email:news", "sms:offers"]
    person = Person(email="guest@example.com", phone="020 7946 0018")
    assert post(posted, person) == 2
    assert set(ConsentEvent.objects.values_list("channel", "topic")) == {
        ("email", "news"),
        ("sms", "offers"),
    }


def test_a_person_without_a_usable_address_gives_no_consent() -> None:
    posted = fields(shown("{% triggers_opt_in %}"))
    assert post(posted, Person(email="nonsense")) == 0
    assert post(posted, Person(phone="+442079460018")) == 0


# ── In the real shop ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_who_registers_with_the_box_ticked_may_be_written_to(shop_site: Any) -> None:
    posted = fields(shown("{% triggers_opt_in %}"))
    response = Client().post(
        reverse("customer:register"),
        {
            "email": "Guest@example.com",
            "password1": "tea-and-biscuits-42",
            "password2": "tea-and-biscuits-42",
            **posted,
        },
    )
    assert response.status_code == 302, response.content
    clockwork.tick()
    line = ConsentEvent.objects.get()
    assert (line.source, line.action) == ("registration", "grant")
    assert line.contact is not None
    assert line.contact.user is not None
    assert allowed()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ticked", [True, False])
def test_a_guest_decides_at_the_beginning_of_the_checkout(
    guest: Any, product: Any, ticked: bool
) -> None:
    posted = fields(shown("{% triggers_opt_in %}")) if ticked else {}
    guest.add(product)
    response = guest.client.post(
        reverse("checkout:index"), {"username": guest.email, "options": "anonymous", **posted}
    )
    assert response.status_code == 302
    clockwork.tick()
    assert allowed() is ticked
    assert ConsentEvent.objects.filter(source="checkout").count() == int(ticked)


# ── After a sale ─────────────────────────────────────────────────────────────────────────────────


def buy(number: str = "100001") -> None:
    intake.record(
        OrderPlaced(number=number, basket_id=1),
        about=About(type="order", id=number),
        person=GUEST,
    )
    routing.route(timezone.now())


@pytest.fixture
def soft(settings: Any) -> None:
    """Let a sale allow letters."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_OPT_IN": True}


def test_a_sale_allows_nothing_unless_the_shop_says_so() -> None:
    buy()
    assert ConsentEvent.objects.count() == 0
    assert shown("{% triggers_sale_notice %}") == ""


def test_a_sale_allows_letters_where_the_shop_says_so_with_the_notice_as_proof(soft: None) -> None:
    notice = shown("{% triggers_sale_notice %}")
    buy()
    buy()
    line = ConsentEvent.objects.get()
    assert (line.basis, line.source, line.source_detail) == ("soft_opt_in", "sale", "order 100001")
    assert line.text
    assert line.text in unescape(notice)
    assert allowed()


def test_a_buyer_who_refused_before_is_not_written_to_after_the_sale(soft: None) -> None:
    posted = fields(shown("{% triggers_sale_notice %}"))
    assert post(posted) == 1
    line = ConsentEvent.objects.get()
    assert (line.action, line.topic) == ("withdraw", "*")
    assert line.text
    buy()
    assert ConsentEvent.objects.count() == 2
    assert not allowed()


def test_a_refusal_counts_even_when_its_words_are_unknown(soft: None) -> None:
    assert post({"triggers_opt_out": "1", "triggers_opt_shown:triggers_opt_out": "x"}) == 1
    buy()
    assert not allowed()


def test_switching_soft_opt_in_off_stops_letters_that_only_a_sale_allowed(
    soft: None, settings: Any
) -> None:
    buy()
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_OPT_IN": False}
    assert not allowed()


def test_the_time_zone_script_is_loaded_from_the_shop_itself() -> None:
    html = shown("{% triggers_time_zone %}")
    assert re.fullmatch(r'<script src="[^"]*/time_zone(\.\w+)?\.js" defer></script>', html)
