"""What is published runs, what is broken is refused at its place, and what runs is guarded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import flows, templates
from oscar_triggers.models import Flow, FlowState, FlowVersion, Owner, Template, TemplateVersion
from tests.editor.conftest import LETTER, make_flow, make_template, signed_in
from tests.editor.forms import flow_form, template_form
from wagtail_triggers.compiler import to_definition
from wagtail_triggers.models import FlowDraft, TemplateDraft

FLOWS = "wagtailsnippets_wagtail_triggers_flowdraft"
TEMPLATES = "wagtailsnippets_wagtail_triggers_templatedraft"


def edit(client: Client, draft: Any, data: dict[str, Any], action: str = "publish") -> Any:
    """Post a draft's form."""
    namespace = FLOWS if isinstance(draft, FlowDraft) else TEMPLATES
    url = reverse(f"{namespace}:edit", args=[draft.pk])
    return client.post(url, {**data, **({f"action-{action}": "1"} if action else {})})


def errors_of(response: Any) -> str:
    """Return every error of the form that was sent back."""
    assert response.status_code == 200, "the form was not sent back"
    return str(response.context["form"].errors.as_json())


def test_a_flow_that_is_published_in_the_editor_is_live_in_the_engine(
    publisher_client: Client, publisher: Any
) -> None:
    make_template()
    draft = make_flow()
    response = edit(publisher_client, draft, flow_form(draft))
    assert response.status_code == 302
    flow = Flow.objects.get(key="left-basket")
    assert (flow.owner, flow.state, flow.trigger_kind) == ("editor", "live", "basket_left")
    version = flow.live_version
    assert version is not None
    assert version.published_by == publisher
    assert [step.key for step in version.steps.order_by("pk")] == ["pause-1", "letter-1"]


def test_a_draft_with_problems_is_saved_and_not_published(publisher_client: Client) -> None:
    draft = make_flow(steps=[])
    data = flow_form(draft, name="Still a sketch")
    assert edit(publisher_client, draft, data, action="").status_code == 302
    draft.refresh_from_db()
    assert draft.get_latest_revision_as_object().name == "Still a sketch"
    response = edit(publisher_client, draft, data)
    (error,) = response.context["form"].errors.as_data()["steps"]
    assert error.as_json_data()["messages"] == ["Add at least one step"]
    assert not Flow.objects.exists()


def test_a_step_without_a_published_template_is_refused_at_that_step(
    publisher_client: Client,
) -> None:
    make_template(publish=False)
    draft = make_flow()
    response = edit(publisher_client, draft, flow_form(draft))
    (error,) = response.context["form"].errors.as_data()["steps"]
    said = error.as_json_data()["blockErrors"][1]["messages"]
    assert said == ["The template 'letter-1' is not published; publish it first"]
    assert not Flow.objects.exists()


def test_publishing_again_makes_a_new_version_and_leaves_the_old_one(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(publish=True)
    steps = draft.steps.stream_block.get_prep_value(draft.steps)
    steps[0]["value"]["duration"]["amount"] = 2
    assert edit(publisher_client, draft, flow_form(draft, steps=steps)).status_code == 302
    numbers = FlowVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2]
    assert FlowVersion.objects.get(number=1).definition["steps"][0]["options"] == {"duration": "1d"}
    assert FlowVersion.objects.get(number=2).definition["steps"][0]["options"] == {"duration": "2d"}


def test_the_key_of_a_published_flow_does_not_change(publisher_client: Client) -> None:
    make_template()
    draft = make_flow(publish=True)
    edit(publisher_client, draft, flow_form(draft, key="another"))
    assert FlowDraft.objects.get().key == "left-basket"
    assert Flow.objects.count() == 1


def test_pausing_survives_publishing(publisher_client: Client) -> None:
    make_template()
    draft = make_flow(publish=True)
    pause = reverse("wagtail_triggers:pause_flow", args=[draft.key])
    assert publisher_client.post(pause).status_code == 302
    assert Flow.objects.get().state == FlowState.PAUSED
    edit(publisher_client, draft, flow_form(draft, name="Renamed"))
    assert (Flow.objects.get().state, Flow.objects.get().name) == (FlowState.PAUSED, "Renamed")
    resume = reverse("wagtail_triggers:resume_flow", args=[draft.key])
    publisher_client.post(resume)
    assert Flow.objects.get().state == FlowState.LIVE


