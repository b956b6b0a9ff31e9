"""Links of letters, as people, scanners, strangers and machines follow them."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_triggers import signals
from oscar_triggers.content import links
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.engine import clicks, clockwork
from oscar_triggers.models import (
    Contact,
    Dispatch,
    DispatchState,
    Enrollment,
    Hit,
    HitClass,
    JournalEntry,
    Message,
    MessageState,
)

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-button href="http://localhost:8000/en-gb/catalogue/?a=1&amp;utm_source=mine#top">Shop</mj-button>
<mj-text><a href="https://partner.example/{{ gift_card.code }}">Partner</a>
<a href="{{ shop.url }}/three/">Three</a> <a href="mailto:help@shop.example">Ask</a>
<a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""
SEND = {"key": "letter", "kind": "send", "options": {"template": "card"}}


@pytest.fixture
def sent(
    publish_letter: Callable[..., Any],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
) -> Message:
    """Return a letter with three links that left an hour ago."""
    publish_letter(body=BODY)
    publish_flow(SEND)
    # The fixture of flows publishes its own letter: put ours back.
    publish_letter(body=BODY)
    expire()
    clockwork.tick(now)
    return an_hour_ago(Message.objects.get())


def an_hour_ago(message: Message) -> Message:
    """Move a message's hand-over an hour back."""
    assert message.state == MessageState.SENT
    moment = timezone.now() - timedelta(hours=1)
    Dispatch.objects.filter(message=message).update(sending_at=moment, settled_at=moment)
    Message.objects.filter(pk=message.pk).update(settled_at=moment)
    message.refresh_from_db()
    return message


def get(message: Message, number: int = 1, client: Client | None = None, **headers: str) -> Any:
    """Follow a link as a person's browser does."""
    headers = {"User-Agent": BROWSER, **headers}
    return (client or Client()).get(f"/t/c/{message.public_id}{number}/", headers=headers)


def classes(message: Message) -> list[tuple[int, str]]:
    return list(message.hits.order_by("pk").values_list("link_no", "hit_class"))


# ── Where they lead ──────────────────────────────────────────────────────────────────────────────


def test_every_link_of_the_letter_that_left_leads_where_its_author_said(sent: Message) -> None:
    [letter] = mail.outbox
    html = str(letter.alternatives[0][0])  # type: ignore[attr-defined]  # a LetterMessage
    hrefs = re.findall(r'href="([^"]*)"', html)
    assert any(href.endswith(f"/t/u/{sent.public_id}/") for href in hrefs)
    assert "mailto:help@shop.example" in hrefs
    shown = [href for href in hrefs if "/t/c/" in href]
    assert sorted(shown) == sorted(
        f"http://localhost:8000/t/c/{sent.public_id}{number}/" for number in range(4)
    )
    assert {href for href in shown if not href.endswith("0/")} <= set(
        re.findall(r"http\S+/t/c/\S+/", str(letter.body))
    )
    assert "partner.example" not in html.replace(letter.body, "")
    assert get(sent, 2).headers["Location"] == "https://partner.example/A1"
    Hit.objects.all().delete()
    assert get(sent, 3).headers["Location"].startswith("http://localhost:8000/three/?")


def test_the_shops_own_addresses_say_which_flow_and_step_brought_the_visit(sent: Message) -> None:
    Message.objects.update(variants={"split-2": "b", "split-1": "a"})
    assert get(sent).headers["Location"] == (
        "http://localhost:8000/en-gb/catalogue/?a=1&utm_source=mine&utm_medium=email"
        "&utm_campaign=gift-cards&utm_content=letter-a-b#top"
    )


def test_without_tracking_links_are_plain_and_old_ones_go_on_working(
    sent: Message,
    settings: Any,
    expire: Callable[..., None],
    now: datetime,
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "TRACK_CLICKS": False}
    expire(code="B2", card="8")
    clockwork.tick(now + timedelta(minutes=1))
    letter = mail.outbox[-1]
    html = str(letter.alternatives[0][0])  # type: ignore[attr-defined]  # a LetterMessage
    assert "/t/c/" not in html + str(letter.body)
    assert "https://partner.example/B2" in html
    assert 'display:none" aria-hidden' not in html
    assert "/three/?utm_source=triggers&amp;utm_medium=email&amp;utm_campaign=gift-cards" in html
    assert get(sent, 2).headers["Location"] == "https://partner.example/A1"


