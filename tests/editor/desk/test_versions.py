"""Published versions: who stands in each, what differs, and an older one made live again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.models import Enrollment, Flow, FlowVersion
from tests.editor.conftest import make_flow, make_template, signed_in
from tests.editor.forms import flow_form
from wagtail_triggers.differences import Sort, differences
from wagtail_triggers.models import FlowDraft, TemplateDraft
from wagtail_triggers.versions import versions_of

from .test_panels import FORK, place

pytestmark = pytest.mark.django_db


def edit_url(draft: FlowDraft) -> str:
    """Return the address of a draft's form."""
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk])


def version_url(draft: FlowDraft, number: int) -> str:
    """Return the address of an older version."""
    return reverse("wagtail_triggers:flow_version", args=[draft.pk, number])


@pytest.fixture
def twice(publisher_client: Client) -> FlowDraft:
    """Return a flow that waited a day, and now waits for three; somebody is in the first."""
    make_template()
    draft = make_flow(publish=True)
    place(None, draft)
    raw = draft.steps.stream_block.get_prep_value(draft.steps)
    raw[0]["value"]["duration"] = {"amount": 3, "unit": "d"}
    data = {**flow_form(draft, steps=raw), "action-publish": "1"}
    assert publisher_client.post(edit_url(draft), data).status_code == 302
    return FlowDraft.objects.get(pk=draft.pk)


def test_the_form_lists_versions_with_who_published_them_and_who_stands_in_them(
    publisher_client: Client, publisher: Any, twice: FlowDraft
) -> None:
    newest, oldest = versions_of(twice.key)
    assert (newest.number, newest.is_live, newest.people, newest.by) == (2, True, 0, "publisher")
    assert (oldest.number, oldest.is_live, oldest.people) == (1, False, 1)
    html = publisher_client.get(edit_url(twice)).content.decode()
    assert f'href="{version_url(twice, 1)}"' in html
    assert f'href="{version_url(twice, 2)}"' not in html


def test_the_difference_is_told_in_the_words_of_the_form(
    publisher_client: Client, twice: FlowDraft
) -> None:
    html = publisher_client.get(version_url(twice, 1)).content.decode()
    assert re.search(r"1\. Wait.*<del>3 days</del>.*<ins>1 day</ins>", html, re.DOTALL)
    assert "1 person is on the way in another version" in html or "another version" in html


def test_an_older_version_goes_live_again_without_becoming_a_new_one(
    publisher_client: Client, twice: FlowDraft
) -> None:
    response = publisher_client.post(version_url(twice, 1), {"people": "keep"})
    assert response["Location"] == edit_url(twice)
    flow = Flow.objects.get(key=twice.key)
    assert flow.live_version is not None
    assert flow.live_version.number == 1
    assert FlowVersion.objects.count() == 2
    draft = FlowDraft.objects.get(pk=twice.pk)
    assert draft.steps[0].value["duration"]["amount"] == 1
    assert (draft.live, draft.has_unpublished_changes) == (True, False)


def test_people_go_where_was_chosen_when_an_older_version_goes_live(
    publisher_client: Client, twice: FlowDraft
) -> None:
    publisher_client.post(version_url(twice, 1), {"people": "keep"})
    publisher_client.post(version_url(twice, 2), {"people": "stop"})
    assert Enrollment.objects.get().state == "ended"


def test_who_may_not_publish_sees_the_difference_and_no_button(
    editor: Any, twice: FlowDraft
) -> None:
    client = signed_in(editor)
    assert "live again</button>" not in client.get(version_url(twice, 1)).content.decode()
    assert client.post(version_url(twice, 1), {"people": "keep"}).status_code in (302, 403)
    assert Flow.objects.get().live_version.number == 2  # type: ignore[union-attr]  # it is live


def test_what_cannot_be_published_today_is_refused_and_nothing_changes(
    publisher_client: Client, twice: FlowDraft
) -> None:
    FlowVersion.objects.filter(number=1).update(
        definition={**FlowVersion.objects.get(number=1).definition, "topic": "gone"}
    )
    response = publisher_client.post(version_url(twice, 1), {"people": "keep"}, follow=True)
    assert "gone" in response.content.decode()
    assert Flow.objects.get().live_version.number == 2  # type: ignore[union-attr]  # it is live


def test_a_number_that_no_version_has_is_not_found(
    publisher_client: Client, twice: FlowDraft
) -> None:
    assert publisher_client.get(version_url(twice, 9)).status_code == 404


def test_steps_that_come_go_and_move_are_told_apart() -> None:
    old = FlowDefinition.from_dict(FORK)
    steps = [FORK["steps"][2], FORK["steps"][0]]  # type: ignore[index]  # a list of mappings
    new = FlowDefinition.from_dict(
        {
            **FORK,
            "goals": [],
            "priority": 80,
            "steps": [*steps, {"key": "end", "kind": "exit"}],
        }
    )
    found = {(one.sort, one.where) for one in differences(old, new)}
    assert (Sort.ADDED, "3. End") in found
    assert (Sort.REMOVED, "2. Branch") in found
    assert (Sort.MOVED, "1. Wait") in found
    assert (Sort.CHANGED, "Goals") in found
    assert (Sort.CHANGED, "Goals and limits") in found
    assert differences(old, old) == []


def test_before_a_flow_is_unpublished_it_is_said_how_many_people_that_lets_out(
    publisher_client: Client, twice: FlowDraft
) -> None:
    url = reverse(twice.snippet_viewset.get_url_name("unpublish"), args=[twice.pk])
    html = publisher_client.get(url).content.decode()
    assert "1 person is on the way in this flow. Unpublishing lets them out at once" in html
    publisher_client.post(url)
    assert Enrollment.objects.get().state == "ended"
    assert "on the way in this flow" not in publisher_client.get(url, follow=True).content.decode()


def test_a_running_flow_with_people_inside_is_not_deleted(
    publisher_client: Client, twice: FlowDraft
) -> None:
    url = reverse(twice.snippet_viewset.get_url_name("delete"), args=[twice.pk])
    html = publisher_client.post(url, follow=True).content.decode()
    assert "is running. Unpublish it first" in html
    assert FlowDraft.objects.filter(pk=twice.pk).exists()


def test_a_letter_that_a_running_flow_sends_cannot_vanish_under_it(
    publisher_client: Client, twice: FlowDraft
) -> None:
    letter = TemplateDraft.objects.get()
    for view in ("delete", "unpublish"):
        url = reverse(letter.snippet_viewset.get_url_name(view), args=[letter.pk])
        html = publisher_client.post(url, follow=True).content.decode()
        assert "is sent by “Left basket”" in html
    assert TemplateDraft.objects.get().live
