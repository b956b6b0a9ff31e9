"""With wagtail-localize letters are translated by it, and promises stay what they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from wagtail.models import Locale

from oscar_triggers.engine import templates
from oscar_triggers.models import Owner, Template
from tests.editor.conftest import signed_in
from tests.editor.letters.conftest import as_json, block
from tests.localize.conftest import Desk
from wagtail_triggers import permissions
from wagtail_triggers.models import FlowDraft

pytestmark = [pytest.mark.localize, pytest.mark.django_db(transaction=True)]


def edit_url(draft: Any) -> str:
    """Return the address of a draft's form."""
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk])


def test_the_tab_of_an_unwritten_language_asks_wagtail_localize(desk: Desk) -> None:
    page = desk.client.get(edit_url(desk.letter)).content.decode()
    asks = reverse(
        "wagtail_localize:submit_snippet_translation",
        args=["wagtail_triggers", "templatedraft", desk.letter.pk],
    )
    assert asks in page
    assert "ask for a translation" in page


def test_a_language_without_a_locale_begins_as_a_copy(desk: Desk) -> None:
    Locale.objects.filter(language_code="de").delete()
    page = desk.client.get(edit_url(desk.letter)).content.decode()
    assert "?language=de" in page


def test_who_may_not_ask_for_translations_begins_with_a_copy(
    person: Callable[..., Any], letter: Any, russian: Locale
) -> None:
    client = signed_in(person("editor", *permissions.EDITOR))
    page = client.get(edit_url(letter)).content.decode()
    assert "/localize/submit/" not in page
    assert "?language=ru" in page


def test_asked_for_it_is_a_draft_that_nobody_is_sent(desk: Desk) -> None:
    draft = desk.ask()
    assert (draft.language, draft.key, draft.live) == ("ru", desk.letter.key, False)
    assert templates.languages(desk.letter.key) == ["en"]


def test_words_are_translated_and_mjml_is_not(desk: Desk) -> None:
    desk.ask()
    said = list(desk.words().values())
    assert said == [
        "First letter",
        "Your basket is waiting",
        'Hello {{ contact.first_name|default:"there" }}',
        "Your basket is <b>still</b> here.",
        "Back to the basket",
    ]


def test_a_block_of_the_shops_own_is_translated_too(desk: Desk) -> None:
    stream = type(desk.letter)._meta.get_field("blocks")
    desk.letter.blocks = stream.to_python(
        as_json([block("quote", words="It keeps warm for hours.", who="Anna")])
    )
    desk.letter.publish(desk.letter.save_revision(), user=None)
    draft = desk.ask()
    desk.translate_all(words="Греет часами.")
    desk.publish(draft)
    assert "Греет часами." in templates.live(desk.letter.key, "ru").source["body"]


def test_the_page_of_the_translation_has_all_words_in_their_place(desk: Desk) -> None:
    draft = desk.ask()
    page = desk.client.get(edit_url(draft))
    shown = json.loads(page.context["props"])["segments"]
    assert {one["contentPath"] for one in shown} >= set(desk.words())


def test_published_it_reaches_readers_of_that_language(desk: Desk) -> None:
    draft = desk.ask()
    desk.translate_all(subject="Ваша корзина ждёт")
    [said] = [one for one in desk.publish(draft) if "Published" in one]
    assert "missing" not in said
    draft.refresh_from_db()
    assert (draft.live, draft.subject) == (True, "Ваша корзина ждёт")
    version = templates.live(desk.letter.key, "ru")
    assert version.source["subject"] == "Ваша корзина ждёт"
    assert "RU Your basket is" in version.source["body"]
    assert "Written by a developer" in version.source["body"]


def test_a_broken_tag_is_named_and_nothing_is_published_or_lost(desk: Desk) -> None:
    draft = desk.ask()
    desk.translate_all(text="Привет {{ contact.shoe_size }}")
    said = desk.publish(draft)
    assert any("Block 1, Heading" in one and "contact.shoe_size" in one for one in said)
    draft.refresh_from_db()
    assert not draft.live
    assert templates.languages(desk.letter.key) == ["en"]
    desk.translate("subject", "Ваша корзина ждёт")
    desk.translate_all()
    desk.publish(draft)
    assert templates.languages(desk.letter.key) == ["en", "ru"]


@pytest.mark.parametrize("was_live", [False, True])
def test_a_sync_that_publishes_leaves_what_is_broken_as_it_was(desk: Desk, was_live: bool) -> None:
    draft = desk.ask()
    if was_live:
        desk.translate_all(subject="Ваша корзина ждёт")
        desk.publish(draft)
    desk.translate("subject", "Привет {{ contact.shoe_size }}")
    url = reverse("wagtail_localize:update_translations", args=[desk.source.pk])
    assert desk.client.post(url, {"publish_translations": "on"}).status_code == 302
    draft.refresh_from_db()
    assert draft.live is was_live
    assert "shoe_size" not in draft.subject
    assert templates.languages(desk.letter.key) == (["en", "ru"] if was_live else ["en"])


def test_who_may_not_publish_publishes_no_translation(
    person: Callable[..., Any], submits: str, letter: Any, russian: Locale
) -> None:
    desk = Desk(signed_in(person("editor", *permissions.EDITOR, submits)), letter, russian)
    draft = desk.ask()
    desk.translate_all()
    answer = desk.client.post(edit_url(draft), {"action": "publish"})
    assert answer.status_code in (302, 403)
    assert templates.languages(letter.key) == ["en"]


def test_the_letter_is_seen_as_far_as_it_is_translated(desk: Desk) -> None:
    draft = desk.ask()
    desk.translate("subject", "Ваша корзина ждёт")
    [heading] = [path for path, said in desk.words().items() if said.startswith("Hello")]
    desk.translate(heading, "Привет")
    url = reverse("wagtail_triggers:translated_letter", args=[draft.pk])
    assert url in desk.client.get(edit_url(draft)).content.decode()
    seen = desk.client.get(url)
    assert seen.status_code == 200
    assert "Привет" in seen.content.decode()
    assert "Back to the basket" in seen.content.decode()
    assert "script-src" not in seen["Content-Security-Policy"]
    plain = reverse("wagtail_triggers:translated_letter", args=[desk.letter.pk])
    assert desk.client.get(plain).status_code == 404


def test_a_letter_that_is_published_from_a_file_says_so(desk: Desk) -> None:
    draft = desk.ask()
    desk.translate_all()
    Template.objects.filter(key=desk.letter.key).update(owner=Owner.FILE)
    said = desk.publish(draft)
    assert any("file" in one for one in said)
    assert templates.languages(desk.letter.key) == ["en"]


def test_the_key_stays_once_translations_hang_on_it(desk: Desk) -> None:
    desk.ask()
    type(desk.letter).objects.filter(pk=desk.letter.pk).update(first_published_at=None)
    page = desk.client.get(edit_url(desk.letter))
    assert page.context["form"].fields["key"].disabled


def test_flows_are_not_translated(desk: Desk) -> None:
    from wagtail.models import get_translatable_models

    assert FlowDraft not in get_translatable_models()
    assert type(desk.letter) in get_translatable_models()
