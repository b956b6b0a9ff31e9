"""Trees of conditions, rules and people on their way, in the editor."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.engine import clockwork, intake
from oscar_triggers.limits import SendWindow
from oscar_triggers.models import Enrollment, Flow
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring
from tests.editor.conftest import make_flow, make_template
from tests.editor.forms import flow_form
from wagtail_triggers.compiler import from_definition, to_definition
from wagtail_triggers.models import FlowDraft

TREE = {
    "kind": "all",
    "of": [
        {"kind": "speaks", "language": "de"},
        {
            "kind": "any",
            "of": [
                {"kind": "is_customer"},
                {"kind": "not", "of": [{"kind": "has_ordered", "at_least": 2}]},
            ],
        },
    ],
}
RULED = FlowDefinition(
    key="ruled",
    name="Ruled",
    trigger="basket_left",
    trigger_options={"idle": "1h"},
    entry=(TREE,),
    reentry="after 30d",
    max_age=timedelta(days=2),
    priority=80,
    when_limited="drop",
    send_window=SendWindow(from_=time(9), until=time(20, 30), days=("mon", "fri")),
    bundle=timedelta(hours=2),
    holdout=10,
    blast_limit=200,
    attribution_window=timedelta(days=3),
    steps=(
        StepDefinition(
            key="fork-1",
            kind="branch",
            options={"condition": TREE},
            branches={"yes": (StepDefinition(key="end-1", kind="exit"),)},
        ),
    ),
)
EDIT = "wagtailsnippets_wagtail_triggers_flowdraft:edit"


def stored(definition: FlowDefinition) -> FlowDraft:
    draft = FlowDraft(live=False, **from_definition(definition))
    draft.save()
    draft.save_revision()
    return FlowDraft.objects.get(pk=draft.pk)


def test_rules_and_trees_survive_the_way_into_the_editor_and_back(db: None) -> None:
    again = to_definition(stored(RULED))
    for name in ("reentry", "max_age", "priority", "when_limited", "send_window", "bundle",
                 "holdout", "blast_limit", "attribution_window", "entry"):  # fmt: skip
        assert getattr(again, name) == getattr(RULED, name), name
    assert again.steps[0].options == {"condition": TREE}


def test_the_shares_of_a_split_survive_too(db: None) -> None:
    split = StepDefinition(
        key="split-1",
        kind="split",
        options={"weights": {"a": 70, "b": 30, "c": 0}},
        branches={"a": (StepDefinition(key="end-1", kind="exit"),)},
    )
    definition = FlowDefinition(key="s", name="S", trigger="basket_left", steps=(split,))
    again = to_definition(stored(definition)).steps[0]
    assert again.options == split.options
    assert list(again.branches) == ["a"]


def test_a_tree_deeper_than_the_editor_shows_locks_the_draft_instead_of_losing_it(
    db: None,
) -> None:
    deep: dict[str, Any] = {"kind": "is_customer"}
    for _level in range(6):
        deep = {"kind": "not", "of": [deep]}
    draft = stored(FlowDefinition(key="d", name="D", trigger="basket_left", entry=(deep,)))
    lock = draft.get_lock()
    assert lock is not None
    assert "not" in str(lock.get_message(None))


def test_coming_in_again_after_some_time_asks_for_the_time(publisher_client: Client) -> None:
    make_template()
    draft = make_flow()
    url = reverse(EDIT, args=[draft.pk])
    form = flow_form(draft, **{"action-publish": "1", "reentry": "after"})
    page = publisher_client.post(url, form)
    assert "Say how long." in page.content.decode()
    assert not Flow.objects.exists()
    form |= {"reentry_after_amount": "30", "reentry_after_unit": "d"}
    publisher_client.post(url, form)
    version = Flow.objects.get().live_version
    assert version is not None
    assert version.definition["reentry"] == "after 30d"


@pytest.fixture
def flow_with_somebody(publisher_client: Client) -> FlowDraft:
    """Return a live flow about gift cards in which somebody waits."""
    make_template()
    steps = (
        StepDefinition(key="pause-1", kind="wait", options={"duration": "1d"}),
        StepDefinition(key="letter-1", kind="send", options={"template": "letter-1"}),
    )
    definition = FlowDefinition(
        key="cards", name="Cards", trigger="gift_card_expiring", steps=steps
    )
    draft = make_flow(publish=True, **from_definition(definition))
    intake.record(
        GiftCardExpiring(code="A1", expires_on=date(2030, 5, 1)),
        person=Person(email="anna@example.com"),
        about=About(type="gift_card", id="7"),
        occurred_at=timezone.now() + timedelta(seconds=1),
    )
    clockwork.tick(timezone.now() + timedelta(seconds=2))
    assert Enrollment.objects.get().step_key == "pause-1"
    return draft


def test_publishing_moves_people_as_the_forecast_said(
    publisher_client: Client, flow_with_somebody: FlowDraft
) -> None:
    draft = flow_with_somebody
    letter_only = [block for block in draft.steps.raw_data if block["type"] == "send"]
    changed = flow_form(draft, steps=[dict(block) for block in letter_only], people="move")
    forecast = publisher_client.post(
        reverse("wagtail_triggers:forecast", args=[draft.pk]), changed
    ).content.decode()
    assert "1 person is on the way" in forecast
    assert "1. Wait" in forecast
    assert "no longer there" in forecast
    assert "go on at" in forecast

    publisher_client.post(reverse(EDIT, args=[draft.pk]), {**changed, "action-publish": "1"})
    enrollment = Enrollment.objects.select_related("version").get()
    assert enrollment.version.number == 2
    assert enrollment.step_key == "letter-1"


def test_publishing_stops_people_where_that_was_chosen(
    publisher_client: Client, flow_with_somebody: FlowDraft
) -> None:
    draft = flow_with_somebody
    form = flow_form(draft, people="stop", name="Cards again", **{"action-publish": "1"})
    publisher_client.post(reverse(EDIT, args=[draft.pk]), form)
    assert Enrollment.objects.get().exit_reason == "cancelled"


def test_a_flow_that_is_published_to_rehearse_sends_nothing_until_it_goes_live(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow()
    form = flow_form(draft, **{"action-publish": "1", "rehearse": "on"})
    publisher_client.post(reverse(EDIT, args=[draft.pk]), form)
    flow = Flow.objects.get()
    assert flow.state == "shadow"
    page = publisher_client.get(reverse(EDIT, args=[draft.pk])).content.decode()
    assert "Go live" in page
    assert "sends nothing" in page
    publisher_client.post(reverse("wagtail_triggers:go_live_flow", args=[draft.key]))
    flow.refresh_from_db()
    assert flow.state == "live"
    # The next text does not silence it again.
    publisher_client.post(reverse(EDIT, args=[draft.pk]), {**form, "name": "Another name"})
    flow.refresh_from_db()
    assert (flow.state, flow.name) == ("live", "Another name")


def test_a_new_flow_begins_with_the_usual_times(publisher_client: Client) -> None:
    page = publisher_client.get(reverse("wagtailsnippets_wagtail_triggers_flowdraft:add"))
    form = page.context["form"]
    assert form["max_lateness"].value() == timedelta(hours=12)
    assert form["attribution_window"].value() == timedelta(days=5)
