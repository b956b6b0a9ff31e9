"""The list of flows says what each earned, how it is, and lets several be paused at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook
from wagtail.models import ModelLogEntry

from oscar_triggers.engine import alarms, installation
from oscar_triggers.models import Breaker, Flow, TemplateVersion
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.editor.test_lists import FLOWS, MOST_QUERIES, queries_of
from tests.insight import rows
from wagtail_triggers import permissions
from wagtail_triggers.models import FlowDraft


@pytest.fixture
def url(root_page: Any) -> str:
    """Return the address of the list."""
    return reverse(f"{FLOWS}:list")


@pytest.fixture
def flow(root_page: Any) -> Flow:
    """Return a live flow with its letter."""
    make_template()
    make_flow(publish=True)
    return Flow.objects.get()


def row_of(client: Client, url: str, key: str = "left-basket", **query: Any) -> Any:
    """Return the row of a flow."""
    found = {row.key: row for row in client.get(url, query).context["object_list"]}
    return found[key]


def keys_of(client: Client, url: str, **query: Any) -> list[str]:
    """Return the keys of the rows, in their order."""
    return [row.key for row in client.get(url, query).context["object_list"]]


def test_a_row_says_what_the_flow_earned_in_thirty_days(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    letter = rows.make_message(flow, now - timedelta(days=5), clicked_at=now)
    rows.make_order(letter, "20.00", "EUR")
    rows.make_order(letter, "5.00", "USD")
    rows.make_message(flow, now - timedelta(days=40), clicked_at=now)
    rows.make_enrollment(flow, now)
    row = row_of(publisher_client, url)
    assert (row.waiting_count, row.sent_count, row.clicked_count, row.order_count) == (1, 1, 1, 2)
    assert row.revenue == "20.00 EUR · 5.00 USD"


def test_flows_are_sorted_by_what_they_earned(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    make_flow("second", publish=True, name="A second one")
    make_flow("third", name="Never published")
    second = Flow.objects.get(key="second")
    rows.make_order(rows.make_message(flow, now - timedelta(days=1)), "10.00")
    for _number in range(2):
        rows.make_message(second, now - timedelta(days=1))
    assert keys_of(publisher_client, url, ordering="-sent_count") == [
        "second",
        "left-basket",
        "third",
    ]
    assert keys_of(publisher_client, url, ordering="-revenue")[0] == "left-basket"
    assert keys_of(publisher_client, url, ordering="order_count")[-1] == "left-basket"


@pytest.mark.parametrize(
    ("happens", "health", "said"),
    [
        ("nothing", "quiet", "Nobody entered"),
        ("somebody enters", "fine", ""),
        ("somebody is held", "errors", "1 person is held."),
        ("a message fails", "errors", "1 message failed"),
        ("its letter goes", "broken", "not there any more"),
        ("its event goes", "broken", "not there any more"),
        ("the guard pauses it", "blasted", "far more than expected"),
        ("sending is stopped", "kept", "All sending is stopped"),
        ("the provider is down", "kept", "mail provider"),
        ("staff pause it", "rests", ""),
    ],
)
def test_a_row_says_how_the_flow_is_and_why(
    publisher_client: Client,
    url: str,
    flow: Flow,
    now: datetime,
    happens: str,
    health: str,
    said: str,
) -> None:
    if happens != "nothing":
        rows.make_enrollment(flow, now)
    if happens == "somebody is held":
        rows.make_enrollment(flow, now, state="held")
    elif happens == "a message fails":
        message = rows.make_message(flow, now, state="dead")
        rows.make_dispatch(message, "dead", now, settled_at=now)
    elif happens == "its letter goes":
        TemplateVersion.objects.all().delete()
    elif happens == "its event goes":
        Flow.objects.update(trigger_kind="gone")
    elif happens == "the guard pauses it":
        Flow.objects.update(state="paused")
        alarms.raise_alarm("blast:left-basket", "Too many.", now)
    elif happens == "sending is stopped":
        installation.stop(now)
    elif happens == "the provider is down":
        Breaker.objects.create(name="email", state="open")
    elif happens == "staff pause it":
        Flow.objects.update(state="paused")
    standing = row_of(publisher_client, url).standing
    assert standing.health == health
    assert said in standing.reason
    assert keys_of(publisher_client, url, health=health) == ["left-basket"]
    other = "fine" if health != "fine" else "errors"
    assert keys_of(publisher_client, url, health=other) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_list_costs_the_same_for_five_hundred_flows_as_for_fifty(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    pattern = FlowDraft.objects.get()

    def more(first: int, last: int) -> None:
        drafts = []
        for number in range(first, last):
            draft = copy(pattern)
            draft.pk, draft.key, draft.name = None, f"flow-{number}", f"Flow {number}"
            drafts.append(draft)
            row = rows.make_flow(draft.key, now=now)
            if number % 10 == 0:
                rows.make_order(rows.make_message(row, now - timedelta(days=1), clicked_at=now))
        FlowDraft.objects.bulk_create(drafts)

    more(0, 49)
    costs = {queries_of(publisher_client, url)[0]}
    costs.add(queries_of(publisher_client, f"{url}?health=quiet&ordering=-revenue")[0])
    more(49, 499)
    costs.add(queries_of(publisher_client, url)[0])
    costs.add(queries_of(publisher_client, f"{url}?health=quiet&ordering=-revenue&p=2")[0])
    costs.add(queries_of(publisher_client, f"{url}?q=flow&ordering=-sent_count")[0])
    assert max(costs) <= MOST_QUERIES


def test_the_list_can_be_taken_into_a_spreadsheet(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    make_flow("sums", name="=SUM(A1)")
    rows.make_order(rows.make_message(flow, now - timedelta(days=1), clicked_at=now), "9.00")
    answer = publisher_client.get(url, {"export": "csv"})
    table = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    first = next(line for line in table if line["Key"] == "left-basket")
    assert (first["Sent, 30 days"], first["Clicked"], first["Revenue"]) == ("1", "1", "9.00 EUR")
    assert next(line for line in table if line["Key"] == "sums")["Flow"] == "'=SUM(A1)"
    workbook = publisher_client.get(url, {"export": "xlsx"})
    sheet = load_workbook(io.BytesIO(workbook.getvalue())).active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]][:3] == ["Flow", "Key", "State"]


def bulk_url(action: str, *keys: str) -> str:
    """Return the address of an action on several flows."""
    address = reverse("wagtail_bulk_action", args=["wagtail_triggers", "flowdraft", action])
    ids = FlowDraft.objects.filter(key__in=keys).values_list("pk", flat=True)
    return address + "?" + "&".join(f"id={pk}" for pk in ids)


def test_several_flows_are_paused_and_resumed_after_a_question(
    publisher_client: Client, url: str, flow: Flow
) -> None:
    make_flow("second", publish=True, name="A second one")
    make_flow("sketch", name="A sketch")
    pause = bulk_url("pause_flows", "left-basket", "second", "sketch")
    asked = publisher_client.get(pause).content.decode()
    assert "Pause these flows?" in asked
    assert "These are not live" in asked
    assert set(Flow.objects.values_list("state", flat=True)) == {"live"}, "asking changes nothing"
    publisher_client.post(pause)
    assert set(Flow.objects.values_list("state", flat=True)) == {"paused"}
    assert ModelLogEntry.objects.filter(action="wagtail_triggers.pause").count() == 2
    publisher_client.post(bulk_url("resume_flows", "second"))
    assert dict(Flow.objects.values_list("key", "state")) == {
        "left-basket": "paused",
        "second": "live",
    }
    assert ModelLogEntry.objects.filter(action="wagtail_triggers.resume").count() == 1


def test_who_may_not_pause_a_flow_cannot_pause_several(
    person: Callable[..., Any], url: str, flow: Flow
) -> None:
    editor = signed_in(person("writer", *permissions.EDITOR))
    address = bulk_url("pause_flows", "left-basket")
    for answer in (editor.get(address), editor.post(address)):
        assert answer.status_code == 302
        assert answer["Location"] == reverse("wagtailadmin_home")
    assert Flow.objects.get().state == "live"


def test_the_page_of_ready_flows_has_a_picture_of_each(publisher_client: Client, url: str) -> None:
    response = publisher_client.get(reverse("wagtail_triggers:ready"))
    page = response.content.decode()
    flows = response.context["flows"]
    assert page.count('class="triggers-picture"') == len(flows)
    basket = next(one for one, _url in flows if one.name == "abandoned-basket")
    shapes = [node.shape for node in basket.picture.nodes]
    assert shapes == ["start", "letter", "wait", "letter", "wait", "letter"]
    assert [node.text for node in basket.picture.nodes][2] == "23 hours"
