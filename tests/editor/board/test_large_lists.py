"""The lists of messages and of people on their way are as quick in a large shop as in a small."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_triggers.engine import saved_segments
from oscar_triggers.models import (
    Contact,
    Dispatch,
    Enrollment,
    Flow,
    Message,
    SegmentMember,
    SegmentRoll,
    Template,
)
from tests.editor.board.large import MANY, before, multiply, scans
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.insight import rows
from wagtail_triggers import permissions
from wagtail_triggers.viewsets import large

#: Of a superuser, of whom no permissions are read; others cost four more, whatever the page.
MOST_QUERIES = 10


@pytest.fixture
def flow(root_page: Any) -> Flow:
    """Return a live flow with its letter."""
    make_template()
    make_flow(publish=True)
    return Flow.objects.get()


@pytest.fixture
def many_messages(flow: Flow, now: datetime) -> Message:
    """Fill the log with letters, of which a few were not sent."""
    template = Template.objects.get()
    sent = rows.make_message(flow, now, template=template)
    failed = rows.make_message(flow, now, template=template, state="dead", reason="bounced")
    number = "CAST(n.i AS varchar)" if connection.vendor == "postgresql" else "n.i"
    changes = {
        "public_id": f"'{{}}' || {number}",
        "idempotency_key": f"'{{}}:' || {number}",
        "planned_at": before("planned_at"),
        "settled_at": before("settled_at"),
    }
    multiply(sent, {name: sql.format("s") for name, sql in changes.items()})
    multiply(failed, {name: sql.format("f") for name, sql in changes.items()}, 40)
    return sent


@pytest.fixture
def many_people(flow: Flow, now: datetime) -> Enrollment:
    """Fill the table of those who went through, of whom a few are held."""
    ended = rows.make_enrollment(
        flow, now, state="ended", exit_reason="completed", ended_at=now, due_at=None
    )
    held = rows.make_enrollment(flow, now, state="held")
    number = "CAST(n.i AS varchar)" if connection.vendor == "postgresql" else "n.i"
    changes = {"episode_key": f"'{{}}:' || {number}", "entered_at": before("entered_at")}
    multiply(ended, {name: sql.format("e") for name, sql in changes.items()})
    multiply(held, {name: sql.format("h") for name, sql in changes.items()}, 40)
    return ended


def asked_by(client: Client, url: str, **query: Any) -> tuple[list[dict[str, str]], Any]:
    """Return what a page asked the database, and its answer."""
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url, query)
    assert response.status_code == 200
    return list(captured), response


LOG = [
    {},
    {"p": "200"},
    {"state": "dead"},
    {"state": "sent"},
    {"reason": "bounced"},
    {"flow": "first"},
    {"channel": "email"},
    {"planned_at_from": "2020-01-01", "planned_at_to": "2020-02-01"},
    {"ordering": "planned_at"},
    {"q": "no-such-thing"},
]
PEOPLE = [
    {},
    {"p": "200"},
    {"state": "held"},
    {"exit_reason": "failed"},
    {"flow": "first"},
    {"entered_at_from": "2020-01-01", "entered_at_to": "2020-02-01"},
    {"q": "4711"},
]


def dear(client: Client, url: str, queries: list[dict[str, str]], table: str) -> list[str]:
    """Return what of these pages reads a whole table, or asks too often."""
    found = []
    client.get(url)  # Permissions, sites and content types are looked up once a process.
    for query in queries:
        wanted = {
            name: Flow.objects.get().pk if value == "first" else value
            for name, value in query.items()
        }
        statements, _response = asked_by(client, url, **wanted)
        if "segment" in query:
            saved_segments.saved()  # Read once in some seconds, and making the rows took longer.
            statements, _response = asked_by(client, url, **wanted)
        found += [f"{query}: {problem}" for problem in scans(statements, table)]
        if len(statements) > MOST_QUERIES:
            asked = "\n".join(one["sql"][:200] for one in statements)
            found.append(f"{query}: {len(statements)} queries:\n{asked}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_page_of_the_log_reads_the_whole_table(admin_user: Any, many_messages: Message) -> None:
    url = reverse("triggers_messages:index")
    found = dear(signed_in(admin_user), url, LOG, Message._meta.db_table)
    assert not found, "\n".join(found)


@pytest.fixture
def segments(now: datetime) -> None:
    """Count one segment of few people and one of many, as if they had been asked."""
    for key, count in (("few", 40), ("many", 30_000)):
        roll = SegmentRoll.objects.create(
            segment=key,
            content_hash=key,
            started_at=now,
            counted_at=now,
            people=count,
        )
        first = rows.make_contact()
        number = "CAST(n.i AS varchar)" if connection.vendor == "postgresql" else "n.i"
        multiply(first, {"identity_key": f"'{key}:' || {number}"}, count)
        ids = Contact.objects.filter(identity_key__startswith=f"{key}:").values_list(
            "pk", flat=True
        )
        SegmentMember.objects.bulk_create(
            [SegmentMember(roll=roll, contact_id=one) for one in ids], batch_size=5_000
        )
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'ANALYZE "{SegmentMember._meta.db_table}"')


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["triggers_messages:index", "triggers_enrollments:index"])
def test_no_segment_makes_a_page_read_the_whole_table(
    admin_user: Any,
    many_messages: Message,
    many_people: Enrollment,
    segments: None,
    name: str,
    settings: Any,
) -> None:
    tea = [{"kind": "has_tag", "tag": "tea"}]
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SEGMENTS": {key: {"conditions": tea} for key in ("few", "many")},
    }
    model = Message if name.startswith("triggers_messages") else Enrollment
    _spread(model)
    found = dear(
        signed_in(admin_user),
        reverse(name),
        [{"segment": "few"}, {"segment": "many"}],
        model._meta.db_table,
    )
    assert not found, "\n".join(found)


def _spread(model: Any) -> None:
    """Give each row of a table to somebody else."""
    table, contacts = model._meta.db_table, Contact._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET contact_id = (SELECT MIN(id) FROM {contacts}) + "
            f"id % (SELECT MAX(id) - MIN(id) FROM {contacts})"
        )
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {table}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_other_page_reads_a_whole_log(
    admin_user: Any, many_messages: Message, many_people: Enrollment
) -> None:
    many_dispatches = rows.make_dispatch(many_messages, "sent", many_messages.due_at)
    first = Message.objects.order_by("pk").values_list("pk", flat=True)[0]
    multiply(many_dispatches, {"message_id": f"{first} + n.i"}, MANY - 1)
    for model in (Message, Enrollment):
        _spread(model)
    message = Message.objects.latest("pk")
    flow = Flow.objects.get()
    client = signed_in(admin_user)
    found = []
    for url, query in (
        (reverse("triggers_messages:inspect", args=[message.pk]), {}),
        (reverse("triggers_enrollments:inspect", args=[many_people.pk]), {}),
        (reverse("triggers_contacts:inspect", args=[message.contact_id]), {}),
        (reverse("triggers_contacts:index"), {}),
        (reverse("wagtail_triggers:why"), {"contact": message.contact_id, "flow": flow.key}),
        (reverse("wagtail_triggers:dashboard"), {"days": 7}),
    ):
        statements, _response = asked_by(client, url, **query)
        for model in (Message, Enrollment, Dispatch):
            table = model._meta.db_table
            found += [f"{url}: {problem}" for problem in scans(statements, table)]
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_long_log_is_counted_up_to_a_limit(
    publisher_client: Client, many_messages: Message
) -> None:
    url = reverse("triggers_messages:index")
    page = publisher_client.get(url)
    assert "More than 10,000" in page.content.decode()
    assert page.context["paginator"].num_pages == 200
    assert "Only the first 10,000 are listed" in page.content.decode()
    few = publisher_client.get(url, {"state": "dead"})
    assert few.context["paginator"].count == 41
    assert "More than" not in few.content.decode()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_page_of_who_is_on_the_way_reads_the_whole_table(
    admin_user: Any, many_people: Enrollment
) -> None:
    url = reverse("triggers_enrollments:index")
    found = dear(signed_in(admin_user), url, PEOPLE, Enrollment._meta.db_table)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_export_is_cut_and_read_row_by_row(
    publisher_client: Client, many_messages: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(large.MOST_EXPORTED, "csv", 2_500)
    url = reverse("triggers_messages:index")
    with CaptureQueriesContext(connection) as captured:
        response = publisher_client.get(url, {"export": "csv"})
        lines = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert len(lines) == 2_500
    assert response.streaming
    assert len(captured) <= MOST_QUERIES + 4
    assert not list(scans(list(captured), Message._meta.db_table))


def test_exports_hold_addresses_for_those_who_may_see_them_only(
    publisher_client: Client, person: Any, flow: Flow, now: datetime
) -> None:
    contact = rows.make_contact()
    contact.points.create(
        channel="email",
        value="anna@example.com",
        normalised="anna@example.com",
        point_hash="hash",
        created_at=now,
    )
    message = rows.make_message(flow, now, contact=contact, template=Template.objects.get())
    rows.make_dispatch(message, "sent", now, point=contact.points.get())
    rows.make_enrollment(flow, now, contact=contact)
    analyst = signed_in(person("analyst", *permissions.ANALYST))
    for name in ("triggers_messages:index", "triggers_enrollments:index"):
        for export in ("", "csv"):
            query = {"export": export} if export else {}
            answer = publisher_client.get(reverse(name), query)
            seen = analyst.get(reverse(name), query)
            said, told = (
                (one.getvalue() if export else one.content).decode() for one in (answer, seen)
            )
            assert "anna@example.com" in said
            assert "anna@example.com" not in told
            assert f"Contact {contact.pk}" in told


def test_messages_are_found_by_channel_and_reason(
    publisher_client: Client, flow: Flow, now: datetime
) -> None:
    template = Template.objects.get()
    by_mail = rows.make_message(flow, now, template=template)
    rows.make_dispatch(by_mail, "sent", now)
    rows.make_message(flow, now, template=template, state="skipped", reason="no_consent")
    url = reverse("triggers_messages:index")
    (found,) = publisher_client.get(url, {"channel": "email"}).context["object_list"]
    assert found.pk == by_mail.pk
    (found,) = publisher_client.get(url, {"reason": "no_consent"}).context["object_list"]
    assert found.state == "skipped"


def test_one_way_shows_its_steps_decisions_and_messages(
    publisher_client: Client, flow: Flow, now: datetime
) -> None:
    row = rows.make_enrollment(flow, now, step_key="pause-1")
    row.decisions.create(
        flow=flow,
        rule="entry",
        verdict="entered",
        compared={"event": "basket_left"},
        decided_at=now - timedelta(hours=2),
        last_seen_at=now,
    )
    message = rows.make_message(
        flow, now - timedelta(hours=1), contact=row.contact, template=Template.objects.get()
    )
    message.items.create(enrollment=row)
    response = publisher_client.get(reverse("triggers_enrollments:inspect", args=[row.pk]))
    page = response.content.decode()
    assert [one.outcome for one in response.context["way"].taken] == ["Entered the flow", "Sent"]
    assert reverse("triggers_messages:inspect", args=[message.pk]) in page
    assert re.search(r'w-status primary"[^>]*>\s*here\s*<', page)
    assert f"Contact {row.contact_id}" in page


def test_people_are_found_by_state_reason_and_what_it_is_about(
    publisher_client: Client, flow: Flow, now: datetime
) -> None:
    waiting = rows.make_enrollment(flow, now, about_id="4711")
    left = rows.make_enrollment(
        flow, now, state="ended", exit_reason="goal", ended_at=now, due_at=None
    )
    url = reverse("triggers_enrollments:index")

    def found(**query: Any) -> set[int]:
        return {row.pk for row in publisher_client.get(url, query).context["object_list"]}

    assert found() == {waiting.pk, left.pk}
    assert found(state="active") == {waiting.pk}
    assert found(exit_reason="goal") == {left.pk}
    assert found(q="4711") == {waiting.pk}
    assert found(q="left bas") == {waiting.pk, left.pk}
    assert "Reached the goal" in publisher_client.get(url).content.decode()
