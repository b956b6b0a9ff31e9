"""Lists and figures of the people of a segment: exact, as counted, and as quick as without."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from oscar_triggers.engine import rolls
from oscar_triggers.models import Contact, Flow, SavedSegment
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.insight.rows import make_enrollment, make_message
from wagtail_triggers import permissions

pytestmark = pytest.mark.django_db

MESSAGES = "triggers_messages:index"
WAYS = "triggers_enrollments:index"
PEOPLE = "triggers_contacts:index"
BOARD = "wagtail_triggers:dashboard"
LISTS = (MESSAGES, WAYS, PEOPLE)


@pytest.fixture
def written_to(
    root_page: Any, tea: SavedSegment, people: Callable[..., Any], now: datetime
) -> dict[str, Contact]:
    """Return two tea drinkers and somebody else, each with a letter and on their way."""
    make_template()
    make_flow(publish=True)
    flow = Flow.objects.get()
    everybody = dict(zip(("anna", "boris"), people("anna", "boris"), strict=True))
    everybody["dmitri"] = people("dmitri")[0]
    everybody["dmitri"].tags.all().delete()
    for one in everybody.values():
        make_message(flow, now, contact=one)
        make_enrollment(flow, now, contact=one)
    return everybody


def listed(client: Client, name: str, **query: Any) -> set[int]:
    """Return the contacts about whom a list's rows are."""
    rows = client.get(reverse(name), {"segment": "tea", **query}).context["object_list"]
    return {row.pk if name == PEOPLE else row.contact_id for row in rows}


def count(client: Client, **posted: Any) -> Any:
    """Press "Count"."""
    return client.post(reverse("wagtail_triggers:count_people", args=["tea"]), posted)


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_whom_the_segment_held_when_it_was_counted(
    publisher_client: Client,
    written_to: dict[str, Contact],
    name: str,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rolls, "FEW", few)
    page = publisher_client.get(reverse(name), {"segment": "tea"})
    assertContains(page, "has not been counted to the end yet")
    assert listed(publisher_client, name) == set()
    there = f"{reverse(name)}?segment=tea"
    assertContains(page, f'name="next" value="{there}"')
    answer = count(publisher_client, next=there)
    assert answer["Location"] == there
    both = {written_to["anna"].pk, written_to["boris"].pk}
    assert listed(publisher_client, name) == both
    # Who left is in it until somebody counts again.
    written_to["anna"].tags.all().delete()
    assert listed(publisher_client, name) == both
    count(publisher_client)
    assert listed(publisher_client, name) == {written_to["boris"].pk}
    assertContains(publisher_client.get(there), "Count again")


def test_a_segment_narrows_what_other_filters_leave(
    publisher_client: Client, written_to: dict[str, Contact]
) -> None:
    count(publisher_client)
    assert listed(publisher_client, MESSAGES, state="dead") == set()
    assert len(listed(publisher_client, MESSAGES, state="sent")) == 2


def test_the_dashboard_counts_the_letters_to_a_segment_only(
    publisher_client: Client, written_to: dict[str, Contact]
) -> None:
    def figures() -> dict[str, str]:
        page = publisher_client.get(reverse(BOARD), {"segment": "tea"})
        return {card.key: card.value for card in page.context["cards"]}

    assert figures()["sent"] == "0"
    count(publisher_client)
    assert (figures()["sent"], figures()["waiting"]) == ("2", "2")
    everybody = publisher_client.get(reverse(BOARD)).context["cards"]
    assert {card.key: card.value for card in everybody}["sent"] == "3"


def test_who_may_not_see_contacts_learns_nothing_of_segments(
    person: Callable[..., Any], written_to: dict[str, Contact]
) -> None:
    client = signed_in(person("viewer", *permissions.VIEWER))
    for name in (MESSAGES, WAYS, BOARD):
        assertNotContains(client.get(reverse(name)), "People of the segment")
        assert client.get(reverse(name), {"segment": "tea"}).status_code == 302
    assert count(client).status_code == 302
    assert rolls.standing("tea").counting is None


def test_counting_leads_to_no_other_site_and_to_no_unknown_segment(
    publisher_client: Client, tea: SavedSegment
) -> None:
    answer = count(publisher_client, next="https://elsewhere.example/")
    assert answer["Location"] == reverse("triggers_segments:index")
    unknown = reverse("wagtail_triggers:count_people", args=["coffee"])
    assert publisher_client.post(unknown).status_code == 404
    assert (
        publisher_client.get(reverse("wagtail_triggers:count_people", args=["tea"])).status_code
        == 405
    )


def test_a_changed_segment_says_that_it_must_be_counted_again(
    publisher_client: Client, written_to: dict[str, Contact], tea: SavedSegment
) -> None:
    count(publisher_client)
    tea.conditions = [{"kind": "has_tag", "tag": "coffee"}]
    tea.save()
    page = publisher_client.get(reverse(MESSAGES), {"segment": "tea"})
    assertContains(page, "Its conditions were changed since")


@pytest.mark.parametrize(("name", "most"), [(MESSAGES, 10), (WAYS, 12), (PEOPLE, 12), (BOARD, 18)])
def test_a_segment_costs_no_more_questions_for_many_people(
    admin_user: Any,
    written_to: dict[str, Contact],
    people: Callable[..., Any],
    now: datetime,
    name: str,
    most: int,
) -> None:
    client = signed_in(admin_user)
    costs = []
    for number in range(2):
        count(client)
        client.get(reverse(name), {"segment": "tea"})
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(name), {"segment": "tea"}).status_code == 200
        costs.append(len(captured))
        for one in people(*[f"reader-{number}-{each}" for each in range(30)]):
            make_message(Flow.objects.get(), now, contact=one)
            make_enrollment(Flow.objects.get(), now, contact=one)
    assert costs[0] == costs[1] <= most
