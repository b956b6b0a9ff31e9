"""Staff find a person, read everything about them, and ask why they got something, or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import consents, contacts, suppressing, wording
from oscar_triggers.models import (
    Contact,
    ContactPoint,
    ContactTag,
    Decision,
    JournalEntry,
    SuppressionReason,
    VoucherGrant,
)
from oscar_triggers.snapshots import Person
from tests.editor.conftest import signed_in
from tests.policy.rows import enroll, make_flow, plan_message
from wagtail_triggers import permissions

pytestmark = pytest.mark.django_db

INDEX = "triggers_contacts:index"
WHY = "wagtail_triggers:why"


def known(email: str = "mary@example.com", first: str = "Mary", last: str = "Poole") -> Contact:
    """Make a contact as an act in the shop would."""
    person = Person(email=email, first_name=first, last_name=last, language="en")
    contact_id = contacts.resolve(person, now=timezone.now())
    assert contact_id is not None
    return Contact.objects.get(pk=contact_id)


def page_of(client: Client, contact: Contact) -> str:
    """Return the text of a contact's page."""
    answer = client.get(reverse("triggers_contacts:inspect", args=[contact.pk]))
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_an_address_in_any_spelling_leads_to_its_person(publisher_client: Client) -> None:
    mary = known()
    known("someone.else@example.com", "John", "Moore")
    answer = publisher_client.post(reverse(INDEX), {"who": " Mary@EXAMPLE.com"})
    assert answer.status_code == 302
    assert answer["Location"] == reverse("triggers_contacts:inspect", args=[mary.pk])


def test_a_part_of_an_address_finds_nobody(publisher_client: Client) -> None:
    known()
    said = publisher_client.post(reverse(INDEX), {"who": "mary@example"}).content.decode()
    assert "Nobody is found" in said


def test_people_are_found_by_words_of_their_names(publisher_client: Client) -> None:
    known()
    known("john@example.com", "John", "Poole")
    known("anna@example.com", "Anna", "Berg")
    said = publisher_client.post(reverse(INDEX), {"who": "poole"}).content.decode()
    assert "Mary Poole" in said
    assert "John Poole" in said
    assert "Anna Berg" not in said


def test_who_may_not_see_personal_data_sees_no_contact(person: Callable[..., Any]) -> None:
    mary = known()
    client = signed_in(person("reader", *permissions.VIEWER))
    for url in (reverse(INDEX), reverse("triggers_contacts:inspect", args=[mary.pk])):
        answer = client.get(url, follow=True)
        assert "mary@example.com" not in answer.content.decode()
    posted = client.post(reverse(INDEX), {"who": "mary@example.com"}, follow=True)
    assert "Mary" not in posted.content.decode()


def test_the_page_tells_what_we_know_hold_and_owe(publisher_client: Client) -> None:
    mary = known()
    Contact.objects.filter(pk=mary.pk).update(fields={"size": "M"})
    now = timezone.now()
    ContactTag.objects.create(contact=mary, tag="regular", created_at=now)
    point = mary.points.get()
    words = wording.opt_in("email", "offers")
    assert words is not None
    consents.grant(point, topic="offers", words=words, source="checkout", now=now)
    flow = make_flow("left-basket")
    way = enroll(flow, mary.pk, "basket:7:1", step_key="wait-1")
    plan_message(way, "mary@example.com")
    sent = plan_message(way, "mary@example.com", state="skipped", reason="quiet_hours")
    VoucherGrant.objects.create(
        contact=mary, code="THANKS-7", created_at=now, expires_at=now + timedelta(days=7)
    )
    said = page_of(publisher_client, mary)
    for text in (
        "mary@example.com",
        "regular",
        "size",
        "Agreed to Offers and reminders",
        words.text,
        "Basket 7",
        "THANKS-7",
        "it was night where the reader lives",
        reverse("triggers_messages:inspect", args=[sent.pk]),
    ):
        assert text.lower() in said.lower(), text