def test_unpublishing_switches_a_flow_off_and_publishing_starts_it_again(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow(publish=True)
    response = publisher_client.post(reverse(f"{FLOWS}:unpublish", args=[draft.pk]))
    assert response.status_code == 302
    assert Flow.objects.get().state == FlowState.ARCHIVED
    edit(publisher_client, draft, flow_form(draft))
    assert Flow.objects.get().state == FlowState.LIVE


def test_a_running_flow_cannot_be_deleted(publisher_client: Client) -> None:
    make_template()
    draft = make_flow(publish=True)
    response = publisher_client.post(reverse(f"{FLOWS}:delete", args=[draft.pk]), follow=True)
    assert FlowDraft.objects.filter(pk=draft.pk).exists()
    assert "Unpublish it first" in response.content.decode()


@pytest.mark.parametrize("view", ["delete", "unpublish"])
def test_a_template_that_a_running_flow_sends_stays(publisher_client: Client, view: str) -> None:
    template = make_template()
    make_flow(publish=True)
    url = reverse(f"{TEMPLATES}:{view}", args=[template.pk])
    response = publisher_client.post(url, follow=True)
    assert TemplateDraft.objects.get(pk=template.pk).live
    assert "is sent by “Left basket”" in response.content.decode()


def test_several_templates_are_not_deleted_when_one_is_needed(publisher_client: Client) -> None:
    template, other = make_template(), make_template("other", name="Other")
    make_flow(publish=True)
    url = reverse("wagtail_bulk_action", args=["wagtail_triggers", "templatedraft", "delete"])
    publisher_client.post(f"{url}?id={template.pk}&id={other.pk}")
    assert TemplateDraft.objects.count() == 2


def test_a_template_goes_once_its_flow_is_switched_off(publisher_client: Client) -> None:
    template = make_template()
    flow = make_flow(publish=True)
    flow.unpublish()
    publisher_client.post(reverse(f"{TEMPLATES}:delete", args=[template.pk]))
    assert not TemplateDraft.objects.exists()
    assert TemplateVersion.objects.count() == 1, "what was published stays for what was sent"


def test_a_template_that_is_published_is_compiled(publisher_client: Client) -> None:
    draft = make_template(publish=False)
    assert edit(publisher_client, draft, template_form(draft)).status_code == 302
    version = templates.live("letter-1", "en")
    assert version.template.owner == Owner.EDITOR
    assert version.source["subject"] == "Your basket is waiting"


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("subject", "Hi {{ customer.password }}", "customer.password"),
        ("body", LETTER.replace("</mj-section>", ""), "Line "),
        ("body", LETTER.replace("Hello {{", "Hello {{ nonsense }} {{"), "Line 5"),
        ("text", "Hello {% if %}", "Line 1"),
    ],
)
def test_a_broken_letter_is_refused_at_its_field_with_its_line(
    publisher_client: Client, field: str, text: str, said: str
) -> None:
    draft = make_template(publish=False)
    data = template_form(draft, **{field: text})
    response = edit(publisher_client, draft, data)
    assert said in str(response.context["form"].errors.as_data()[field])
    assert not TemplateVersion.objects.exists()
    assert edit(publisher_client, draft, data, action="").status_code == 302
    draft.refresh_from_db()
    assert getattr(draft.get_latest_revision_as_object(), field) == text


def test_one_letter_has_one_draft_in_each_language(publisher_client: Client) -> None:
    make_template()
    german = make_template(language="de", publish=False)
    response = edit(publisher_client, german, template_form(german, language="en"), action="")
    assert "already a template with this key" in errors_of(response)


