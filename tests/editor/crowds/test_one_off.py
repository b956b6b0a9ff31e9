"""One-off letters are written, looked at, confirmed by who may, and followed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from oscar_triggers.engine import clockwork
from oscar_triggers.models import LetterState, OneOffLetter, SavedSegment
from tests.editor.conftest import make_template, signed_in

from .conftest import letter_form

pytestmark = pytest.mark.django_db


def page_of(letter: OneOffLetter) -> str:
    """Return the address of a letter's page."""
    return str(reverse("wagtail_triggers:one_off", args=[letter.pk]))


def act(client: Client, verb: str, letter: OneOffLetter, **data: Any) -> Any:
    """Press one of the buttons on a letter's page."""
    address = reverse(f"wagtail_triggers:{verb}_one_off", args=[letter.pk])
    return client.post(address, data, follow=True)


def written(client: Client, **rest: Any) -> OneOffLetter:
    """Fill in the form of a new letter."""
    response = client.post(reverse("triggers_one_off:add"), letter_form(**rest))
    assert response.status_code == 302, response.context["form"].errors
    letter = OneOffLetter.objects.latest("pk")
    assert response["Location"] == page_of(letter)
    return letter


def test_from_the_form_to_letters_that_left(
    editor: Any, publisher_client: Client, people: Callable[..., Any], tea: SavedSegment
) -> None:
    make_template()
    people("anna", "boris")
    people("chloe", topics=())
    client = signed_in(editor)
    letter = written(client)
    page = client.get(page_of(letter))
    assertContains(page, "Matches 3 people now, of 3.")
    assertContains(page, "Never agreed to such messages: 1")
    assertContains(page, "2 people would get it now.")
    assertNotContains(page, "Confirm and send now")
    assert act(client, "confirm", letter, people="3").redirect_chain[0][0] != page_of(letter)
    letter.refresh_from_db()
    assert letter.state == LetterState.DRAFT

    assertContains(publisher_client.get(page_of(letter)), "Confirm and send now")
    assertContains(act(publisher_client, "confirm", letter, people="3"), "is confirmed")
    for _tick in range(3):
        clockwork.tick(timezone.now() + timezone.timedelta(seconds=10 * _tick + 1))
    assert sorted(one.to[0] for one in mail.outbox) == ["anna@example.com", "boris@example.com"]
    page = publisher_client.get(page_of(letter))
    assertContains(page, "Never agreed to such messages: 1")
    assertContains(page, "<td>2</td>", html=True)
    assertContains(publisher_client.get(reverse("triggers_one_off:index")), "First flush")


def test_a_scheduled_letter_is_paused_resumed_and_cancelled_by_who_may(
    editor: Any, publisher_client: Client, people: Callable[..., Any], tea: SavedSegment
) -> None:
    make_template()
    people("anna")
    letter = written(publisher_client, send_at="2090-01-01 09:00")
    act(publisher_client, "confirm", letter, people="1")
    assertContains(act(publisher_client, "pause", letter), "is paused")
    assertContains(publisher_client.get(reverse("triggers_one_off:index")), "Paused")
    assertContains(act(publisher_client, "resume", letter), "goes on")
    assertContains(act(publisher_client, "cancel", letter), "is cancelled")
    letter.refresh_from_db()
    assert letter.state == LetterState.CANCELLED
    edit = publisher_client.get(reverse("triggers_one_off:edit", args=[letter.pk]))
    assert edit["Location"] == page_of(letter)
    deleted = publisher_client.post(
        reverse("triggers_one_off:delete", args=[letter.pk]), follow=True
    )
    assertContains(deleted, "was confirmed")
    assert OneOffLetter.objects.filter(pk=letter.pk).exists()


def test_what_cannot_be_sent_says_why_before_anybody_confirms_it(
    publisher_client: Client, people: Callable[..., Any], tea: SavedSegment
) -> None:
    make_template(publish=False)
    letter = written(publisher_client, send_at="2020-01-01 09:00")
    page = publisher_client.get(page_of(letter))
    assertContains(page, "is not published; publish it first")
    assertContains(page, "This moment has passed")
    assertNotContains(page, "Confirm for")
    refused = act(publisher_client, "confirm", letter, people="1")
    assertContains(refused, "is not published; publish it first")


def test_the_form_of_a_new_letter_asks_for_no_more_than_it_must(
    publisher_client: Client, tea: SavedSegment
) -> None:
    make_template()
    form = publisher_client.get(reverse("triggers_one_off:add")).context["form"]
    assert [form["max_lateness"].initial, form["segment"].value()] == [timedelta(hours=12), None]


def test_readers_time_needs_an_hour(publisher_client: Client, tea: SavedSegment) -> None:
    make_template()
    response = publisher_client.post(
        reverse("triggers_one_off:add"), letter_form(in_readers_time="on")
    )
    assertContains(response, "Say at which hour")


def test_a_test_goes_to_oneself(publisher_client: Client, tea: SavedSegment) -> None:
    make_template()
    letter = written(publisher_client)
    assertContains(act(publisher_client, "test", letter), "Sent to publisher@shop.example")
    assert [one.to for one in mail.outbox] == [["publisher@shop.example"]]


def test_the_list_costs_the_same_however_many_letters_there_are(
    publisher_client: Client, tea: SavedSegment, now: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        OneOffLetter.objects.create(
            name=f"Letter {number}",
            segment="tea",
            template="letter-1",
            topic="offers",
            created_at=now,
            changed_at=now,
        )
    publisher_client.get(reverse("triggers_one_off:index"))
    with django_assert_max_num_queries(12):
        publisher_client.get(reverse("triggers_one_off:index"))
