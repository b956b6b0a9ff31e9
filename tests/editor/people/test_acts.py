"""What staff do for a person is done by the engine's rules, with a reason and a history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import by_staff, letting_in, sending_again, suppressing
from oscar_triggers.models import (
    ConsentAction,
    ConsentEvent,
    Contact,
    Decision,
    Enrollment,
    Flow,
    JournalEntry,
    Message,
    ProductRequest,
    Suppression,
    SuppressionReason,
)
from oscar_triggers.policy import consent
from tests.editor.conftest import signed_in
from tests.editor.people.test_contacts import known, page_of
from tests.policy.rows import enroll, make_flow, plan_message
from wagtail_triggers import permissions

pytestmark = pytest.mark.django_db


def act(client: Client, contact: Contact, verb: str, target: int = 0, **values: Any) -> str:
    """Do something as staff do: fill the form in and post it; return what the page says then."""
    url = reverse("wagtail_triggers:act", args=[contact.pk, verb, target])
    assert client.get(url).status_code == 200
    answer = client.post(url, {"reason": "She called us", **values}, follow=True)
    return unescape(answer.content.decode())


def left_basket(contact: Contact, number: int = 7) -> JournalEntry:
    """Write down that a contact left a basket an hour ago."""
    moment = timezone.now() - timedelta(hours=1)
    return JournalEntry.objects.create(
        kind="basket_left",
        dedup_key=f"basket:{number}:1",
        contact=contact,
        about_type="basket",
        about_id=str(number),
        payload={"basket_id": number, "episode": 1, "idle": 3600},
        occurred_at=moment,
        recorded_at=moment,
        routed_at=moment,
    )


def agreed(contact: Contact) -> None:
    """Let a contact agree to letters."""
    consent.write_many(
        [
            consent.Line(
                channel="email",
                point_hash=contact.points.get().point_hash,
                topic="offers",
                action=ConsentAction.GRANT,
                source="checkout",
                occurred_at=timezone.now(),
            )
        ],
        timezone.now(),
    )


def test_stopping_everything_ends_cancels_and_withdraws(publisher_client: Client) -> None:
    mary = known()
    agreed(mary)
    way = enroll(make_flow("left-basket"), mary.pk, "basket:7:1", step_key="wait-1")
    letter = plan_message(way, "mary@example.com")
    request = ProductRequest.objects.create(
        contact=mary, kind="back", state="waiting", product_id=1, created_at=timezone.now()
    )
    said = act(publisher_client, mary, "stop")
    for row in (way, letter, request):
        row.refresh_from_db()
    assert (way.state, way.exit_reason) == ("ended", "cancelled")
    assert letter.state == "cancelled"
    assert request.state == "cancelled"
    standing = consent.state("email", mary.points.get().point_hash, "offers")
    assert standing is not None
    assert not standing.allowed
    assert not Suppression.objects.exists()
    assert "Everything is stopped: 1 flows, 1 planned messages, 1 requests" in said
    assert "Stopped everything" in said
    assert "She called us" in said
    assert "publisher" in said


def test_stopping_everything_may_block_the_addresses_too(publisher_client: Client) -> None:
    mary = known()
    act(publisher_client, mary, "stop", block="on")
    row = Suppression.objects.get()
    assert (row.reason, row.note) == ("manual", "She called us")


def test_without_a_reason_nothing_is_done(publisher_client: Client) -> None:
    mary = known()
    way = enroll(make_flow("left-basket"), mary.pk, "basket:7:1", step_key="wait-1")
    said = act(publisher_client, mary, "take-out", way.pk, reason=" ")
    assert "This field is required" in said
    way.refresh_from_db()
    assert way.state == "active"


def test_a_block_of_staffs_is_lifted_by_staff_and_a_complaint_is_not(
    publisher_client: Client,
) -> None:
    mary = known()
    point = mary.points.get()
    act(publisher_client, mary, "block", point.pk)
    assert Suppression.objects.get().reason == SuppressionReason.MANUAL
    act(publisher_client, mary, "unblock", point.pk)
    assert not Suppression.objects.exists()
    suppressing.suppress([("email", point.point_hash)], SuppressionReason.COMPLAINT, timezone.now())
    said = act(publisher_client, mary, "unblock", point.pk)
    assert "never written to again" in said
    assert Suppression.objects.exists()


def test_consent_that_staff_record_names_them_and_their_withdrawal_too(
    publisher_client: Client, publisher: Any
) -> None:
    mary = known()
    point = mary.points.get()
    act(publisher_client, mary, "grant", point.pk, topic="offers")
    line = ConsentEvent.objects.get()
    assert (line.actor, line.source) == (publisher, "admin")
    assert "I would like to receive" in line.text
    act(publisher_client, mary, "withdraw", point.pk, topic="*")
    standing = consent.state("email", point.point_hash, "offers")
    assert standing is not None
    assert not standing.allowed
    said = act(publisher_client, mary, "withdraw", point.pk, topic="offers")
    assert "unsubscribed already" in said


def test_a_flow_about_baskets_takes_in_whoever_left_one(publisher_client: Client) -> None:
    mary, flow = known(), make_flow("left-basket")
    left_basket(mary)
    said = act(publisher_client, mary, "add", flow=flow.key)
    assert "They are in the flow" in said
    way = Enrollment.objects.get()
    assert (way.about_type, way.about_id, way.state) == ("basket", "7", "active")
    entered = Decision.objects.get(verdict="entered")
    assert entered.rule == "staff"
    said = act(publisher_client, mary, "add", flow=flow.key)
    assert "they were in the flow for this very thing already" in said
    assert Enrollment.objects.count() == 1


def test_a_flow_about_baskets_refuses_who_left_none(publisher_client: Client) -> None:
    mary, flow = known(), make_flow("left-basket")
    said = act(publisher_client, mary, "add", flow=flow.key)
    assert "never happened to them" in said
    assert not Enrollment.objects.exists()
    assert "Added to a flow" not in page_of(publisher_client, mary)


def test_a_paused_flow_takes_nobody_in_by_hand(publisher_client: Client) -> None:
    mary, flow = known(), make_flow("left-basket")
    left_basket(mary)
    Flow.objects.filter(pk=flow.pk).update(state="paused", paused_at=timezone.now())
    assert "the flow was paused since" in act(publisher_client, mary, "add", flow=flow.key)


def test_start_conditions_are_asked_by_hand_too() -> None:
    mary, flow = known(), make_flow("left-basket")
    left_basket(mary)
    version = flow.live_version
    assert version is not None
    definition = {**version.definition, "entry": [{"kind": "contact_has_tag", "tag": "regular"}]}
    type(version).objects.filter(pk=version.pk).update(
        definition=definition, content_hash="with entry"
    )
    flow.refresh_from_db()
    refused = letting_in.let_in(mary, Flow.objects.get(pk=flow.pk), timezone.now(), by=None)
    assert refused.enrollment_id is None
    assert refused.reason


def test_a_message_is_owed_again_as_a_new_one(publisher_client: Client) -> None:
    mary = known()
    agreed(mary)
    way = enroll(make_flow("left-basket"), mary.pk, "basket:7:1", step_key="wait-1")
    first = plan_message(way, "mary@example.com", state="sent")
    first.dispatches.update(state="sent")
    said = act(publisher_client, mary, "send-again", first.pk)
    assert "sent again" in said
    copy = Message.objects.exclude(pk=first.pk).get()
    assert (copy.state, copy.template, copy.flow) == ("planned", first.template, first.flow)
    assert copy.dispatches.get().state == "planned"
    assert list(copy.items.values_list("enrollment", flat=True)) == [way.pk]
    said = act(publisher_client, mary, "send-again", first.pk)
    assert "on its way already" in said
    assert Message.objects.count() == 2


def test_who_unsubscribed_is_sent_nothing_again(publisher_client: Client) -> None:
    mary = known()
    agreed(mary)
    way = enroll(make_flow("left-basket"), mary.pk, "basket:7:1", step_key="wait-1")
    first = plan_message(way, "mary@example.com", state="sent")
    by_staff.withdraw(mary.points.get(), topic="news", now=timezone.now(), by=None)
    first.dispatches.update(state="sent")
    by_staff.withdraw(mary.points.get(), topic="*", now=timezone.now(), by=None)
    Enrollment.objects.update(state="active", exit_reason="", ended_at=None)
    said = act(publisher_client, mary, "send-again", first.pk)
    assert "they took their consent back" in said
    assert Message.objects.count() == 1


def test_a_message_in_doubt_is_decided_about_first() -> None:
    mary = known()
    way = enroll(make_flow("left-basket"), mary.pk, "basket:7:1", step_key="wait-1")
    first = plan_message(way, "mary@example.com", state="unknown")
    first.dispatches.update(state="unknown")
    again = sending_again.send_again(first.pk, timezone.now(), by=None)
    assert again.reason == sending_again.IN_DOUBT


def test_somebody_elses_rows_are_out_of_reach(publisher_client: Client) -> None:
    mary, john = known(), known("john@example.com", "John", "Poole")
    way = enroll(make_flow("left-basket"), john.pk, "basket:7:1", step_key="wait-1")
    url = reverse("wagtail_triggers:act", args=[mary.pk, "take-out", way.pk])
    assert publisher_client.post(url, {"reason": "x"}).status_code == 404
    way.refresh_from_db()
    assert way.state == "active"


def test_who_only_sees_contacts_changes_nothing(person: Callable[..., Any]) -> None:
    mary = known()
    client = signed_in(person("reader", *permissions.VIEWER, permissions.VIEW_PERSONAL_DATA))
    assert "Stop everything" not in page_of(client, mary)
    url = reverse("wagtail_triggers:act", args=[mary.pk, "stop", 0])
    client.post(url, {"reason": "x"})
    assert not ConsentEvent.objects.exists()