def test_what_a_file_owns_is_read_only_until_it_is_taken_over(publisher_client: Client) -> None:
    make_template()
    draft = make_flow()
    flows.publish(to_definition(draft), owner=Owner.FILE, now=timezone.now())
    draft.refresh_from_db()
    page = publisher_client.get(reverse(f"{FLOWS}:edit", args=[draft.pk]))
    assert "kept in a file" in page.content.decode()
    response = edit(publisher_client, draft, flow_form(draft, name="Mine"), action="")
    assert response.status_code == 200
    draft.refresh_from_db()
    assert draft.get_latest_revision_as_object().name == "Left basket"

    taken = reverse("wagtail_triggers:take_over_flow", args=[draft.key])
    assert publisher_client.post(taken).status_code == 302
    assert Flow.objects.get().owner == Owner.EDITOR
    assert Flow.objects.get().state == FlowState.LIVE
    draft.refresh_from_db()
    assert draft.live
    assert edit(publisher_client, draft, flow_form(draft, name="Mine")).status_code == 302
    assert Flow.objects.get().name == "Mine"


def test_taking_over_a_flow_that_was_switched_off_does_not_start_it(
    publisher_client: Client,
) -> None:
    make_template()
    draft = make_flow()
    flows.publish(to_definition(draft), owner=Owner.FILE, now=timezone.now())
    flows.archive(draft.key, timezone.now())
    publisher_client.post(reverse("wagtail_triggers:take_over_flow", args=[draft.key]))
    assert (Flow.objects.get().owner, Flow.objects.get().state) == ("editor", "archived")


def test_a_template_is_taken_over_in_all_its_languages(publisher_client: Client) -> None:
    for language in ("en", "de"):
        make_template(language=language)
    TemplateDraft.objects.all().delete()
    Template.objects.update(owner=Owner.FILE)
    publisher_client.post(reverse("wagtail_triggers:take_over_template", args=["letter-1"]))
    assert set(TemplateDraft.objects.values_list("language", "live")) == {
        ("en", True),
        ("de", True),
    }
    assert TemplateVersion.objects.count() == 2, "an unchanged text makes no new version"


def test_a_scheduled_flow_goes_live_when_its_time_comes(publisher: Any) -> None:
    make_template()
    draft = make_flow()
    draft.go_live_at = timezone.now() + timedelta(hours=1)
    revision = draft.save_revision()
    draft.publish(revision, user=publisher)
    assert not Flow.objects.exists()
    type(revision).objects.filter(pk=revision.pk).update(
        approved_go_live_at=timezone.now() - timedelta(minutes=1),
        content={**revision.content, "go_live_at": str(timezone.now() - timedelta(minutes=1))},
    )
    call_command("publish_scheduled")
    assert Flow.objects.get().state == FlowState.LIVE


def test_a_scheduled_flow_that_broke_meanwhile_stays_a_draft_and_stops_nobody_else(
    publisher: Any,
) -> None:
    make_template()
    past = timezone.now() - timedelta(minutes=2)
    broken = make_flow("broken", steps=[{"type": "send", "id": "x", "value": {"template": "gone"}}])
    sound = make_flow("sound")
    for offset, draft in enumerate((broken, sound)):
        draft.go_live_at = past
        revision = draft.save_revision()
        type(revision).objects.filter(pk=revision.pk).update(
            approved_go_live_at=past + timedelta(seconds=offset)
        )
    call_command("publish_scheduled")
    assert list(Flow.objects.values_list("key", flat=True)) == ["sound"]
    assert not FlowDraft.objects.get(key="broken").live


def test_an_editor_may_save_and_not_publish(editor: Any) -> None:
    make_template()
    draft = make_flow()
    client = signed_in(editor)
    edit(client, draft, flow_form(draft, name="Edited"))
    draft.refresh_from_db()
    assert draft.get_latest_revision_as_object().name == "Edited"
    assert not Flow.objects.exists()


def test_the_presets_load_as_drafts_once_and_publish_when_asked(db: None) -> None:
    with pytest.raises(CommandError, match="preset:abandoned-basket  A basket left behind"):
        call_command("triggers_load_presets")
    call_command("triggers_load_presets", "abandoned-basket")
    assert FlowDraft.objects.get(key="abandoned-basket").live is False
    count = TemplateDraft.objects.count()
    assert count >= 9
    assert not Flow.objects.exists()
    call_command("triggers_load_presets", "preset:abandoned-basket", publish=True)
    assert TemplateDraft.objects.filter(live=True).count() == count
    flow = Flow.objects.get(key="abandoned-basket")
    assert (flow.state, flow.owner) == (FlowState.LIVE, Owner.EDITOR)
