"""What ships is two clicks away from being live, and is not live before."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from oscar_triggers import conditions, events, steps
from oscar_triggers.content import presets as shipped
from oscar_triggers.definitions import FlowDefinition, read_step
from oscar_triggers.models import Flow, FlowState, Owner, Template
from tests.editor.conftest import signed_in
from wagtail_triggers import gallery, permissions, presets
from wagtail_triggers.compiler import from_definition, to_definition
from wagtail_triggers.models import FlowDraft, TemplateDraft
from wagtail_triggers.ready_words import WORDS

NAME = "abandoned-basket"


def page(client: Client) -> str:
    return client.get(reverse("wagtail_triggers:ready")).content.decode()


def act(client: Client, view: str) -> Any:
    return client.post(reverse(f"wagtail_triggers:{view}", args=[NAME]))


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def standing() -> gallery.Ready:
    return next(one for one in gallery.gallery() if one.name == NAME)


def test_the_page_tells_what_each_flow_does_and_needs(publisher_client: Client) -> None:
    shown = page(publisher_client)
    for preset in shipped.every():
        assert preset.definition.name in shown
    assert "A basket left behind: a reminder after an hour" in shown
    assert "Starts when" in shown
    assert "Abandoned basket 1: reminder: German, English, Russian" in shown
    assert "Consent to “Offers and reminders”" in shown
    assert "not in your shop yet" in shown


def test_what_the_settings_lack_is_said_with_what_to_do(
    publisher_client: Client, settings: Any
) -> None:
    assert "Have your developer" not in page(publisher_client)
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "POSTAL_ADDRESS": ""}
    assert "POSTAL_ADDRESS" in page(publisher_client)


def test_one_click_on_the_page_makes_the_flow_and_its_letters_live(
    publisher_client: Client, publisher: Any
) -> None:
    flows_list = publisher_client.get(
        reverse("wagtailsnippets_wagtail_triggers_flowdraft:list")
    ).content.decode()
    assert reverse("wagtail_triggers:ready") in flows_list

    response = act(publisher_client, "switch_on")

    assert "is live" in said(response)
    flow = Flow.objects.get()
    assert (flow.key, flow.state, flow.owner) == (NAME, FlowState.LIVE, Owner.EDITOR)
    assert flow.live_version is not None
    assert flow.live_version.published_by == publisher
    assert not TemplateDraft.objects.filter(live=False).exists()
    assert {draft.key for draft in TemplateDraft.objects.all()} == {
        f"abandoned-basket-{number}" for number in (1, 2, 3)
    }
    assert (standing().state, standing().can_be_switched_on) == ("live", False)
    act(publisher_client, "switch_on")
    assert Flow.objects.get().versions.count() == 1


def test_a_draft_sends_nothing_and_opens_for_the_editor(editor: Any) -> None:
    client = signed_in(editor)
    response = act(client, "make_draft")
    draft = FlowDraft.objects.get(key=NAME)
    assert str(draft.pk) in response["Location"]
    assert not draft.live
    assert not Flow.objects.exists()
    shown = page(client)
    assert reverse("wagtail_triggers:switch_on", args=[NAME]) not in shown
    assert reverse("wagtail_triggers:make_draft", args=[NAME]) not in shown


def test_a_text_that_was_changed_before_is_switched_on_as_it_stands(
    publisher_client: Client,
) -> None:
    act(publisher_client, "make_draft")
    letter = TemplateDraft.objects.get(key="abandoned-basket-1", language="en")
    letter.subject = "Our own subject"
    letter.save_revision()
    act(publisher_client, "switch_on")
    letter.refresh_from_db()
    assert (letter.live, letter.subject) == (True, "Our own subject")


def test_what_refuses_is_said_and_nothing_is_sent(publisher_client: Client) -> None:
    act(publisher_client, "make_draft")
    letter = TemplateDraft.objects.get(key="abandoned-basket-1", language="en")
    letter.body = "<mjml><mj-body>{{ cuckoo }}</mj-body></mjml>"
    letter.save_revision()
    response = act(publisher_client, "switch_on")
    assert "cuckoo" in said(response)
    assert "/templates/" in response["Location"]
    assert not Flow.objects.exists()


def test_a_locked_letter_keeps_the_flow_from_going_live(publisher_client: Client) -> None:
    act(publisher_client, "make_draft")
    TemplateDraft.objects.filter(key="abandoned-basket-2", language="en").update(
        locked=True, locked_at=timezone.now()
    )
    response = act(publisher_client, "switch_on")
    assert "is locked" in said(response)
    assert not Flow.objects.exists()
    assert not Template.objects.exists()


def test_a_flow_of_a_file_is_left_to_its_file(publisher_client: Client) -> None:
    preset = shipped.find(NAME)
    assert preset is not None
    for one in presets.load([preset]):
        assert one.draft is not None
        presets.publish(one.draft)
    Flow.objects.update(owner=Owner.FILE)
    response = act(publisher_client, "switch_on")
    assert "published from its file" in said(response)
    shown = standing()
    assert (shown.state, shown.can_be_switched_on, shown.can_be_drafted) == ("file", False, False)


@pytest.mark.parametrize("view", ["make_draft", "switch_on"])
def test_what_does_not_ship_is_not_there(view: str, publisher_client: Client) -> None:
    address = reverse(f"wagtail_triggers:{view}", args=["no-such-flow"])
    assert publisher_client.post(address).status_code == 404


def rules(definition: FlowDefinition) -> dict[str, Any]:
    """Return all of a flow but its trigger and steps, whose options may say their defaults."""
    return {
        name: value
        for name, value in definition.to_dict().items()
        if name not in ("steps", "trigger")
    }


@pytest.mark.parametrize("name", [preset.name for preset in shipped.every()])
def test_the_editor_holds_a_flow_that_ships_as_its_file_says_it(name: str, db: None) -> None:
    preset = shipped.find(name)
    assert preset is not None
    written = preset.definition
    kept = to_definition(FlowDraft(live=False, **from_definition(written)))
    assert rules(kept) == rules(written)
    assert kept.trigger_event() == written.trigger_event()
    ways = [(step.key, parent and parent.key, name) for step, parent, name, *_ in written.walk()]
    assert ways == [
        (step.key, parent and parent.key, name) for step, parent, name, *_ in kept.walk()
    ]
    for here, there in zip(kept.walk(), written.walk(), strict=True):
        assert read_step(here[0]) == read_step(there[0])


def test_everything_that_a_flow_can_be_made_of_has_a_name_for_the_editor() -> None:
    for registry in (events.registry, conditions.registry, steps.registry):
        for name, kind in registry.items():
            assert kind.label, name
            holder = kind.options_class if issubclass(kind, events.Event) else kind
            for option in holder.option_fields():
                assert option.metadata.get("label"), f"{name}: {option.name}"


def flows_page(client: Client, **asked: str) -> str:
    return client.get(
        reverse("wagtailsnippets_wagtail_triggers_flowdraft:list"), asked
    ).content.decode()


def test_a_shop_without_flows_begins_with_a_picture_of_each_that_ships(
    publisher_client: Client,
) -> None:
    shown = flows_page(publisher_client)
    assert "<h2>Nothing is sent yet" in shown
    for preset in shipped.every():
        assert preset.definition.name in shown
        assert reverse("wagtail_triggers:make_draft", args=[preset.name]) in shown
    assert shown.count('class="triggers-picture"') == len(list(shipped.every()))


def test_the_list_offers_the_same_beside_the_flows_and_what_is_there_is_opened(
    publisher_client: Client,
) -> None:
    act(publisher_client, "make_draft")
    shown = flows_page(publisher_client)
    assert shown.count('class="triggers-picture"') == len(list(shipped.every()))
    assert "<h2>Nothing is sent yet" not in shown
    again = act(publisher_client, "make_draft")
    assert "already" in said(again)
    assert FlowDraft.objects.count() == 1


def test_who_may_not_draft_sees_the_pictures_without_buttons(person: Any) -> None:
    shown = flows_page(signed_in(person("viewer", *permissions.VIEWER)))
    assert 'class="triggers-picture"' in shown
    assert "Start from this" not in shown


def test_what_ships_is_called_the_same_in_its_file_and_in_the_words_to_translate() -> None:
    written = {one.name: (one.definition.name, one.about) for one in shipped.every()}
    with translation.override("en"):
        said = {name: (str(title), str(about)) for name, (title, about) in WORDS.items()}
    assert said == written
