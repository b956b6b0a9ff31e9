"""The dashboard says what was sent, what came of it, who waits, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from oscar_triggers.engine import alarms, installation
from oscar_triggers.models import Flow, Pulse
from tests.editor.conftest import signed_in
from tests.editor.test_lists import queries_of
from tests.insight.rows import (
    make_contact,
    make_dispatch,
    make_enrollment,
    make_flow,
    make_message,
    make_order,
)
from wagtail_triggers import permissions

MOST_QUERIES = 21


@pytest.fixture
def url(root_page: Any) -> str:
    """Return the address of the dashboard."""
    return reverse("wagtail_triggers:dashboard")


@pytest.fixture
def flow(now: datetime) -> Flow:
    """Return a live flow of a shop whose engine runs."""
    Pulse.objects.create(name="tick", ran_at=now)
    return make_flow("left-basket", now=now)


def test_it_shows_the_figures_of_the_period_with_how_they_moved(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    for _number in range(3):
        make_message(flow, now - timedelta(days=2), clicked_at=now)
    make_order(make_message(flow, now - timedelta(days=3)), "1234.50", "EUR")
    for _number in range(2):
        make_message(flow, now - timedelta(days=31))
    response = publisher_client.get(url)
    cards = {card.key: card for card in response.context["cards"]}
    assert cards["sent"].value == "4"
    assert (cards["sent"].trend, cards["sent"].trend_text) == (
        "up",
        "100 % more than in the 30 days before",
    )
    assert cards["clicked"].note == "75.0 % of what was sent"
    assert cards["revenue-EUR"].value == "1,234.50 EUR"
    page = response.content.decode()
    assert 'id="triggers-chart-data"' in page
    assert "Show as tables" in page


def test_it_leads_to_the_ready_flows_while_nothing_was_sent(
    publisher_client: Client, url: str
) -> None:
    page = publisher_client.get(url).content.decode()
    assert "Nothing was sent yet" in page
    assert reverse("wagtail_triggers:ready") in page
    assert "triggers-chart-data" not in page


def test_it_can_be_narrowed_to_a_time_and_to_one_flow(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    other = make_flow("after-order", now=now)
    make_message(flow, now - timedelta(days=20))
    make_message(other, now - timedelta(days=2))

    def sent(**query: Any) -> str:
        cards = publisher_client.get(url, query).context["cards"]
        return next(card.value for card in cards if card.key == "sent")

    assert sent() == "2"
    assert sent(days=7) == "1"
    assert sent(flow=flow.pk) == "1"
    assert sent(flow=flow.pk, days=7) == "0"
    assert sent(flow="nonsense", days="-3") == "2", "what cannot be read is as if it were not there"


def test_it_says_who_waits_and_what_the_next_day_brings(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    make_enrollment(flow, now, due_at=now + timedelta(hours=2))
    make_enrollment(flow, now, due_at=now + timedelta(days=2))
    make_enrollment(flow, now, state="ended", due_at=None)
    waiting = make_message(flow, now, state="planned", settled_at=None)
    make_dispatch(waiting, "planned", now + timedelta(minutes=5))
    (row,) = publisher_client.get(url).context["upcoming"]
    assert (row.people, row.people_due, row.messages, row.messages_due) == (2, 1, 1, 1)
    assert row.first_due_at == now + timedelta(minutes=5)


def test_nothing_of_a_paused_flow_is_due(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    Flow.objects.update(state="paused")
    make_enrollment(flow, now, due_at=now + timedelta(hours=2))
    (row,) = publisher_client.get(url).context["upcoming"]
    assert (row.people, row.people_due, row.first_due_at) == (1, 0, None)


def test_what_is_wrong_stands_first_with_what_to_do(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    Flow.objects.filter(pk=flow.pk).update(state="paused")
    alarms.raise_alarm("blast:left-basket", "It sent too much.", now)
    alarms.raise_alarm("sweep:baskets", "The sweep fails.", now, advice="See the log.")
    make_dispatch(make_message(flow, now, state="dead"), "dead", now, settled_at=now)
    make_dispatch(make_message(flow, now, state="unknown"), "unknown", now, settled_at=now)
    make_enrollment(flow, now, state="held")
    installation.stop(now, reason="Prices are wrong.")
    response = publisher_client.get(url)
    found = [(one.text, one.url) for one in response.context["troubles"]]
    texts = [text for text, _url in found]
    assert any("All sending is stopped" in text and "Prices are wrong" in text for text in texts)
    assert "The sweep fails." in texts
    assert any("wanted to send far more" in text for text in texts)
    links = dict(found)
    assert links["1 message failed in the last week."].endswith("?state=dead")
    assert "state=held" in links[next(text for text in texts if "is held" in text)]
    assert texts.index("The sweep fails.") < texts.index("1 message failed in the last week.")
    assert all(one.what_to_do for one in response.context["troubles"])


def test_an_engine_that_stands_still_is_told_where_flows_wait_for_it(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    Pulse.objects.update(ran_at=now - timedelta(minutes=10))
    (trouble, *_rest) = publisher_client.get(url).context["troubles"]
    assert "stands still" in trouble.text
    Flow.objects.update(state="archived")
    assert not publisher_client.get(url).context["troubles"]


def test_it_costs_the_same_for_thirty_flows_as_for_one(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    def fill(row: Flow) -> None:
        make_order(make_message(row, now - timedelta(days=3), clicked_at=now))
        make_enrollment(row, now)
        make_enrollment(row, now, state="held")
        make_dispatch(make_message(row, now, state="dead"), "dead", now, settled_at=now)

    fill(flow)
    for_one, _page = queries_of(publisher_client, url)
    for number in range(29):
        fill(make_flow(f"flow-{number}", now=now))
    for_thirty, _page = queries_of(publisher_client, url)
    assert for_one == for_thirty <= MOST_QUERIES


def test_it_needs_the_permission_to_see_messages(
    person: Callable[..., Any], url: str, now: datetime
) -> None:
    nobody = signed_in(person("nobody", "wagtailadmin.access_admin"))
    assert nobody.get(url).status_code == 302
    viewer = signed_in(person("viewer", "wagtailadmin.access_admin", permissions.VIEW_MESSAGES))
    assert viewer.get(url).status_code == 200


def test_letters_to_nobody_known_any_more_still_count(
    publisher_client: Client, url: str, flow: Flow, now: datetime
) -> None:
    message = make_message(flow, now - timedelta(days=1), contact=make_contact())
    type(message).objects.update(contact=None)
    cards = publisher_client.get(url).context["cards"]
    assert next(card.value for card in cards if card.key == "sent") == "1"
