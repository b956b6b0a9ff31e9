"""The flow in the form is played, counted and looked at before it does anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import Contact, Decision, Enrollment, Flow, JournalEntry, Message
from oscar_triggers.testing import factories
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.editor.forms import flow_form
from wagtail_triggers import permissions

from .test_panels import asked, place

pytestmark = pytest.mark.django_db

FRIEND = {"type": "has_tag", "value": {"tag": "friend"}}
WORTH = {"type": "basket_worth", "value": {"at_least": "20"}}
TABLES = (Contact, Decision, Enrollment, Flow, JournalEntry, Message)


def said(html: str) -> str:
    """Return a page without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split()).replace(" :", ":").replace(" ,", ",")


def test_a_draft_is_played_with_dates_and_reasons_and_nothing_remains(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(trigger=[{"type": "customer_registered", "value": {}}])
    shown = said(asked(publisher_client, "desk_play", draft))
    assert "entered the flow" in shown
    assert "1. Wait: waits until" in shown
    assert "2. Send a message: written, not sent" in shown
    assert "“Your basket is waiting”" in shown
    assert "Hello Sam" in shown
    assert [table.objects.count() for table in TABLES] == [0] * len(TABLES)


def test_a_customer_who_never_agreed_gets_nothing_and_the_table_says_why(
    publisher_client: Client,
) -> None:
    make_template()
    factories.contact("mary@example.com", now=timezone.now(), topics=())
    draft = make_flow(trigger=[{"type": "customer_registered", "value": {}}])
    shown = said(asked(publisher_client, "desk_play", draft, play_email="MARY@example.com"))
    assert "never agreed to such messages" in shown
    assert not Message.objects.exists()


def test_an_address_that_nobody_has_is_told(publisher_client: Client) -> None:
    draft = make_flow()
    shown = asked(publisher_client, "desk_play", draft, play_email="nobody@example.com")
    assert "Nobody in this shop has that e-mail address." in shown


def test_who_may_not_see_people_cannot_play_for_one(editor: Any) -> None:
    draft = make_flow()
    client = signed_in(editor)
    url = reverse("wagtail_triggers:desk_play", args=[draft.pk])
    data = {**flow_form(draft), "play_email": "mary@example.com"}
    assert client.post(url, data).status_code in (302, 403)
    assert "play_email" not in asked(client, "desk_scenes", draft)
    assert permissions.VIEW_PERSONAL_DATA not in permissions.EDITOR


def test_a_flow_that_cannot_be_published_is_not_played(publisher_client: Client) -> None:
    draft = make_flow(steps=[])
    shown = asked(publisher_client, "desk_play", draft)
    assert "Correct first what Checks names." in shown


def test_the_live_version_is_played_while_the_form_says_something_else(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(publish=True, trigger=[{"type": "customer_registered", "value": {}}])
    shown = said(asked(publisher_client, "desk_play", draft, steps=[], play_version="live"))
    assert "written, not sent" in shown


def test_start_conditions_are_counted_and_those_about_the_basket_wait_for_it(
    publisher_client: Client,
) -> None:
    now = timezone.now()
    factories.contact("mary@example.com", now=now, tags=("friend",))
    factories.contact("john@example.com", now=now)
    draft = make_flow()
    shown = said(asked(publisher_client, "desk_count", draft, entry=[FRIEND, WORTH]))
    assert "Matches 1 person now, of the 2 that the shop knows." in shown
    assert "The basket is worth: 20" in shown
    assert "Asked only when it happens" in shown
    nobody_left_out = said(asked(publisher_client, "desk_count", draft, entry=[WORTH]))
    assert "The shop knows 2 people" in nobody_left_out


def test_before_publishing_it_is_said_what_becomes_of_people_on_their_way(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(publish=True)
    place(None, draft)
    Enrollment.objects.update(step_key="pause-1")
    shown = asked(publisher_client, "desk_publishing", draft, steps=[], people="stop")
    assert "1 person is on the way in an older version" in shown
    assert re.search(r'value="stop" checked', shown)
    assert "keeps it from being published" in shown


def test_before_the_first_publishing_it_is_said_who_would_enter(
    publisher_client: Client,
) -> None:
    make_template()
    shown = asked(publisher_client, "desk_publishing", make_flow())
    assert "0 baskets wait now." in shown


def test_a_step_leads_to_its_letter(publisher_client: Client, person: Callable[..., Any]) -> None:
    letter = make_template()
    response = publisher_client.get(reverse("wagtail_triggers:letter", args=["letter-1"]))
    assert response["Location"].endswith(f"/edit/{letter.pk}/")
    choices = publisher_client.get(reverse("wagtail_triggers:letters")).json()["letters"]
    assert choices == [["letter-1", "First letter"]]
