"""What an editor may choose: kinds in groups, flows by name, events by label."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.models import Flow, FlowState
from tests.editor.conftest import make_flow, make_template
from wagtail_triggers.blocks import stream_block
from wagtail_triggers.blocks.choices import flow_choices
from wagtail_triggers.compiler import from_definition

TREE: dict[str, Any] = {
    "kind": "all",
    "of": [
        {"kind": "has_tag", "tag": "vip"},
        {"kind": "not", "of": [{"kind": "date_is", "weekdays": ["mon", "sun"]}]},
    ],
}


def groups(registry: str) -> dict[str, list[str]]:
    found = stream_block(registry).grouped_child_blocks()
    return {str(title): [block.name for block in blocks] for title, blocks in found}


def test_steps_stand_in_groups_with_what_apps_add_at_the_end() -> None:
    found = groups("steps")
    assert list(found) == ["Messages", "Waiting", "Choices", "Acts", "More"]
    assert found["Waiting"][0] == "wait"
    assert found["More"] == ["ring_the_bell"]


def test_conditions_stand_in_groups_with_what_apps_add_at_the_end() -> None:
    found = groups("conditions")
    titles = list(found)
    assert (titles[0], titles[-1]) == ("Several at once", "More")
    assert found["More"] == ["card_begins_with"], "every shipped condition has a group"
    assert sorted(found["Several at once"]) == ["all", "any", "not"]


def test_a_jump_chooses_among_flows_by_name_without_those_switched_off(db: None) -> None:
    make_template()
    make_flow("one", publish=True, name="Spring")
    make_flow("two", name="Autumn")
    make_flow("three", publish=True, name="Gone")
    Flow.objects.filter(key="three").update(state=FlowState.ARCHIVED)
    assert flow_choices() == [("two", "Autumn"), ("one", "Spring")]
    jump: Any = stream_block("steps").child_blocks["jump"].child_blocks["flow"]
    assert ("one", "Spring") in list(jump.field.choices)


def test_a_granted_voucher_needs_its_worth_and_one_in_a_letter_does_not() -> None:
    blocks: Any = stream_block("steps").child_blocks
    assert blocks["voucher"].child_blocks["voucher"].is_needed
    assert not blocks["send"].child_blocks["voucher"].is_needed
    assert "without" not in blocks["voucher"].child_blocks["voucher"].child_blocks, "it branches"
    assert "without" in blocks["send"].child_blocks["voucher"].child_blocks


def test_the_preview_tells_trees_splits_and_other_flows_in_words(publisher_client: Client) -> None:
    make_template()
    make_flow("other", publish=True, name="The other flow")
    steps = (
        StepDefinition(
            key="fork-1",
            kind="branch",
            options={"condition": TREE},
            branches={"yes": (StepDefinition(key="end-1", kind="exit"),)},
        ),
        StepDefinition(key="split-1", kind="split", options={"weights": {"a": 70, "b": 30}}),
        StepDefinition(key="jump-1", kind="jump", options={"flow": "other"}),
    )
    definition = FlowDefinition(
        key="told", name="Told", trigger="basket_left", entry=(TREE,), stay=(TREE,), steps=steps
    )
    draft = make_flow(**from_definition(definition))
    from wagtail_triggers.outline import preview_flow

    request = publisher_client.get(reverse("wagtailadmin_home")).wsgi_request
    response: Any = preview_flow(request, draft)
    page = response.render().content.decode()
    assert "Has a tag: vip" in page
    assert "Days of the week: Monday, Sunday" in page
    assert "Only as long as" in page
    assert "Variant A 70, Variant B 30" in page
    assert "Variant C" not in page, "a variant without a share is not drawn"
    assert "The other flow" in page
    assert "4. Go on in another flow" in page
    assert "{&#x27;" not in page
    assert "[&#x27;" not in page