def test_a_withdrawal_and_a_block_are_said_with_their_dates(publisher_client: Client) -> None:
    mary = known()
    point = mary.points.get()
    consents.withdraw(point, source="one_click", now=timezone.now())
    said = page_of(publisher_client, mary)
    assert "Refused every mailing" in said
    assert "Unsubscribed by the mail program" in said
    suppressing.suppress(
        [("email", point.point_hash)], SuppressionReason.BOUNCE, timezone.now(), note="550"
    )
    said = page_of(publisher_client, mary)
    assert "blocked" in said
    assert "address does not exist" in said


def test_a_joined_contact_leads_to_whom_it_became(publisher_client: Client) -> None:
    mary, old = known(), known("old@example.com")
    Contact.objects.filter(pk=old.pk).update(joined_into=mary)
    answer = publisher_client.get(reverse("triggers_contacts:inspect", args=[old.pk]))
    assert answer["Location"] == reverse("triggers_contacts:inspect", args=[mary.pk])


def test_pages_cost_the_same_for_a_busy_person(publisher_client: Client) -> None:
    mary, anna = known(), known("anna@example.com", "Anna", "Berg")
    flow = make_flow("left-basket")
    for contact, count in ((mary, 1), (anna, 20)):
        for number in range(count):
            way = enroll(flow, contact.pk, f"basket:{contact.pk}{number}:1", step_key="wait-1")
            plan_message(way, "", state="sent")
            plan_message(way, "")
    page_of(publisher_client, mary)
    costs = []
    for contact in (mary, anna):
        with CaptureQueriesContext(connection) as queries:
            page_of(publisher_client, contact)
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert costs[0] <= 30


def test_the_list_costs_the_same_for_more_people(publisher_client: Client) -> None:
    known()
    publisher_client.get(reverse(INDEX))
    costs = []
    for count in (1, 20):
        for number in range(count):
            known(f"p{count}-{number}@example.com", "P", str(number))
        with CaptureQueriesContext(connection) as queries:
            publisher_client.get(reverse(INDEX))
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert costs[0] <= 12


def test_why_not_names_the_rule_and_what_it_compared(publisher_client: Client) -> None:
    mary, flow, now = known(), make_flow("left-basket"), timezone.now()
    entry = JournalEntry.objects.create(
        kind="basket_left",
        dedup_key="basket:7:1",
        contact=mary,
        about_type="basket",
        about_id="7",
        occurred_at=now,
        recorded_at=now,
        routed_at=now,
    )
    Decision.objects.create(
        flow=flow,
        journal_entry=entry,
        rule="entry",
        verdict="not_entered",
        reason="too_old",
        compared={"max_age": "1d"},
        decided_at=now,
        last_seen_at=now,
    )
    answer = publisher_client.get(f"{reverse(WHY)}?contact={mary.pk}&flow={flow.key}")
    said = answer.content.decode()
    assert "No, they did not get it." in said
    assert "older than" in said
    assert "1 day" in said


def test_why_not_says_that_nothing_happened(publisher_client: Client) -> None:
    mary, flow = known(), make_flow("left-basket")
    said = publisher_client.post(
        reverse(WHY), {"who": "MARY@example.com", "flow": flow.key}
    ).content.decode()
    assert "never happened to them" in said
    assert str(mary.pk) in said


def test_why_not_says_of_a_stranger_that_there_is_no_such_contact(
    publisher_client: Client,
) -> None:
    flow = make_flow("left-basket")
    said = publisher_client.post(
        reverse(WHY), {"who": "nobody@example.com", "flow": flow.key}
    ).content.decode()
    assert "no such contact" in said


def test_addresses_stand_in_no_url(publisher_client: Client) -> None:
    known()
    assert ContactPoint.objects.count() == 1
    said = publisher_client.get(reverse(INDEX)).content.decode()
    assert "?q=" not in said
    assert 'method="post"' in said
    assert 'method="post"' in publisher_client.get(reverse(WHY)).content.decode()
