"""Cases that break the rules about people: odd values, forged links, joins of many ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from oscar_triggers.content import rendering
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.engine import contacts
from oscar_triggers.models import ConsentEvent, Contact, Enrollment
from oscar_triggers.snapshots import Person

from .rows import NOW, enroll, make_flow, plan_message

pytestmark = pytest.mark.django_db


def guest(email: str = "guest@example.com") -> int:
    """Return the contact of a guest."""
    contact_id = contacts.resolve(Person(email=email), now=NOW)
    assert contact_id is not None
    return contact_id


def test_joining_ends_no_way_about_another_thing(django_user_model: Any) -> None:
    flow = make_flow("cards", trigger="gift_card_expiring")
    account = django_user_model.objects.create(username="u", email="guest@example.com")
    before = guest()
    member = contacts.resolve(Person(user_id=account.pk), now=NOW)
    for contact_id, episode in ((member, 1), (member, 2), (before, 2), (before, 3)):
        enroll(flow, contact_id, f"gift_card:{episode}")
    proved = Person(user_id=account.pk, email="guest@example.com", email_verified=True)
    contacts.resolve(proved, now=NOW)
    active = Enrollment.objects.filter(state="active")
    assert sorted(active.values_list("contact_id", "episode_key")) == [
        (member, "gift_card:1"),
        (member, "gift_card:2"),
        (member, "gift_card:3"),
    ]
    assert Enrollment.objects.get(state="ended").exit_reason == "joined"


@pytest.mark.parametrize("time_zone", ["Mars/Phobos", "\0", "../../etc/passwd", "Europe/" * 20])
@pytest.mark.parametrize("language", ["xx", "\0", "../..", "de-DE-x-very-long-thing", "zh_Hans"])
def test_whatever_a_browser_says_about_itself_a_letter_can_be_filled(
    time_zone: str, language: str
) -> None:
    contacts.resolve(Person(email="a@example.com", language=language, time_zone=time_zone), now=NOW)
    contact = Contact.objects.get()
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>{{ gift_card.expires_on }} "
    body += "{{ gift_card.code }}</mj-text></mj-column></mj-section></mj-body></mjml>"
    compiled = compile_letter(
        LetterSource(subject="Card {{ gift_card.code }}", body=body, language="en")
    )
    card = {"expires_on": datetime(2030, 5, 1, tzinfo=UTC), "code": "A\0\ud83d\r\nBcc: x@y.z"}
    letter = rendering.fill(
        compiled,
        {"gift_card": card},
        language=contact.language,
        time_zone=contact.time_zone,
    )
    assert "\n" not in letter.subject
    assert "2030" in letter.html.encode().decode()


def test_only_the_very_link_of_a_letter_ends_anything_and_all_answers_are_the_same(
    client: Client,
) -> None:
    message = plan_message(enroll(make_flow("left"), guest(), "basket:1"), "guest@example.com")
    own = message.public_id
    click = {"List-Unsubscribe": "One-Click"}
    for method in ("get", "head", "options", "put", "delete", "patch"):
        getattr(client, method)(f"/t/u/{own}/")
    wrong = [own[:-1], f"{own}x", own.swapcase(), "x" * 22, "%00" * 3, "🧦" * 22]
    answers = [client.post(f"/t/u/{public_id}/", click) for public_id in wrong]
    assert not ConsentEvent.objects.exists()
    answers += [client.post(f"/t/u/{own}/", click) for _again in range(3)]
    assert ConsentEvent.objects.count() == 1
    assert len({(a.status_code, a.content, tuple(a.headers.items())) for a in answers}) == 1


def test_nobody_subscribes_by_words_that_are_not_ours(client: Client) -> None:
    message = plan_message(enroll(make_flow("left"), guest(), "basket:1"), "guest@example.com")
    client.post(f"/t/u/{message.public_id}/")
    for shown in ("en|1|forged", "\0" * 50, "../..|9|", "en||" + "x" * 10_000):
        client.post(f"/t/u/{message.public_id}/", {"action": "subscribe", "shown": shown})
    assert ConsentEvent.objects.count() == 1
