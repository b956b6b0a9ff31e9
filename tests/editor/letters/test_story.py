"""A letter is made of blocks, looked at, published and sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock
from tests.editor.conftest import make_template, signed_in
from tests.editor.forms import template_form
from tests.editor.letters.conftest import BLOCKS, block, make_letter
from tests.editor.test_letters import TEMPLATES, preview
from tests.mail import use_backend
from wagtail_triggers.models import TemplateDraft
from wagtail_triggers.previews import DARK, LIGHT, MJML, TEXT

FLOW = """
flow: welcome-by-blocks
name: Welcome
trigger: gift_card_expiring
stream: promotional
topic: offers
steps:
  - key: letter
    kind: send
    options: {template: letter-1, channel: email}
"""


@pytest.fixture(autouse=True)
def no_server(settings: Any) -> None:
    """Keep mail in memory."""
    use_backend(settings, "django.core.mail.backends.locmem.EmailBackend")


def test_a_letter_of_four_blocks_is_made_looked_at_published_and_sent(
    publisher_client: Client,
) -> None:
    new = TemplateDraft(key="letter-1", language="en", name="First letter", subject="Still here?")
    data = template_form(new, blocks=BLOCKS)
    response = publisher_client.post(reverse(f"{TEMPLATES}:add"), data)
    draft = TemplateDraft.objects.get()
    assert response.status_code == 302, response.content
    assert not draft.live
    page = preview(publisher_client, draft, data, LIGHT).content.decode()
    assert "Hello Sasha" in page
    assert "Hi Sasha, your basket is still here." in page
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    response = publisher_client.post(edit, {**data, "action-publish": "1"})
    assert response.status_code == 302, response.content
    draft.refresh_from_db()
    assert draft.live
    clock = Clock()
    anna = factories.contact(first_name="Anna", now=clock.now)
    flow = factories.flow(FLOW, clock=clock)
    run = flow.run(
        until="+1h",
        contact=anna,
        event={"code": "A1", "expires_on": "2030-05-01"},
        about="gift_card:1",
    )
    assert run is not None
    [letter] = mail.outbox
    assert letter.subject == "Still here?"
    assert "Hi Anna, your basket is still here." in letter.body
    assert isinstance(letter, mail.EmailMultiAlternatives)
    html = str(letter.alternatives[0][0])
    assert "Hello Anna" in html
    assert 'lang="en"' in html


@pytest.mark.parametrize("mode", [DARK, TEXT, MJML])
def test_every_way_of_looking_at_a_letter_shows_its_blocks(
    publisher_client: Client, mode: str
) -> None:
    draft = make_letter()
    page = preview(publisher_client, draft, template_form(draft), mode).content.decode()
    assert "Back to the basket" in page


def test_a_letter_without_blocks_and_without_mjml_is_not_published(
    publisher_client: Client,
) -> None:
    draft = make_letter([])
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    response = publisher_client.post(edit, {**template_form(draft), "action-publish": "1"})
    assert response.status_code == 200
    assert "Add a block: the letter is empty." in response.content.decode()


def test_a_letter_is_of_blocks_or_of_mjml_and_not_of_both(publisher_client: Client) -> None:
    draft = make_letter()
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    data = {**template_form(draft, body="<mjml></mjml>"), "action-publish": "1"}
    response = publisher_client.post(edit, data)
    assert "This letter is written as MJML already" in response.content.decode()
    assert not TemplateDraft.objects.get().live


def test_an_unknown_tag_is_named_at_its_field_and_a_draft_keeps_it(
    publisher_client: Client,
) -> None:
    draft = make_letter([block("heading", text="Hello {{ customer.password }}", size="h1")])
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    assert publisher_client.post(edit, template_form(draft)).status_code == 302
    response = publisher_client.post(edit, {**template_form(draft), "action-publish": "1"})
    assert response.status_code == 200
    errors = response.context["form"].errors["blocks"].as_data()[0]
    assert "customer.password" in str(errors.block_errors[0].block_errors["text"])


def test_a_test_goes_to_several_colleagues_in_every_language(publisher_client: Client) -> None:
    draft = make_letter()
    make_letter(language="de", subject="Noch da?")
    url = reverse("wagtail_triggers:send_test", args=[draft.pk])
    data = template_form(draft, test_address="a@shop.example, b@shop.example", test_languages="all")
    response = publisher_client.post(url, data)
    assert response.json()["ok"], response.json()
    assert sorted((letter.to[0], letter.subject) for letter in mail.outbox) == [
        ("a@shop.example", "[Test] Noch da?"),
        ("a@shop.example", "[Test] Your basket is waiting"),
        ("b@shop.example", "[Test] Noch da?"),
        ("b@shop.example", "[Test] Your basket is waiting"),
    ]


def test_the_preview_tells_how_an_inbox_shows_the_letter(publisher_client: Client) -> None:
    draft = make_letter(subject="A subject that is much too long for any phone that I know")
    page = preview(publisher_client, draft, template_form(draft), LIGHT).content.decode()
    assert "phones show about 40 of them" in page
    assert "Without a preheader" in page
    assert "kB of 102 that Gmail shows" in page


def test_who_may_not_write_mjml_changes_everything_else(editor: Any) -> None:
    draft = make_letter([], body="<mjml><mj-body></mj-body></mjml>")
    data = template_form(draft, subject="Another subject", body="<mjml>forged</mjml>")
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    assert signed_in(editor).post(edit, data).status_code == 302
    saved = TemplateDraft.objects.get().get_latest_revision_as_object()
    assert (saved.subject, saved.body) == ("Another subject", draft.body)


def test_what_is_worth_a_look_is_said_and_keeps_nobody_from_publishing(
    publisher_client: Client,
) -> None:
    draft = make_letter([block("footer", postal_address=True), block("products", products=[])])
    page = publisher_client.get(reverse(f"{TEMPLATES}:edit", args=[draft.pk])).content.decode()
    assert "only letters about orders may go without" in page
    assert "no product is chosen" in page
    assert "Not written in" in page


def test_who_may_not_write_mjml_adds_no_block_of_it_and_keeps_those_of_others(
    editor: Any,
) -> None:
    theirs = block("html", mjml="<mj-text>Theirs</mj-text>")
    inside = block("columns", widths="half", first=[theirs])
    draft = make_letter([inside])
    edit = reverse(f"{TEMPLATES}:edit", args=[draft.pk])
    client = signed_in(editor)
    moved = template_form(draft, blocks=[block("divider"), theirs])
    assert client.post(edit, moved).status_code == 302
    mine = block("columns", widths="half", first=[block("html", mjml="<mj-raw>Mine</mj-raw>")])
    response = client.post(edit, template_form(draft, blocks=[mine]))
    assert response.status_code == 200
    error = response.context["form"].errors["blocks"].as_data()[0]
    assert "You may not write MJML" in str(error.block_errors[0].as_json_data())
    saved = TemplateDraft.objects.get().get_latest_revision_as_object()
    assert [child.block_type for child in saved.blocks] == ["divider", "html"]


def test_the_mjml_stands_open_where_a_letter_is_written_in_it(publisher_client: Client) -> None:
    pages = [
        publisher_client.get(reverse(f"{TEMPLATES}:edit", args=[draft.pk])).content.decode()
        for draft in (make_letter(), make_template(key="raw", publish=False))
    ]
    assert ['class="w-panel collapsed' in page for page in pages] == [True, False]
