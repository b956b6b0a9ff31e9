"""The button that stops all sending, and what stands still by itself."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import alarms, blast, installation, suppressing
from oscar_triggers.models import (
    ContactPoint,
    Dispatch,
    Flow,
    FlowState,
    Installation,
    Suppression,
    SuppressionReason,
)
from tests.editor.conftest import signed_in
from tests.editor.people.test_contacts import known
from tests.policy.rows import enroll, make_flow, plan_message
from wagtail_triggers import permissions

pytestmark = pytest.mark.django_db

SENDING = "wagtail_triggers:sending"


def said_by(client: Client, name: str, **filters: str) -> str:
    """Return the text of a page."""
    answer = client.get(reverse(name), filters)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_one_button_stops_all_sending_and_every_page_says_so(publisher_client: Client) -> None:
    assert "what is due leaves" in said_by(publisher_client, SENDING)
    publisher_client.post(reverse("wagtail_triggers:stop_sending"), {"reason": "Wrong prices"})
    assert installation.hold_reason() == installation.STOPPED
    said = said_by(publisher_client, SENDING)
    assert "Wrong prices" in said
    assert "publisher" in said
    assert "Stopped all sending" in said
    for name in ("triggers_messages:index", "wagtail_triggers:ready", "triggers_contacts:index"):
        assert "All sending is stopped." in said_by(publisher_client, name)
    assert "All sending is stopped." not in said_by(publisher_client, "wagtailadmin_home")
    publisher_client.post(reverse("wagtail_triggers:resume_sending"), {"reason": "Mended"})
    assert installation.hold_reason() == ""
    said_by(publisher_client, SENDING)
    assert "All sending is stopped." not in said_by(publisher_client, "triggers_messages:index")


def test_stopping_wants_a_reason_and_the_permission(
    publisher_client: Client, person: Callable[..., Any]
) -> None:
    url = reverse("wagtail_triggers:stop_sending")
    publisher_client.post(url, {"reason": " "})
    signed_in(person("writer", *permissions.EDITOR)).post(url, {"reason": "x"})
    assert installation.hold_reason() == ""


def test_a_copy_of_the_database_says_what_to_do(publisher_client: Client) -> None:
    installation.ensure(timezone.now())
    Installation.objects.update(environment="production")
    said = said_by(publisher_client, SENDING)
    assert "belongs to another installation" in said
    assert "triggers_adopt" in said
    assert "production" in said
    assert "belongs to another installation" in said_by(publisher_client, "triggers_messages:index")


def test_a_flow_that_the_guard_paused_is_let_go_on(publisher_client: Client) -> None:
    flow = make_flow("left-basket")
    now = timezone.now()
    Flow.objects.filter(pk=flow.pk).update(state=FlowState.PAUSED, paused_at=now)
    alarms.raise_alarm(blast.alarm_key(flow.key), "It sent 500 messages.", now)
    assert "It sent 500 messages." in said_by(publisher_client, SENDING)
    url = reverse("wagtail_triggers:release_flow", args=[flow.key])
    publisher_client.post(url, {"reason": ""})
    flow.refresh_from_db()
    assert flow.state == FlowState.PAUSED
    publisher_client.post(url, {"reason": "It is the sale"})
    flow.refresh_from_db()
    assert flow.state == FlowState.LIVE
    assert "It sent 500 messages." not in said_by(publisher_client, SENDING)


def doubtful(state: str, number: int) -> Dispatch:
    """Make a message of which nobody can tell, or that failed."""
    contact = known(f"p{number}@example.com", "P", str(number))
    flow = Flow.objects.filter(key="left-basket").first() or make_flow("left-basket")
    way = enroll(flow, contact.pk, f"basket:{number}:1", step_key="wait-1")
    message = plan_message(way, f"p{number}@example.com", state=state)
    message.dispatches.update(state=state, settled_at=timezone.now())
    return message.dispatches.get()


def test_many_are_decided_about_at_once(publisher_client: Client) -> None:
    unknown, dead, other = doubtful("unknown", 1), doubtful("dead", 2), doubtful("dead", 3)
    said = said_by(publisher_client, "wagtail_triggers:doubts", state="dead")
    assert f'value="{dead.pk}"' in said
    assert f'value="{unknown.pk}"' not in said
    url = reverse("wagtail_triggers:resolve_many")
    answer = publisher_client.post(url, {"verb": "drop", "try": [unknown.pk, dead.pk]}, follow=True)
    assert "Decided about 2." in answer.content.decode()
    for row, state in ((unknown, "cancelled"), (dead, "cancelled"), (other, "dead")):
        row.refresh_from_db()
        assert row.state == state
    answer = publisher_client.post(url, {"verb": "arrived", "try": [dead.pk]}, follow=True)
    assert "decided already" in answer.content.decode()
    assert publisher_client.post(url, {"verb": "explode", "try": [1]}).status_code == 404


def test_an_address_is_blocked_and_lifted_with_reasons(publisher_client: Client) -> None:
    known()
    add = reverse("wagtail_triggers:block_address")
    values = {"channel": "email", "address": "MARY@example.com", "reason": "Her lawyer wrote"}
    publisher_client.post(add, {**values, "reason": ""})
    assert not Suppression.objects.exists()
    publisher_client.post(add, values)
    row = Suppression.objects.get()
    assert row.point_hash == ContactPoint.objects.get().point_hash
    said = said_by(publisher_client, "wagtail_triggers:suppressions")
    assert "mary@example.com" in said
    assert "Her lawyer wrote" in said
    found = publisher_client.post(
        reverse("wagtail_triggers:suppressions"), {"find": "mary@EXAMPLE.com"}
    )
    assert "Her lawyer wrote" in found.content.decode()
    lift = reverse("wagtail_triggers:lift_block", args=[row.pk])
    assert publisher_client.get(lift).status_code == 200
    publisher_client.post(lift, {"reason": "She wrote again"})
    assert not Suppression.objects.exists()
    assert "She wrote again" in said_by(publisher_client, "wagtail_triggers:suppressions")


def test_who_asked_to_be_forgotten_stays_blocked(publisher_client: Client) -> None:
    mary = known()
    suppressing.suppress(
        [("email", mary.points.get().point_hash)], SuppressionReason.ERASURE, timezone.now()
    )
    lift = reverse("wagtail_triggers:lift_block", args=[Suppression.objects.get().pk])
    answer = publisher_client.post(lift, {"reason": "x"}, follow=True)
    assert "It stays blocked" in answer.content.decode()
    assert Suppression.objects.exists()


def test_what_is_no_address_is_refused_and_nothing_is_lost(publisher_client: Client) -> None:
    answer = publisher_client.post(
        reverse("wagtail_triggers:block_address"),
        {"channel": "email", "address": "not an address", "reason": "x"},
    )
    said = answer.content.decode()
    assert "This is not an e-mail address." in said
    assert "not an address" in said
