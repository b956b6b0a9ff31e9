"""The side panels of the flow editor: what stands in the form is drawn and checked unsaved."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.insight import footsteps
from oscar_triggers.models import Contact, Enrollment, Flow, Message, MessageState
from tests.editor.conftest import make_flow, make_template
from tests.editor.forms import flow_form
from wagtail_triggers.compiler import from_definition
from wagtail_triggers.models import FlowDraft

pytestmark = pytest.mark.django_db

FORK = {
    "flow": "left-basket",
    "name": "Left basket",
    "trigger": {"kind": "basket_left", "idle": "1h"},
    "goals": ["order_placed"],
    "steps": [
        {"key": "letter-1", "kind": "send", "options": {"template": "letter-1"}},
        {
            "key": "ask",
            "kind": "branch",
            "options": {"condition": {"kind": "message_clicked"}},
            "branches": {"yes": [{"key": "bye", "kind": "exit"}], "no": []},
        },
        {"key": "pause", "kind": "wait", "options": {"duration": "2d"}},
    ],
}


def fork(**changes: Any) -> dict[str, Any]:
    """Return the fields of a draft whose chain branches."""
    return from_definition(FlowDefinition.from_dict({**FORK, **changes}))


def asked(client: Client, view: str, draft: FlowDraft, **changes: Any) -> str:
    """Post a draft's form to a panel; return what it shows, in one line."""
    response = client.post(
        reverse(f"wagtail_triggers:{view}", args=[draft.pk]), flow_form(draft, **changes)
    )
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def boxes(html: str) -> list[str]:
    """Return the steps of a diagram in its order."""
    return re.findall(r"(\d+\. [^<]+)</strong>", html)


def place(client: Any, draft: FlowDraft) -> Enrollment:
    """Put somebody on a flow's first step."""
    flow = Flow.objects.get(key=draft.key)
    assert flow.live_version is not None
    now = timezone.now()
    contact = Contact.objects.create(
        identity_key=f"email:{Contact.objects.count()}", created_at=now
    )
    return Enrollment.objects.create(
        flow=flow,
        version=flow.live_version,
        contact=contact,
        episode_key=f"basket:{contact.pk}:1",
        step_key="letter-1",
        clock_at=now,
        entered_at=now,
        due_at=now,
    )