def test_a_letter_that_is_published_anew_leaves_the_links_of_sent_ones_alone(
    sent: Message,
    publish_letter: Callable[..., Any],
) -> None:
    publish_letter(body=BODY.replace("https://partner.example/", "https://other.example/"))
    assert get(sent, 2).headers["Location"] == "https://partner.example/A1"


# ── Strangers ────────────────────────────────────────────────────────────────────────────────────


def told(response: Any) -> tuple[Any, ...]:
    headers = tuple(sorted((k, v) for k, v in response.headers.items()))
    return response.status_code, headers, response.content, dict(response.cookies)


def test_what_is_no_link_of_ours_gets_one_and_the_same_answer(sent: Message) -> None:
    unknown = Client().get(f"/t/c/{'A' * 22}1/", headers={"User-Agent": BROWSER})
    assert unknown.status_code == 302
    assert unknown.headers["Location"] == "/"
    tokens = ["x", "A" * 22, f"{sent.public_id}99", f"{sent.public_id}0", sent.public_id]
    tokens += [f"{sent.public_id}{end}" for end in ("1x", "-1", "١", "99999999999")]
    tokens += ["%0d%0aX:1", "https:evil.example"]
    answers = [told(unknown)]
    answers += [
        told(Client().get(f"/t/c/{token}/", headers={"User-Agent": BROWSER})) for token in tokens
    ]
    Message.objects.update(payload=None)
    answers.append(told(get(sent)))
    assert len(set(map(str, answers))) == 1
    assert Hit.objects.exclude(link_no=clicks.TRAP_LINK).count() == 0


def test_two_thousand_guesses_find_nothing(sent: Message) -> None:
    tokens = [secrets.token_urlsafe(16) + str(number % 5) for number in range(2_000)]
    found = [
        clicks.follow(token, clicks.Request(at=timezone.now(), user_agent=BROWSER))
        for token in tokens
    ]
    assert set(found) == {""}
    assert not Hit.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a.example/\r\nX: 1",
     "https://a.example/\nSet-Cookie: a=b", "ftp://a.example/", "\x01javascript:x", ""],
)  # fmt: skip
def test_a_value_that_is_no_web_address_leads_nowhere(sent: Message, address: str) -> None:
    stored = dict(sent.payload or {})
    stored["values"] = {**stored["values"], "shop": {**stored["values"]["shop"], "url": address}}
    Message.objects.update(payload=stored)
    for number in (1, 2, 3, 4):
        response = get(sent, number)
        location = response.headers["Location"]
        assert location == "/" or location.startswith(("https://partner.", "http://localhost:8000/",
                                                       "https://a.example/%"))  # fmt: skip
        assert "\n" not in location
        assert "Set-Cookie" not in response.headers
        assert not response.headers.get("X")


def test_only_following_is_possible(sent: Message) -> None:
    assert Client().post(f"/t/c/{sent.public_id}1/").status_code == 405
    assert Client().put(f"/t/c/{sent.public_id}1/").status_code == 405
    assert not Hit.objects.exists()


def test_no_address_tells_who_reads(sent: Message) -> None:
    text = str(mail.outbox[0].alternatives[0][0])  # type: ignore[attr-defined]  # a LetterMessage
    for href in re.findall(r'href="(http[^"]*)"', text):
        assert "anna" not in href.lower()
        assert "example.com" not in href


# ── People ───────────────────────────────────────────────────────────────────────────────────────


