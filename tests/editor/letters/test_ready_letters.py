"""A letter that ships is one click away from being a draft in each language, and complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import Template
from tests.editor.conftest import signed_in
from tests.editor.test_lists import MOST_QUERIES, queries_of
from wagtail_triggers import presets, ready_letters
from wagtail_triggers.letter_checking import letter_warnings, look_at
from wagtail_triggers.letter_pictures import sheet_of
from wagtail_triggers.models import TemplateDraft
from wagtail_triggers.people import preview_values
from wagtail_triggers.previews import fill_draft

NAMES = sorted(one.name for one in ready_letters.every())
LIST = "wagtailsnippets_wagtail_triggers_templatedraft:list"


def page(client: Client) -> str:
    return client.get(reverse("wagtail_triggers:ready_letters")).content.decode()


def start(client: Client, name: str) -> Any:
    return client.post(reverse("wagtail_triggers:make_letter_draft", args=[name]))


def test_the_usual_occasions_have_a_letter_in_english_and_russian() -> None:
    assert set(NAMES) >= {
        "abandoned-basket",
        "back-in-stock",
        "birthday",
        "order-thanks",
        "price-drop",
        "review-request",
    }
    for one in ready_letters.every():
        assert set(one.words) == {"en", "ru"}, one.name
        english, russian = (
            [block["type"] for block in one.words[language].blocks] for language in ("en", "ru")
        )
        assert english == russian, one.name


def test_the_list_of_letters_leads_there_empty_or_not(publisher_client: Client) -> None:
    url = reverse("wagtail_triggers:ready_letters")
    empty = publisher_client.get(reverse(LIST)).content.decode()
    assert empty.count(url) == 2
    start(publisher_client, "birthday")
    filled = publisher_client.get(reverse(LIST)).content.decode()
    assert filled.count(url) == 1
    assert "Start from a ready letter" in filled


def test_each_letter_is_shown_with_a_picture_and_a_button(publisher_client: Client) -> None:
    shown = page(publisher_client)
    assert shown.count('class="triggers-picture triggers-sheet"') == len(NAMES)
    for name in NAMES:
        assert reverse("wagtail_triggers:make_letter_draft", args=[name]) in shown
    assert " style=" not in shown.partition("ready-letter-")[2].partition("</main>")[0]


def test_a_picture_has_a_shape_for_each_block_below_the_one_before() -> None:
    sheet = sheet_of(["heading", "text", "basket_lines", "of_another_app"])
    assert [shape.kind for shape in sheet.shapes] == ["heading", "text", "lines", "text"]
    ends = [shape.y + shape.height for shape in sheet.shapes]
    assert all(shape.y > end for shape, end in zip(sheet.shapes[1:], ends, strict=False))
    assert sheet.height > ends[-1]


@pytest.mark.parametrize("name", NAMES)
def test_each_letter_previews_and_is_published_in_each_language(
    name: str, publisher: Any, publisher_client: Client, settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English"), ("ru", "Russian")]
    start(publisher_client, name)
    drafts = list(TemplateDraft.objects.order_by("language"))
    assert [draft.language for draft in drafts] == ["en", "ru"]
    for draft in drafts:
        assert not draft.live
        chosen = preview_values("", draft.language, personal=False, now=timezone.now())
        letter = fill_draft(draft, chosen)
        assert letter.subject
        assert letter.html.count("<h1") == 1
        assert "{{" not in letter.html + letter.subject + letter.text
        assert not letter_warnings(draft)
        looked = look_at(draft)
        assert (looked.errors, looked.remark) == ({}, "")
        draft.blocks.stream_block.clean(draft.blocks)
        presets.publish(draft, by=publisher)
        draft.refresh_from_db()
        assert draft.live
    versions = Template.objects.get().versions
    assert set(versions.values_list("language", flat=True)) == {"en", "ru"}


def test_the_click_opens_the_letter_and_sends_nothing(editor: Any) -> None:
    response = start(signed_in(editor), "abandoned-basket")
    draft = TemplateDraft.objects.get(key="abandoned-basket-letter", language="en")
    assert str(draft.pk) in response["Location"]
    opened = signed_in(editor).get(response["Location"])
    assert opened.status_code == 200
    assert "Your basket is still here" in opened.content.decode()
    assert draft.latest_revision.user == editor
    assert not Template.objects.exists()


def test_a_second_click_makes_a_letter_of_its_own(publisher_client: Client) -> None:
    start(publisher_client, "birthday")
    start(publisher_client, "birthday")
    names = set(TemplateDraft.objects.filter(language="en").values_list("key", "name"))
    assert names == {
        ("birthday-letter", "Birthday greeting"),
        ("birthday-letter-2", "Birthday greeting 2"),
    }


def test_a_shop_gets_the_languages_that_it_writes(publisher_client: Client, settings: Any) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "German")]
    start(publisher_client, "welcome")
    assert [draft.language for draft in TemplateDraft.objects.all()] == ["en-gb"]


def test_who_may_add_no_letters_finds_no_gallery(person: Callable[..., Any]) -> None:
    viewer = signed_in(
        person("viewer", "wagtailadmin.access_admin", "wagtail_triggers.view_templatedraft")
    )
    url = reverse("wagtail_triggers:ready_letters")
    assert url not in viewer.get(reverse(LIST)).content.decode()
    assert viewer.get(url).status_code == 302
    assert start(viewer, "birthday").status_code == 302
    assert not TemplateDraft.objects.exists()


def test_a_letter_that_does_not_ship_is_not_found(publisher_client: Client) -> None:
    assert start(publisher_client, "cuckoo").status_code == 404
    get = publisher_client.get(reverse("wagtail_triggers:make_letter_draft", args=["birthday"]))
    assert get.status_code == 405


def test_the_gallery_asks_the_database_nothing_of_its_own(publisher_client: Client) -> None:
    assert (
        queries_of(publisher_client, reverse("wagtail_triggers:ready_letters"))[0] <= MOST_QUERIES
    )
