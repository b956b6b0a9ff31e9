"""Messages in doubt and failed ones wait for a person's word in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import Decision, Dispatch, DispatchState, Message, MessageState, Stream
from tests.editor.conftest import signed_in
from wagtail_triggers import permissions


@pytest.fixture
def doubt(db: None) -> Dispatch:
    """Return a try of which nobody can tell whether it arrived."""
    now = timezone.now()
    message = Message.objects.create(
        idempotency_key="enrollment:1:letter-1:0",
        stream=Stream.PROMOTIONAL,
        state=MessageState.UNKNOWN,
        planned_at=now,
        due_at=now,
        not_after=now,
    )
    return Dispatch.objects.create(
        message=message, channel="email", state=DispatchState.UNKNOWN, due_at=now, attempt=1
    )


def test_a_publisher_says_that_it_arrived(publisher_client: Client, doubt: Dispatch) -> None:
    page = publisher_client.get(reverse("triggers_messages:inspect", args=[doubt.message_id]))
    url = reverse("wagtail_triggers:resolve", args=[doubt.pk, "arrived"])
    assert url in page.content.decode()
    answer = publisher_client.post(url, follow=True)
    assert "It counts as sent." in answer.content.decode()
    doubt.refresh_from_db()
    assert doubt.state == DispatchState.SENT
    decision = Decision.objects.get(rule="staff")
    assert decision.compared["user"] is not None


def test_two_people_do_not_both_decide(publisher_client: Client, doubt: Dispatch) -> None:
    publisher_client.post(reverse("wagtail_triggers:resolve", args=[doubt.pk, "arrived"]))
    answer = publisher_client.post(
        reverse("wagtail_triggers:resolve", args=[doubt.pk, "drop"]), follow=True
    )
    assert "decided already" in answer.content.decode()
    doubt.refresh_from_db()
    assert doubt.state == DispatchState.SENT


def test_who_only_reads_the_log_decides_nothing(
    person: Callable[..., Any], doubt: Dispatch
) -> None:
    client = signed_in(person("reader", *permissions.VIEWER))
    page = client.get(reverse("triggers_messages:inspect", args=[doubt.message_id]))
    assert "arrived/" not in page.content.decode()
    client.post(reverse("wagtail_triggers:resolve", args=[doubt.pk, "arrived"]))
    doubt.refresh_from_db()
    assert doubt.state == DispatchState.UNKNOWN
