"""Leaving: by a mailbox's one click or the button on the page, at once and for good."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import contacts
from oscar_triggers.models import (
    ConsentAction,
    ConsentEvent,
    Enrollment,
    Message,
    MessageState,
    SuppressionReason,
    point_hash,
)
from oscar_triggers.policy import consent, suppressions, verdicts
from oscar_triggers.snapshots import Person
from tests.policy.rows import enroll, make_flow, plan_message

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADDRESS = "guest@example.com"
HASH = point_hash("email", ADDRESS)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def contact() -> int:
    """Return a guest who opted in a year ago."""
    contact_id = contacts.resolve(Person(email=ADDRESS), now=NOW)
    assert contact_id is not None
    consent.write_many(
        [
            consent.Line(
                channel="email",
                point_hash=HASH,
                topic="offers",
                action=ConsentAction.GRANT,
                contact_id=contact_id,
                source="checkout",
                occurred_at=timezone.now() - timedelta(days=365),
            )
        ],
        timezone.now(),
    )
    return contact_id


@pytest.fixture
def enrollment(contact: int) -> Enrollment:
    """Return the guest's way through a promotional flow."""
    return enroll(make_flow("left-basket"), contact, "basket:7:1")


@pytest.fixture
def letter(enrollment: Enrollment) -> Message:
    """Return a letter that the guest has received."""
    return plan_message(enrollment, ADDRESS, state=MessageState.SENT)


@pytest.fixture
def mailbox() -> Client:
    """Return what a mailbox provider posts with: no cookie, CSRF enforced."""
    return Client(enforce_csrf_checks=True)


def url(message: Message | str) -> str:
    public_id = message if isinstance(message, str) else message.public_id
    return reverse("oscar_triggers:unsubscribe", args=[public_id])


def allowed(stream: str = "promotional") -> bool:
    request = verdicts.SendRequest(
        message_id=1, contact_id=1, channel="email", point_hash=HASH, stream=stream, topic="offers"
    )
    return isinstance(verdicts.judge_many([request], timezone.now())[0], verdicts.Allowed)


def test_opening_the_page_changes_nothing(mailbox: Client, letter: Message) -> None:
    before = ConsentEvent.objects.count()
    for method in (mailbox.get, mailbox.head):
        response = method(url(letter))
        assert response.status_code == 200
    assert ConsentEvent.objects.count() == before
    assert allowed()


def test_a_mailboxs_one_click_withdraws_exits_and_cancels_at_once(
    mailbox: Client, letter: Message, enrollment: Enrollment
) -> None:
    waiting = plan_message(enrollment, ADDRESS)
    leased = plan_message(enrollment, ADDRESS)
    leased.dispatches.update(state="leased", lease_owner="worker")

    response = mailbox.post(url(letter), ONE_CLICK)

    assert response.status_code == 200
    assert not allowed()
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.exit_reason) == ("ended", "unsubscribed")
    for message in (waiting, leased):
        message.refresh_from_db()
        assert (message.state, message.reason) == ("cancelled", "unsubscribed")
        assert message.dispatches.get().state == "cancelled"
    line = ConsentEvent.objects.latest("id")
    assert (line.action, line.topic, line.source) == ("withdraw", "*", "one_click")


def test_one_click_as_a_multipart_form_works_too(mailbox: Client, letter: Message) -> None:
    response = mailbox.post(url(letter), ONE_CLICK, headers={"cookie": ""})
    assert response.status_code == 200
    assert not allowed()


def test_one_click_as_a_plain_form_works_too(mailbox: Client, letter: Message) -> None:
    response = mailbox.post(
        url(letter),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )
    assert response.status_code == 200
    assert not allowed()
    assert not response.cookies, "nothing is kept of a mailbox provider"


def test_posted_twice_it_answers_the_same_and_writes_one_line(
    mailbox: Client, letter: Message
) -> None:
    first = mailbox.post(url(letter), ONE_CLICK)
    second = mailbox.post(url(letter), ONE_CLICK)
    assert (first.status_code, second.status_code) == (200, 200)
    assert ConsentEvent.objects.filter(action="withdraw").count() == 1


def test_the_button_on_the_page_does_the_same(mailbox: Client, letter: Message) -> None:
    response = mailbox.post(url(letter), {"action": "unsubscribe"})
    assert response.status_code == 200
    assert not allowed()
    assert ConsentEvent.objects.latest("id").source == "unsubscribe_page"


def test_order_letters_still_come(mailbox: Client, letter: Message, contact: int) -> None:
    orders = enroll(make_flow("order-news", stream="transactional"), contact, "order:1")
    confirmation = plan_message(orders, ADDRESS, stream="transactional")
    mailbox.post(url(letter), ONE_CLICK)
    orders.refresh_from_db()
    confirmation.refresh_from_db()
    assert (orders.state, confirmation.state) == ("active", "planned")
    assert allowed("transactional")