def test_a_person_who_clicks_is_known_to_have_been_there(
    sent: Message, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[dict[str, Any]] = []

    def listen(**arguments: Any) -> None:
        heard.append(arguments)

    signals.message_clicked.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            get(sent)
            get(sent, 1)
    finally:
        signals.message_clicked.disconnect(listen)
    sent.refresh_from_db()
    assert classes(sent) == [(0, "human"), (0, "human")]
    assert sent.clicked_at is not None
    assert abs(timezone.now() - sent.clicked_at) < timedelta(minutes=1)
    contact = Contact.objects.get(pk=sent.contact_id)
    assert contact.seen_at is not None
    assert contact.seen_at >= sent.clicked_at
    entry = JournalEntry.objects.get(kind="message_clicked")
    assert (entry.about_type, entry.about_id) == (sent.about_type, sent.about_id)
    assert entry.payload["flow"] == "gift-cards"
    assert [(one["message_id"], one["link_no"]) for one in heard] == [(sent.pk, 0)]
    assert not any("Firefox" in str(value) for value in entry.payload.values())


def test_a_click_is_an_event_that_ends_a_way_once_it_is_certain(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
) -> None:
    wait = {"key": "wait", "kind": "wait", "options": {"duration": "30d"}}
    publish_flow(SEND, wait, goals=["message_clicked"])
    expire()
    clockwork.tick(now)
    message = an_hour_ago(Message.objects.get())
    get(message)
    clockwork.tick(timezone.now() + timedelta(seconds=1))
    assert Enrollment.objects.get().state == "active", "the hidden link may still speak"
    clockwork.tick(timezone.now() + timedelta(seconds=15))
    assert Enrollment.objects.get().exit_reason == "goal"


def test_a_message_that_nobody_could_tell_about_has_arrived_when_its_link_is_followed(
    sent: Message,
) -> None:
    Dispatch.objects.update(state=DispatchState.UNKNOWN)
    Message.objects.update(state=MessageState.UNKNOWN)
    get(sent)
    sent.refresh_from_db()
    assert sent.state == MessageState.SENT
    assert Dispatch.objects.get().state == DispatchState.SENT


def test_who_clicks_is_not_kept_waiting_by_what_we_cannot_write(
    sent: Message, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(clicks, "_write_down", fail)
    with caplog.at_level(logging.ERROR):
        assert get(sent, 2).headers["Location"] == "https://partner.example/A1"
    assert "not written down" in caplog.text


def test_a_page_in_a_transaction_survives_a_click_that_cannot_be_written(
    sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ATOMIC_REQUESTS is on: on PostgreSQL a failed statement ends the transaction around it."""

    def fail(*args: Any, **kwargs: Any) -> None:
        Hit.objects.create(message_id=sent.pk, link_no=10**9, occurred_at=None)

    monkeypatch.setattr(clicks, "_write_down", fail)
    with transaction.atomic():
        assert get(sent, 2).headers["Location"] == "https://partner.example/A1"
        assert Message.objects.filter(pk=sent.pk).exists()


def test_a_click_costs_a_few_queries_however_many_there_were(sent: Message) -> None:
    with CaptureQueriesContext(
        connection,
    ) as first:
        get(sent)
    with CaptureQueriesContext(connection) as second:
        get(sent)
    assert len(first) <= 20
    assert len(second) <= 12  # two of them are the savepoint within the transaction of a test
    Hit.objects.bulk_create(
        Hit(message=sent, link_no=0, occurred_at=timezone.now() - timedelta(days=1))
        for _ in range(clicks.MOST_HITS)
    )
    with CaptureQueriesContext(connection) as last:
        assert get(sent, 2).headers["Location"] == "https://partner.example/A1"
    assert len(last) <= 5
    assert Hit.objects.count() == clicks.MOST_HITS + 2, "a flood is answered, not stored"


# ── Machines ─────────────────────────────────────────────────────────────────────────────────────


def steers_nothing(message: Message) -> bool:
    message.refresh_from_db()
    return (
        message.clicked_at is None
        and not JournalEntry.objects.filter(kind="message_clicked").exists()
    )


@pytest.mark.parametrize(
    ("headers", "sign"),
    [
        ({"User-Agent": ""}, "no_user_agent"),
        ({"User-Agent": "python-requests/2.32"}, "known_machine"),
        ({"User-Agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, "known_machine"),
        ({"User-Agent": "Mozilla/5.0 BarracudaCentral"}, "known_machine"),
        ({"Sec-Purpose": "prefetch;prerender"}, "prefetch"),
        ({"Purpose": "prefetch"}, "prefetch"),
    ],
)
def test_machines_that_do_not_hide_are_told_apart(
    sent: Message, headers: dict[str, str], sign: str
) -> None:
    assert get(sent, 2, **headers).headers["Location"] == "https://partner.example/A1"
    [hit] = sent.hits.all()
    assert hit.hit_class == HitClass.MACHINE
    assert sign in hit.signs
    assert steers_nothing(sent)


def test_a_look_at_the_head_is_never_a_person(sent: Message) -> None:
    response = Client().head(f"/t/c/{sent.public_id}2/", headers={"User-Agent": BROWSER})
    assert response.headers["Location"] == "https://partner.example/A1"
    assert classes(sent) == [(1, "machine")]
    assert steers_nothing(sent)


def test_what_is_no_browser_is_nobody_that_one_could_name(sent: Message) -> None:
    get(sent, **{"User-Agent": "Thing"})
    assert classes(sent) == [(0, "unknown")]
    assert steers_nothing(sent)


def test_whoever_clicks_while_the_letter_is_delivered_is_a_scanner(sent: Message) -> None:
    Dispatch.objects.update(settled_at=timezone.now() - timedelta(seconds=3))
    get(sent)
    assert classes(sent) == [(0, "machine")]
    Dispatch.objects.update(settled_at=timezone.now() - timedelta(hours=1))
    Dispatch.objects.update(delivered_at=timezone.now() - timedelta(seconds=3))
    get(sent)
    assert [name for _no, name in classes(sent)] == ["machine", "machine"]
    assert steers_nothing(sent)


def test_a_scanner_that_opens_every_link_is_found_out_even_by_its_first(sent: Message) -> None:
    get(sent, 1)
    sent.refresh_from_db()
    assert sent.clicked_at is not None, "the first could be anybody"
    get(sent, 2)
    assert classes(sent) == [(0, "machine"), (1, "machine")]
    assert steers_nothing(sent)


def test_the_hidden_link_tells_on_its_neighbours_in_time(sent: Message) -> None:
    get(sent, 3)
    response = get(sent, 0)
    assert response.headers["Location"] == "/"
    assert classes(sent) == [(2, "machine"), (clicks.TRAP_LINK, "machine")]
    assert steers_nothing(sent)
    assert [hit.signs for hit in sent.hits.order_by("pk")] == [["trap"], ["trap"]]


def test_a_person_who_clicks_after_the_scan_still_counts(sent: Message) -> None:
    for number in (0, 1, 2, 3):
        get(sent, number)
    Hit.objects.update(occurred_at=timezone.now() - timedelta(minutes=5))
    get(sent, 2)
    sent.refresh_from_db()
    assert sent.clicked_at is not None
    assert classes(sent)[-1] == (1, "human")
    assert JournalEntry.objects.filter(kind="message_clicked").count() == 1


# ── Trials and rehearsals ────────────────────────────────────────────────────────────────────────


def test_a_test_letter_is_not_tracked(db: None, now: datetime) -> None:
    from oscar_triggers.engine import trials

    trials.send_test(
        LetterSource(subject="x", body=BODY), ["staff@shop.example"],
        values={"shop": {"url": "https://shop.example", "postal_address": "x"},
                "gift_card": {"code": "Z"}},
        now=now,
    )  # fmt: skip
    [letter] = mail.outbox
    assert "/t/c/" not in str(letter.alternatives[0][0])  # type: ignore[attr-defined]  # a LetterMessage
    assert "https://partner.example/Z" in str(letter.body)
    message = Message.objects.get()
    assert get(message).headers["Location"] == "/"


# ── The link back to the basket ──────────────────────────────────────────────────────────────────


@pytest.fixture
def about_a_basket(guest: Any, product: Any) -> Message:
    """Return a letter about a basket with two mugs, that a guest received a week ago."""
    from django.core.cache import cache

    from oscar_triggers.engine import contacts
    from oscar_triggers.snapshots import Person
    from tests.policy.rows import enroll, make_flow, plan_message

    cache.clear()
    guest.add(product, quantity=2)
    contact_id = contacts.resolve(Person(email=guest.email), now=timezone.now())
    enrollment = enroll(make_flow("left-basket"), contact_id, f"basket:{guest.basket.pk}:1")
    return plan_message(
        enrollment, guest.email, state="sent",
        about_type="basket", about_id=str(guest.basket.pk),
    )  # fmt: skip


def basket_url(message: Message) -> str:
    return f"/t/b/{links.sign(message.public_id, links.BASKET)}/"


def test_the_way_back_to_a_basket_is_a_click_like_any_other(about_a_basket: Message) -> None:
    Message.objects.update(planned_at=timezone.now() - timedelta(days=2))
    Client().get(basket_url(about_a_basket), headers={"User-Agent": BROWSER})
    assert classes(about_a_basket) == [(clicks.BASKET_LINK, "human")]
    about_a_basket.refresh_from_db()
    assert about_a_basket.clicked_at is not None


def test_a_look_at_the_way_back_is_none(about_a_basket: Message, product: Any) -> None:
    Message.objects.update(planned_at=timezone.now() - timedelta(days=2))
    Client().head(basket_url(about_a_basket), headers={"User-Agent": BROWSER})
    product.stockrecords.update(num_in_stock=0)
    Client().get(basket_url(about_a_basket), headers={"User-Agent": BROWSER})
    assert classes(about_a_basket) == [(-1, "machine"), (-1, "unknown")]
    assert steers_nothing(about_a_basket)


# ── Who is there ─────────────────────────────────────────────────────────────────────────────────


def test_a_click_tells_quietly_whose_the_visitors_basket_is(
    about_a_basket: Message, other_product: Any, shop_site: Any
) -> None:
    from oscar_triggers.models import BasketWatch
    from tests.shopping import Shopper

    Message.objects.update(planned_at=timezone.now() - timedelta(days=2))
    about_a_basket.dispatches.update(state=DispatchState.SENT)
    Enrollment.objects.update(due_at=timezone.now() + timedelta(days=1))
    visitor = Shopper(client=Client(), email="")
    visitor.add(other_product)
    ways = list(Enrollment.objects.values_list("pk", "state"))
    request = clicks.Request(at=timezone.now(), user_agent=BROWSER, basket_id=visitor.basket.pk)
    clicks.write_down(about_a_basket, 0, request)
    clockwork.tick(timezone.now() + timedelta(seconds=15))
    watch = BasketWatch.objects.get(basket_id=visitor.basket.pk)
    assert watch.contact_id == about_a_basket.contact_id
    assert watch.closed_at is not None, "nobody left it yet"
    assert list(Enrollment.objects.values_list("pk", "state")) == ways


def test_a_basket_that_is_known_to_be_somebodys_stays_theirs(
    about_a_basket: Message, other_product: Any, shop_site: Any
) -> None:
    from oscar_triggers.engine import contacts
    from oscar_triggers.models import BasketWatch
    from oscar_triggers.snapshots import Person
    from tests.shopping import Shopper

    friend = contacts.resolve(Person(email="friend@example.com"), now=timezone.now())
    visitor = Shopper(client=Client(), email="")
    visitor.add(other_product)
    BasketWatch.objects.update_or_create(
        basket_id=visitor.basket.pk, defaults={"contact_id": friend}
    )
    request = clicks.Request(at=timezone.now(), user_agent=BROWSER, basket_id=visitor.basket.pk)
    clicks.write_down(about_a_basket, 0, request)
    clockwork.tick(timezone.now() + timedelta(seconds=15))
    assert BasketWatch.objects.get(basket_id=visitor.basket.pk).contact_id == friend