def test_the_diagram_shows_what_stands_in_the_form_and_not_what_is_saved(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow()
    shown = asked(publisher_client, "desk_diagram", draft, steps=fork()["steps"])
    assert boxes(shown) == ["1. Send a message", "2. Branch", "3. End", "4. Wait"]
    assert "First letter" in shown
    assert "2 days" in shown
    assert "A basket was left behind" in shown
    assert FlowDraft.objects.get(pk=draft.pk).steps.raw_data[0]["type"] == "wait"


def test_a_branch_in_which_everybody_leaves_does_not_join_the_way_again(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(**fork())
    shown = asked(publisher_client, "desk_diagram", draft)
    yes, no = re.findall(r'<li class="triggers-diagram__branch( [\w-]+)?">', shown)
    assert (yes, no) == (" triggers-diagram__branch--leaves", "")
    assert shown.count("goes on below") == 1


def test_each_box_leads_to_its_block_in_the_form(publisher_client: Client) -> None:
    make_template()
    draft = make_flow(**fork())
    shown = asked(publisher_client, "desk_diagram", draft)
    assert re.findall(r'place-param="block:([\w-]+)"', shown) == [
        "letter-1",
        "ask",
        "bye",
        "pause",
    ]


def test_the_diagram_counts_who_waits_at_a_step_went_on_and_clicked(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(publish=True, **fork())
    waiting, gone = place(None, draft), place(None, draft)
    gone.step_key, gone.passes = "pause", {"letter-1": 1, "ask": 1}
    gone.save()
    now = timezone.now()
    Message.objects.create(
        flow=gone.flow,
        contact=gone.contact,
        step_key="letter-1",
        idempotency_key="one",
        stream="promotional",
        state=MessageState.SENT,
        planned_at=now,
        due_at=now,
        not_after=now,
        clicked_at=now,
    )
    shown = asked(publisher_client, "desk_diagram", draft)
    assert "1 waits here · 1 went on · 1 sent · 1 clicked (100 %)" in shown
    assert "0 wait here · 1 went on" in shown
    assert footsteps.of_flow(waiting.flow, now)["pause"] == footsteps.Footsteps(waiting=1)


def test_the_numbers_of_a_flow_cost_the_same_however_many_steps_it_has(
    publisher_client: Client, django_assert_num_queries: Any
) -> None:
    make_template()
    draft = make_flow(publish=True, **fork())
    flow = Flow.objects.get(key=draft.key)
    with django_assert_num_queries(4):
        assert len(footsteps.of_flow(flow, timezone.now())) == 4


def test_the_checks_name_the_step_and_the_letter_by_their_names(
    publisher_client: Client,
) -> None:
    make_template(publish=False)
    draft = make_flow(**fork(goals=[]))
    shown = asked(publisher_client, "desk_checks", draft)
    assert "Before it can be published" in shown
    assert 'place-param="block:letter-1">1. Send a message</a>' in shown
    assert "is not published; publish it first" in shown


def test_advice_says_what_to_do_and_does_not_keep_the_flow_from_being_published(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(**fork(goals=[]))
    shown = asked(publisher_client, "desk_checks", draft)
    assert "Before it can be published" not in shown
    assert 'place-param="field:goals">Goals</a>' in shown
    assert "Nobody leaves this flow by buying." in shown
    assert "Add “An order was placed” to the goals." in shown
    url = reverse(f"{draft.snippet_viewset.get_url_name('edit')}", args=[draft.pk])
    publisher_client.post(url, {**flow_form(draft), "action-publish": "1"})
    assert Flow.objects.get(key=draft.key).state == "live"


def test_a_flow_with_nothing_to_say_about_is_good(publisher_client: Client) -> None:
    make_template()
    draft = make_flow()
    shown = asked(publisher_client, "desk_checks", draft)
    assert 'data-triggers-panel-count="0"' in shown
    assert "Nothing is wrong" in shown


def test_a_flow_that_was_never_saved_is_drawn_too(publisher_client: Client) -> None:
    make_template()
    form = flow_form(FlowDraft(**fork()))
    response = publisher_client.post(reverse("wagtail_triggers:desk_diagram_new"), form)
    assert boxes(response.content.decode())[0] == "1. Send a message"
    assert not FlowDraft.objects.exists()


def test_the_editor_offers_its_panels_instead_of_checks_made_for_pages(
    publisher_client: Client,
) -> None:
    draft = make_flow()
    url = reverse(f"{draft.snippet_viewset.get_url_name('edit')}", args=[draft.pk])
    html = publisher_client.get(url).content.decode()
    panels = re.findall(r'data-side-panel="([\w-]+)"', html)
    assert {"status", "preview", "triggers-diagram", "checks"} <= set(panels)
    assert panels.count("checks") == 1
    assert "Reading time" not in html


def test_the_diagram_is_a_preview_of_its_own_without_links(publisher_client: Client) -> None:
    make_template()
    draft = make_flow(**fork())
    base = draft.snippet_viewset.get_url_name("preview_on_edit")
    url = reverse(base, args=[draft.pk])
    assert publisher_client.post(url, flow_form(draft)).json()["is_valid"]
    html = publisher_client.get(f"{url}?mode=diagram").content.decode()
    assert boxes(html)[0] == "1. Send a message"
    assert "<a " not in html


def test_what_is_no_form_is_refused(publisher_client: Client) -> None:
    assert publisher_client.post(reverse("wagtail_triggers:desk_checks_new")).status_code == 400
