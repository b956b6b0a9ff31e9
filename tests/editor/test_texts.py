"""Texts for channels that send nothing but words: written, counted, looked at, published, sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.urls import reverse

from oscar_triggers import channels
from oscar_triggers.channels import Channel
from oscar_triggers.models import Owner, Template
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock
from tests.editor.conftest import make_flow, make_template, make_text, signed_in
from tests.editor.forms import flow_form, template_form, text_form
from tests.editor.test_letters import TEMPLATES, left_basket, preview
from wagtail_triggers import ownership
from wagtail_triggers.models import TemplateDraft
from wagtail_triggers.previews import LIGHT, TEXT

__all__ = ["left_basket"]

ADD = f"{TEMPLATES}:add"
EDIT = f"{TEMPLATES}:edit"


@dataclass(frozen=True, kw_only=True)
class Pager(Channel):
    """Something that is billed as an SMS."""

    kind: ClassVar[str] = "pager"
    label: ClassVar[Any] = "Pager"
    counts_segments: ClassVar[bool] = True


@pytest.fixture
def pager() -> Iterator[None]:
    """Let the shop have a channel that counts segments."""
    channels.register(Pager)
    yield
    channels.registry._entries.pop("pager")


@pytest.fixture
def no_text_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every channel for texts out of the shop."""
    for kind in [kind for kind in channels.registry if channels.takes_text(kind)]:
        monkeypatch.delitem(channels.registry._entries, kind)


def count(client: Client, **written: str) -> str:
    """Return what the counter says of a text."""
    data = {"language": "en", "channel": "pager", "preview_as": "", **written}
    response = client.post(reverse("wagtail_triggers:count_text"), data)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_text_is_written_looked_at_published_and_shown_at_the_counter(
    publisher_client: Client,
) -> None:
    new = TemplateDraft(
        key="card",
        language="en",
        name="Card",
        channel="counter_screen",
        text='Hello {{ contact.first_name|default:"there" }}: https://shop.example/cards/',
    )
    form = publisher_client.get(reverse(ADD), {"channel": "counter_screen"}).content.decode()
    assert 'name="text"' in form
    assert 'name="subject"' not in form
    assert 'name="blocks-count"' not in form
    response = publisher_client.post(f"{reverse(ADD)}?channel=counter_screen", text_form(new))
    assert response.status_code == 302, response.content
    draft = TemplateDraft.objects.get()
    assert (draft.channel, draft.live) == ("counter_screen", False)
    page = preview(publisher_client, draft, text_form(draft), TEXT).content.decode()
    assert "Hello Sasha: http://localhost:8000/t/c/" in page
    assert "https://shop.example/cards/" not in page
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    data = {**text_form(draft), "action-publish": "1"}
    assert publisher_client.post(edit, data).status_code == 302
    assert Template.objects.get().channel == "counter_screen"
    page = publisher_client.get(reverse(f"{TEMPLATES}:list")).content.decode()
    assert "Screen at the counter" in page
    assert "Add a text message" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{{ contact.colour }}", "contact.colour"),
        ("x" * 301, "Is 301 characters long; 300 are possible"),
        ("x" * 290 + "{{ contact.first_name }}{{ contact.last_name }}", "the channel takes 300"),
        ("   ", "Write a text"),
    ],
)
def test_a_text_that_cannot_be_sent_is_not_published(
    publisher_client: Client, words: str, said: str
) -> None:
    draft = make_text(publish=False)
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    data = {**text_form(draft, text=words), "action-publish": "1"}
    response = publisher_client.post(edit, data)
    assert response.status_code == 200
    assert said in response.context["form"].errors["text"][0]
    draft.refresh_from_db()
    assert not draft.live


def test_an_unfinished_text_is_saved_as_a_draft(publisher_client: Client) -> None:
    draft = make_text(publish=False)
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    response = publisher_client.post(edit, text_form(draft, text="{{ contact.colour }}"))
    assert response.status_code == 302


def test_the_counter_says_encoding_segments_and_the_character_that_costs(
    publisher_client: Client, pager: None
) -> None:
    plain = count(publisher_client, text="Your tea is ready" + "!" * 60)
    assert "77 characters, GSM-7, 1 segment; 83 more fit into the last one." in plain
    assert "button" not in plain
    curly = count(publisher_client, text="Your “tea” is ready" + "!" * 60)
    assert "79 characters, UCS-2, 2 segments;" in curly
    assert "left double quotation mark, at character 6 of your text" in curly
    assert "Replace “ by &quot;" in curly
    assert "With all of them replaced it would be 1 segment in GSM-7." in curly
    assert "euro sign counts as two" in count(publisher_client, text="5 €")


def test_what_comes_with_personal_data_cannot_be_replaced(
    publisher_client: Client, pager: None
) -> None:
    said = count(publisher_client, text='{{ contact.first_name|default:"“you”" }} “')
    assert "at character 42 of your text" in said
    said = count(publisher_client, text='{{ today|date:"long" }}', language="ru")
    assert "it comes with personal data" in said
    assert "button" not in said
    assert "replaced it would be" not in said


