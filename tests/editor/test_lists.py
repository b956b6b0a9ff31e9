"""Lists say where everything stands, in as many queries for sixty rows as for one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import (
    Contact,
    ContactPoint,
    Decision,
    Dispatch,
    Enrollment,
    Flow,
    Message,
    Template,
)
from tests.editor.conftest import make_flow, make_template, signed_in
from wagtail_triggers import permissions
from wagtail_triggers.models import FlowDraft
from wagtail_triggers.wording import compared_rows

FLOWS = "wagtailsnippets_wagtail_triggers_flowdraft"
TEMPLATES = "wagtailsnippets_wagtail_triggers_templatedraft"
MOST_QUERIES = 12
#: One message with its decisions, what came back of it, and the story of its reader.
MOST_FOR_THE_STORY = 14


def contact(number: int) -> Contact:
    """Return someone with an address."""
    now = timezone.now()
    person = Contact.objects.create(
        identity_key=f"email:{number}", first_name="Anna", created_at=now
    )
    ContactPoint.objects.create(
        contact=person,
        channel="email",
        value=f"anna{number}@example.com",
        normalised=f"anna{number}@example.com",
        point_hash=f"hash{number}",
        created_at=now,
    )
    return person


def enrollment(flow: Flow, person: Contact, state: str = "active") -> Enrollment:
    """Put someone on a flow."""
    now = timezone.now()
    return Enrollment.objects.create(
        flow=flow,
        version=flow.live_version,
        contact=person,
        episode_key=f"basket:{person.pk}:1",
        about_type="basket",
        about_id=str(person.pk),
        state=state,
        step_key="letter-1",
        clock_at=now,
        entered_at=now,
    )


def message(number: int, *, state: str = "sent", **fields: Any) -> Message:
    """Write a message of the first flow into the log."""
    now = timezone.now()
    flow = Flow.objects.get(key="left-basket")
    person = contact(number)
    row = Message.objects.create(
        **{
            "idempotency_key": f"m{number}",
            "contact": person,
            "flow": flow,
            "step_key": "letter-1",
            "template": Template.objects.get(key="letter-1"),
            "stream": "promotional",
            "topic": "offers",
            "about_type": "basket",
            "about_id": str(number),
            "state": state,
            "planned_at": now - timedelta(minutes=number),
            "due_at": now,
            "not_after": now,
            "settled_at": now,
            "payload": {
                "letter": {
                    "subject": f"Letter {number}",
                    "html": f"<body><h1>Hello Anna {number}</h1><script>alert(1)</script></body>",
                    "text": f"Hello Anna {number}",
                }
            },
            **fields,
        }
    )
    Dispatch.objects.create(
        message=row,
        channel="email",
        point=person.points.get(),
        state=state,
        due_at=now,
        attempt=1,
        provider="smtp",
    )
    row.items.create(enrollment=enrollment(flow, person, "ended"))
    Decision.objects.create(
        message=row,
        flow=flow,
        rule="consent",
        verdict="allowed",
        compared={"topic": "offers", "consent_event": 7},
        decided_at=now,
        last_seen_at=now,
    )
    return row


def queries_of(client: Client, url: str) -> tuple[int, str]:
    """Return how many queries a page costs, with the page."""
    client.get(url)  # Permissions, sites and content types are looked up once a process.
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(url)
    assert response.status_code == 200
    return len(captured), response.content.decode()


@pytest.mark.parametrize("user", ["publisher", "superuser"])
def test_the_list_of_flows_costs_the_same_for_sixty_rows_as_for_one(
    publisher_client: Client, user: str, admin_user: Any
) -> None:
    client = publisher_client if user == "publisher" else signed_in(admin_user)
    make_template()
    make_flow(publish=True)
    url = reverse(f"{FLOWS}:list")
    for_one, _page = queries_of(client, url)
    for number in range(59):
        make_flow(f"flow-{number}", publish=number % 2 == 0, name=f"Flow {number}")
    for_sixty, page = queries_of(client, url)
    assert "Flow 3" in page
    assert for_one == for_sixty <= MOST_QUERIES


def test_the_list_of_templates_costs_the_same_for_sixty_rows_as_for_one(
    publisher_client: Client,
) -> None:
    make_template()
    url = reverse(f"{TEMPLATES}:list")
    for_one, _page = queries_of(publisher_client, url)
    for number in range(59):
        make_template(f"letter-{number + 2}", publish=False, name=f"Letter {number}")
    for_sixty, _page = queries_of(publisher_client, url)
    assert for_one == for_sixty <= MOST_QUERIES


def test_the_log_costs_the_same_for_sixty_rows_as_for_one(publisher_client: Client) -> None:
    make_template()
    make_flow(publish=True)
    message(0)
    url = reverse("triggers_messages:index")
    for_one, _page = queries_of(publisher_client, url)
    for number in range(1, 60):
        message(number)
    for_sixty, page = queries_of(publisher_client, url)
    assert "anna3@example.com" in page
    newest = Message.objects.order_by("-planned_at")[0]
    assert reverse("triggers_messages:inspect", args=[newest.pk]) in page
    assert for_one == for_sixty <= MOST_QUERIES


def test_the_list_says_where_each_flow_stands_and_counts(publisher_client: Client) -> None:
    make_template()
    make_flow(publish=True)
    flow = Flow.objects.get()
    for number, state in enumerate(["active", "active", "held", "ended"]):
        enrollment(flow, contact(number), state)
    message(50)
    message(51, state="skipped")
    (row,) = publisher_client.get(reverse(f"{FLOWS}:list")).context["object_list"]
    assert (row.waiting_count, row.sent_count) == (3, 1)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("live", ["running"]),
        ("changed", ["changed"]),
        ("paused", ["resting"]),
        ("archived", ["gone"]),
        ("shadow", ["rehearsing"]),
        ("draft", ["sketch"]),
    ],
)
def test_flows_are_found_by_their_state(
    publisher_client: Client, state: str, found: list[str]
) -> None:
    make_template()
    for key in ("running", "changed", "resting", "gone", "rehearsing"):
        make_flow(key, publish=True)
    make_flow("sketch")
    FlowDraft.objects.get(key="changed").save_revision()
    Flow.objects.filter(key="resting").update(state="paused")
    Flow.objects.filter(key="rehearsing").update(state="shadow")
    FlowDraft.objects.get(key="gone").unpublish()
    FlowDraft.objects.filter(key="changed").update(has_unpublished_changes=True)
    response = publisher_client.get(reverse(f"{FLOWS}:list"), {"state": state})
    assert [row.key for row in response.context["object_list"]] == found


def test_flows_are_found_by_what_starts_them_and_by_name(publisher_client: Client) -> None:
    make_flow("one", name="Spring")
    make_flow("two", name="Autumn", trigger=[{"type": "order_placed", "value": None}])
    url = reverse(f"{FLOWS}:list")
    by_trigger = publisher_client.get(url, {"trigger": "basket_left"})
    assert [row.key for row in by_trigger.context["object_list"]] == ["one"]
    by_name = publisher_client.get(url, {"q": "autu", "ordering": "-sent_count"})
    assert [row.key for row in by_name.context["object_list"]] == ["two"]


def test_an_empty_list_says_what_to_do_next(publisher_client: Client) -> None:
    said = publisher_client.get(reverse(f"{FLOWS}:list")).content.decode()
    assert "Nothing is sent yet" in said
    assert reverse(f"{FLOWS}:add") in said


def test_the_log_shows_addresses_to_those_who_may_see_them_only(
    publisher_client: Client, person: Any
) -> None:
    make_template()
    make_flow(publish=True)
    row = message(1)
    viewer = signed_in(person("viewer", *permissions.VIEWER))
    for url in (
        reverse("triggers_messages:index"),
        reverse("triggers_messages:inspect", args=[row.pk]),
    ):
        assert "anna1@example.com" in publisher_client.get(url).content.decode()
        seen = viewer.get(url).content.decode()
        assert "anna1@example.com" not in seen
        assert "Hello Anna" not in seen
        assert f"Contact {row.contact_id}" in seen


def test_the_log_is_narrowed_by_state_flow_template_and_date(publisher_client: Client) -> None:
    make_template()
    make_flow(publish=True)
    sent, skipped = message(1), message(2, state="skipped", reason="no_consent")
    url = reverse("triggers_messages:index")

    def found(**query: Any) -> set[int]:
        return {row.pk for row in publisher_client.get(url, query).context["object_list"]}

    assert found(state="skipped") == {skipped.pk}
    assert found(flow=Flow.objects.get().pk) == {sent.pk, skipped.pk}
    assert found(template=Template.objects.get().pk, state="sent") == {sent.pk}
    assert found(planned_at_from="2001-01-01", planned_at_to="2001-01-02") == set()
    assert found(q="left basket") == {sent.pk, skipped.pk}
    assert "Never agreed to such messages" in publisher_client.get(url).content.decode()


def test_a_message_shows_what_was_said_each_try_and_each_decision(
    publisher_client: Client,
) -> None:
    make_template()
    make_flow(publish=True)
    row = message(1)
    url = reverse("triggers_messages:inspect", args=[row.pk])
    count, page = queries_of(publisher_client, url)
    assert count <= MOST_QUERIES + MOST_FOR_THE_STORY
    assert "Letter 1" in page
    assert "Hello Anna 1" in page
    assert "consent event:</span> 7" in page
    assert "smtp" in page
    assert re.search(r'w-status primary"[^>]*>\s*this message\s*<', page)
    assert "List-Unsubscribe" in page
    frame = publisher_client.get(reverse("wagtail_triggers:message_html", args=[row.pk]))
    assert frame["Content-Security-Policy"].startswith("sandbox")
    assert "default-src 'none'" in frame["Content-Security-Policy"]
    assert "script-src" not in frame["Content-Security-Policy"]
    assert "<body inert>" in frame.content.decode(), "its links are not staff's to follow"
    assert "<script>" not in page, "the letter stands in its frame only"


def test_compared_values_read_as_staff_speak(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    rows = dict(
        compared_rows(
            {
                "left_at": "2026-11-22T10:00:00+00:00",
                "member": True,
                "consent": {"topic": "offers", "given": False},
                "stock": {"23": {"price": "9.00"}},
                "order": None,
            }
        )
    )
    assert rows == {
        "left at": "Nov. 22, 2026, 10 a.m.",
        "member": "yes",
        "consent": "topic Offers and reminders, given no",
        "stock › 23": "price 9.00",
        "order": "–",
    }


def test_an_erased_message_still_has_its_page(publisher_client: Client) -> None:
    make_template()
    make_flow(publish=True)
    row = message(1, payload=None)
    page = publisher_client.get(reverse("triggers_messages:inspect", args=[row.pk]))
    assert "has been erased since" in page.content.decode()
    frame = publisher_client.get(reverse("wagtail_triggers:message_html", args=[row.pk]))
    assert frame.status_code == 404