def test_a_letter_of_a_guest_who_became_a_member_still_unsubscribes(
    mailbox: Client, letter: Message, member: Any, enrollment: Enrollment
) -> None:
    member.email = ADDRESS
    member.save()
    account = contacts.resolve(
        Person(user_id=member.pk, email=ADDRESS, email_verified=True), now=NOW
    )
    mailbox.post(url(letter), ONE_CLICK)
    enrollment.refresh_from_db()
    assert (enrollment.contact_id, enrollment.state) == (account, "ended")
    assert not allowed()


def test_everyone_who_shares_the_address_leaves_the_flows(
    mailbox: Client, letter: Message, member: Any
) -> None:
    member.email = ADDRESS
    member.save()
    account = contacts.resolve(Person(user_id=member.pk), now=NOW)
    theirs = enroll(make_flow("birthday"), account, "birthday:2026")
    mailbox.post(url(letter), ONE_CLICK)
    theirs.refresh_from_db()
    assert theirs.state == "ended"


def test_the_page_offers_the_way_back_and_keeps_the_exact_words(
    mailbox: Client, letter: Message
) -> None:
    page = mailbox.post(url(letter), ONE_CLICK).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', page)
    words = re.search(r'id="again">([^<]+)<', page)
    assert shown
    assert words

    response = mailbox.post(url(letter), {"action": "subscribe", "shown": shown[1]})

    assert response.status_code == 200
    assert allowed()
    line = ConsentEvent.objects.latest("id")
    assert (line.action, line.basis, line.text) == (
        "grant",
        "consent",
        unescape(words[1]),
    )
    assert line.text_version
    assert line.language

    mailbox.post(url(letter), ONE_CLICK)
    assert not allowed(), "and leaving again works again"


def test_nobody_is_subscribed_by_a_link_who_had_not_unsubscribed(
    mailbox: Client, letter: Message
) -> None:
    before = ConsentEvent.objects.count()
    mailbox.post(url(letter), {"action": "subscribe", "shown": ""})
    assert ConsentEvent.objects.count() == before


def test_words_that_are_not_ours_are_no_consent(mailbox: Client, letter: Message) -> None:
    mailbox.post(url(letter), ONE_CLICK)
    for shown in ("en-gb||000000000000", "xx|1|0", "|||||", "en-gb|99999999999999999999|a", "é"):
        mailbox.post(url(letter), {"action": "subscribe", "shown": shown})
    assert not allowed()


def test_the_way_back_does_not_lift_a_suppression(mailbox: Client, letter: Message) -> None:
    suppressions.suppress("email", HASH, SuppressionReason.COMPLAINT, NOW)
    mailbox.post(url(letter), ONE_CLICK)
    mailbox.post(url(letter), {"action": "subscribe", "shown": ""})
    assert not allowed()


def test_an_id_that_names_nothing_gets_the_very_same_answers(
    mailbox: Client, letter: Message
) -> None:
    unknown = "A" * 22
    assert len(letter.public_id) == len(unknown)
    asked: list[tuple[Any, dict[str, str]]] = [
        (mailbox.get, {}),
        (mailbox.post, {"action": "unsubscribe"}),
        (mailbox.post, ONE_CLICK),
        (mailbox.post, {"action": "subscribe", "shown": ""}),
    ]
    for method, data in asked:
        real, made_up = method(url(letter), data), method(url(unknown), data)
        assert real.status_code == made_up.status_code == 200
        assert real.content == made_up.content
        assert dict(real.headers) == dict(made_up.headers)
    assert ConsentEvent.objects.count() == 3, "one grant, one withdrawal, one grant again"


@pytest.mark.parametrize("wild", ["x", "../../etc", "%00", "a" * 500, "é", "' OR 1=1 --", "👀"])
def test_wild_ids_break_nothing(mailbox: Client, wild: str) -> None:
    response = mailbox.post(f"/t/u/{wild}/", ONE_CLICK)
    assert response.status_code in (200, 404)


def test_the_page_tells_nobody_who_was_there(mailbox: Client, letter: Message) -> None:
    response = mailbox.get(url(letter))
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "private, no-store"
    assert "noindex" in response["X-Robots-Tag"]
    assert response["X-Frame-Options"] == "DENY"
    page = response.content.decode()
    assert ADDRESS not in page
    assert "guest" not in page


def test_the_page_says_what_will_stop_and_what_will_not(mailbox: Client, letter: Message) -> None:
    page = mailbox.get(url(letter)).content.decode()
    assert "Offers" in page or "offers" in page
    assert "orders will still arrive" in page
    assert page.count("<button") == 1


def test_a_test_letter_of_staff_unsubscribes_nobody(
    mailbox: Client, enrollment: Enrollment
) -> None:
    message = plan_message(enrollment, ADDRESS, state=MessageState.SENT)
    Message.objects.filter(pk=message.pk).update(contact=None)
    assert mailbox.post(url(message), ONE_CLICK).status_code == 200
    assert allowed()


@pytest.mark.django_db(transaction=True)
def test_mailboxes_that_post_at_once_write_one_line(letter: Message) -> None:
    barrier = Barrier(8)

    def post(_number: int) -> int:
        try:
            barrier.wait(timeout=30)
            return Client().post(url(letter), ONE_CLICK).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(8))) == {200}
    assert ConsentEvent.objects.filter(action="withdraw").count() == 1
