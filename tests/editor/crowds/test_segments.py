"""Segments are written in words, counted while they are, and kept where something needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains

from oscar_triggers.models import OneOffLetter, SavedSegment
from tests.editor.conftest import make_flow, make_template, signed_in

from .conftest import segment_form

pytestmark = pytest.mark.django_db

ADD = "triggers_segments:add"
TEA = ("has_tag", {"tag": "tea"})


def said(response: Any) -> str:
    """Return what a refused form says of its conditions."""
    [error] = response.context["form"].errors.as_data()["conditions"]
    return " ".join(map(str, error.non_block_errors))


def test_an_editor_writes_a_segment_and_sees_how_many_belong(
    editor: Any, people: Callable[..., Any]
) -> None:
    people("anna", "boris")
    client = signed_in(editor)
    response = client.post(reverse(ADD), segment_form(TEA))
    row = SavedSegment.objects.get()
    assert response.status_code == 302, response.context["form"].errors
    assert row.conditions == [{"kind": "has_tag", "tag": "tea"}]
    assert row.changed_by == editor
    page = client.get(response["Location"])
    assertContains(page, "Tea drinkers")
    counted = client.post(
        reverse("wagtail_triggers:count_segment", args=[row.pk]), segment_form(TEA)
    )
    assertContains(counted, "Matches 2 people now, of 2.")
    listed = client.get(reverse("triggers_segments:index"))
    assertContains(listed, "Has a tag: tea")
    row.refresh_from_db()
    assert row.people == 2


def test_what_is_not_saved_yet_is_counted_too(editor: Any, people: Callable[..., Any]) -> None:
    people("anna")
    client = signed_in(editor)
    address = reverse("wagtail_triggers:count_new_segment")
    assertContains(client.post(address, segment_form(TEA)), "Matches 1 person now, of 1.")
    assertContains(client.post(address, segment_form()), "Add a condition")
    assertContains(
        client.post(address, segment_form(("has_tag", {"tag": ""}))), "Complete the conditions"
    )
    assert SavedSegment.objects.count() == 0


def test_a_segment_asks_about_people_and_never_about_itself(editor: Any, tea: SavedSegment) -> None:
    client = signed_in(editor)
    address = reverse("triggers_segments:edit", args=[tea.pk])
    response = client.post(address, segment_form(("in_segment", {"segment": "tea"})))
    assert "would ask for itself: tea → tea" in said(response)
    response = client.post(address, segment_form())
    assert "conditions" in response.context["form"].errors
    form = client.get(address).context["form"]
    offered = set(form.fields["conditions"].block.child_blocks)
    assert {"has_tag", "order_count", "in_segment", "any"} <= offered
    assert not {"basket_worth", "event_field", "no_reaction"} & offered


def test_a_segment_in_use_is_not_deleted(
    publisher_client: Client, tea: SavedSegment, now: Any
) -> None:
    make_template()
    make_flow(publish=True, entry=[{"type": "in_segment", "value": {"segment": "tea"}}])
    OneOffLetter.objects.create(
        name="First flush",
        segment="tea",
        template="letter-1",
        topic="offers",
        created_at=now,
        changed_at=now,
    )
    address = reverse("triggers_segments:delete", args=[tea.pk])
    response = publisher_client.post(address, follow=True)
    assertContains(response, "is used by “Left basket”, “First flush”")
    assert SavedSegment.objects.filter(pk=tea.pk).exists()
    listed = publisher_client.get(reverse("triggers_segments:index"))
    assertContains(listed, "Left basket, 1 one-off letter")


def test_who_may_not_publish_changes_no_segment_that_a_live_flow_asks_for(
    editor: Any, publisher_client: Client, tea: SavedSegment
) -> None:
    make_template()
    make_flow(publish=True, entry=[{"type": "in_segment", "value": {"segment": "tea"}}])
    address = reverse("triggers_segments:edit", args=[tea.pk])
    changed = segment_form(("has_tag", {"tag": "coffee"}))
    assert "Only who may publish them" in said(signed_in(editor).post(address, changed))
    assert publisher_client.post(address, changed).status_code == 302
    tea.refresh_from_db()
    assert tea.conditions == [{"kind": "has_tag", "tag": "coffee"}]


def test_the_list_costs_the_same_however_many_segments_there_are(
    editor: Any, now: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        SavedSegment.objects.create(
            key=f"s-{number}",
            name=f"Segment {number}",
            conditions=[{"kind": "has_tag", "tag": "tea"}],
            changed_at=now,
        )
    client = signed_in(editor)
    client.get(reverse("triggers_segments:index"))
    with django_assert_max_num_queries(12):
        client.get(reverse("triggers_segments:index"))
