"""A message's page says what came back of it, and why its reader got it or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import Conversion, Decision, Dispatch, Flow, Hit, Message
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.editor.test_lists import message, queries_of
from wagtail_triggers import permissions


@pytest.fixture
def flow(db: None) -> Flow:
    """Return a live flow with a letter."""
    make_template()
    make_flow(publish=True)
    return Flow.objects.get()


def page_of(client: Client, row: Message) -> str:
    return client.get(reverse("triggers_messages:inspect", args=[row.pk])).content.decode()


def came_back(row: Message, visits: int = 1) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    Message.objects.filter(pk=row.pk).update(clicked_at=at)
    Dispatch.objects.filter(message=row).update(
        feedback="delivered", feedback_at=at, delivered_at=at
    )
    for _number in range(visits):
        Hit.objects.create(message=row, link_no=0, occurred_at=at, hit_class="human")
        Hit.objects.create(message=row, link_no=0, occurred_at=at, hit_class="machine")
        Conversion.objects.create(
            message=row,
            kind="order_placed",
            about_type="order",
            about_id="100017",
            value=Decimal("42.5"),
            currency="EUR",
            occurred_at=at,
        )


def test_what_came_back_stands_in_a_short_section(publisher_client: Client, flow: Flow) -> None:
    row = message(1)
    assert "What came back" not in page_of(publisher_client, row)
    came_back(row)
    page = page_of(publisher_client, row)
    assert "What came back" in page
    assert "delivered, Nov. 22, 2026, 10 a.m." in page
    assert "2 visits (1 a person, 1 a machine)" in page
    assert "Order 100017, 42.50 EUR" in page


def test_a_page_costs_the_same_however_much_came_back(publisher_client: Client, flow: Flow) -> None:
    few, many = message(1), message(2)
    came_back(few)
    came_back(many, visits=20)
    url = "triggers_messages:inspect"
    for_few, _page = queries_of(publisher_client, reverse(url, args=[few.pk]))
    for_many, _page = queries_of(publisher_client, reverse(url, args=[many.pk]))
    assert for_few == for_many


def test_the_story_names_steps_by_their_place(publisher_client: Client, flow: Flow) -> None:
    page = page_of(publisher_client, message(1))
    assert "Why did they get it?" in page
    assert "“2. Send a message” was sent" in page
    assert "“letter-1”" not in page


def test_whoever_may_not_see_addresses_reads_the_story_without_them(
    person: Any, flow: Flow
) -> None:
    row = message(1, state="skipped", reason="withdrawn")
    page = page_of(signed_in(person("viewer", *permissions.VIEWER)), row)
    assert "Why did they not get it?" in page
    assert "“2. Send a message” was not sent" in page
    assert "anna1@example.com" not in page


def test_a_tree_of_conditions_is_a_list_of_questions_and_answers(
    publisher_client: Client, flow: Flow
) -> None:
    row = message(1)
    now = timezone.now()
    Decision.objects.create(
        message=row,
        flow=flow,
        rule="entry",
        verdict="entered",
        compared={
            "of": [
                {"kind": "has_tag", "holds": False, "compared": {"tag": "vip", "has_tag": False}}
            ]
        },
        decided_at=now - timedelta(minutes=1),
        last_seen_at=now,
    )
    page = page_of(publisher_client, row)
    assert "Has a tag: <strong>no</strong>" in page
    assert "{&#x27;" not in page


def test_a_rehearsed_message_says_so_in_the_log(publisher_client: Client, flow: Flow) -> None:
    row = message(1, state="shadowed", reason="shadow", is_shadow=True)
    url = reverse("triggers_messages:index")
    found = publisher_client.get(url, {"state": "shadowed"}).context["object_list"]
    assert [one.pk for one in found] == [row.pk]
    assert "The flow was only rehearsing" in publisher_client.get(url).content.decode()
    assert "rehearsed" in page_of(publisher_client, row)