def test_a_text_of_many_segments_is_published_with_a_warning(
    publisher_client: Client, pager: None
) -> None:
    draft = make_text(publish=False, channel="pager", text="я" * 202)
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    data = {**text_form(draft), "action-publish": "1"}
    response = publisher_client.post(edit, data, follow=True)
    assert "One message costs 4 segments (UCS-2)" in response.content.decode()
    draft.refresh_from_db()
    assert draft.live


def test_the_counter_names_the_worst_of_the_samples(
    publisher_client: Client, pager: None, left_basket: Any
) -> None:
    words = "{% for line in basket.lines %}{{ line.title }} {{ line.title }} {% endfor %}"
    said = count(publisher_client, text=words * 4, preview_as=f"basket:{left_basket.pk}")
    assert "The longest among the samples, the sample data:" in said


def test_a_key_of_a_letter_is_not_a_texts(publisher_client: Client) -> None:
    make_template()
    new = TemplateDraft(
        key="letter-1", language="ru", name="Card", channel="counter_screen", text="Hello"
    )
    response = publisher_client.post(
        f"{reverse(ADD)}?channel=counter_screen", {**text_form(new), "action-publish": "1"}
    )
    assert "is written for “E-mail”" in response.context["form"].errors["key"][0]


def test_a_letter_stays_a_letter_whatever_is_posted(publisher_client: Client) -> None:
    draft = make_template(publish=False)
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    data = {**template_form(draft), "channel": "counter_screen"}
    assert publisher_client.post(edit, data).status_code == 302
    draft.refresh_from_db()
    assert draft.channel == "email"
    page = preview(publisher_client, draft, template_form(draft), LIGHT).content.decode()
    assert "Unsubscribe" in page


def test_a_send_step_refuses_a_letter_on_a_screen(publisher_client: Client) -> None:
    make_template()
    flow = make_flow()
    steps = flow.steps.stream_block.get_prep_value(flow.steps)
    steps[1]["value"]["channel"] = "counter_screen"
    edit = reverse("wagtailsnippets_wagtail_triggers_flowdraft:edit", args=[flow.pk])
    response = publisher_client.post(edit, {**flow_form(flow, steps=steps), "action-publish": "1"})
    assert response.status_code == 200
    assert "is an e-mail letter" in response.content.decode()


def test_a_text_of_a_file_is_taken_over_as_a_text(publisher: Any, db: None) -> None:
    clock = Clock()
    factories.text("card", "Hello", channel="counter_screen", now=clock.now)
    [draft] = ownership.take_over_template("card", by=publisher)
    draft.refresh_from_db()
    assert (draft.channel, draft.text, draft.live) == ("counter_screen", "Hello", True)
    assert Template.objects.get().owner == Owner.EDITOR


def test_the_checks_of_letters_stand_beside_letters_only(publisher_client: Client) -> None:
    for draft, is_letter in ((make_template(), True), (make_text(), False)):
        form = publisher_client.get(reverse(EDIT, args=[draft.pk])).content.decode()
        assert ("Toggle checks" in form) == is_letter


def test_a_shop_without_such_a_channel_is_not_offered_any_text(
    publisher_client: Client, no_text_channel: None
) -> None:
    page = publisher_client.get(reverse(f"{TEMPLATES}:list")).content.decode()
    assert "Add a text message" not in page
    form = publisher_client.get(reverse(ADD), {"channel": "counter_screen"}).content.decode()
    assert 'name="subject"' in form
    assert 'name="channel"' not in form


def test_a_translation_begins_as_a_copy_of_the_text(publisher_client: Client) -> None:
    draft = make_text()
    copy = reverse(f"{TEMPLATES}:copy", args=[draft.pk])
    form = publisher_client.get(copy).content.decode()
    assert 'name="subject"' not in form
    assert "https://shop.example/tea/" in form
    # The form of a copy is posted as that of a new one.
    assert f'action="{reverse(ADD)}"' in form
    new = text_form(draft, language="ru", text="Чай готов")
    response = publisher_client.post(reverse(ADD), new)
    assert response.status_code == 302
    assert set(TemplateDraft.objects.values_list("language", "channel")) == {
        ("en", "counter_screen"),
        ("ru", "counter_screen"),
    }


def test_history_compares_the_words_of_a_text_once(publisher_client: Client) -> None:
    draft = make_text(text="Tea is ready")
    draft.text = "Coffee is ready"
    draft.save_revision()
    older, newer = draft.revisions.order_by("pk").values_list("pk", flat=True)
    url = reverse(f"{TEMPLATES}:revisions_compare", args=[draft.pk, older, newer])
    page = publisher_client.get(url).content.decode()
    assert page.count("Coffee") == 1


def test_who_may_not_write_templates_counts_nothing(person: Any) -> None:
    client = signed_in(person("nobody", "wagtailadmin.access_admin"))
    url = reverse("wagtail_triggers:count_text")
    assert client.post(url, {"channel": "counter_screen", "text": "Hi"}).status_code in (302, 403)


def test_a_broken_text_says_what_is_wrong_in_its_preview(publisher_client: Client) -> None:
    draft = make_text(publish=False)
    page = preview(
        publisher_client, draft, text_form(draft, text="{{ contact.colour }}"), TEXT
    ).content.decode()
    assert "contact.colour" in page
