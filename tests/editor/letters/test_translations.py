"""For Wagtail the languages of a letter are translations, each in the locale of its language."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse
from wagtail.models import Locale

from tests.editor.conftest import make_template
from wagtail_triggers.models import TemplateDraft

pytestmark = pytest.mark.django_db

LIST = "wagtailsnippets_wagtail_triggers_templatedraft:list"


@pytest.fixture(autouse=True)
def locales(db: None) -> None:
    """Let the site have pages in English and Russian, and none in German."""
    Locale.objects.exclude(language_code__in=["en", "ru"]).delete()
    for code in ("en", "ru"):
        Locale.objects.get_or_create(language_code=code)


def test_languages_of_a_letter_are_translations_of_each_other() -> None:
    english, russian = make_template(), make_template(language="ru")
    other = make_template("letter-2")
    assert list(english.get_translations()) == [russian]
    assert russian.locale.language_code == "ru"
    assert other.translation_key != english.translation_key


def test_a_letter_may_be_written_in_a_language_without_pages() -> None:
    english, german = make_template(), make_template(language="de")
    assert german.locale is None
    assert german.translation_key == english.translation_key
    # Or whoever asks into which locales it is not translated yet would hear: into none.
    assert not english.get_translations().exists()


def test_a_locale_that_the_site_gets_later_takes_its_letters_in() -> None:
    english, german = make_template(), make_template(language="de")
    Locale.objects.create(language_code="de")
    assert list(english.get_translations()) == [german]


def test_a_locale_that_the_site_gives_up_takes_no_letter_with_it() -> None:
    russian = make_template(language="ru")
    Locale.objects.get(language_code="ru").delete()
    russian.refresh_from_db()
    assert (russian.live, russian.language, russian.locale) == (True, "ru", None)


def test_the_list_shows_letters_of_all_languages(publisher_client: Client, settings: Any) -> None:
    settings.WAGTAIL_I18N_ENABLED = True
    for language in ("en", "ru", "de"):
        make_template(language=language, name=f"Written in {language}")
    page = publisher_client.get(reverse(LIST), {"locale": "ru"}).content.decode()
    assert all(f"Written in {language}" in page for language in ("en", "ru", "de"))


def test_a_copy_for_another_locale_was_never_published() -> None:
    english = make_template()
    copy = english.copy_for_translation(Locale.objects.get(language_code="ru"))
    copy.save()
    copy.refresh_from_db()
    assert (copy.language, copy.key, copy.subject) == ("ru", english.key, english.subject)
    assert (copy.live, copy.live_revision, copy.first_published_at) == (False, None, None)


def test_a_draft_that_says_it_is_live_is_not_before_it_is_published() -> None:
    draft = make_template(publish=False, live=True)
    assert not draft.live


def test_letters_from_before_get_their_locale() -> None:
    english, russian, german = (make_template(language=code) for code in ("en", "ru", "de"))
    TemplateDraft.objects.update(locale=None, translation_key="0" * 32)
    fill: Any = import_module("wagtail_triggers.migrations.0011_keys_of_translations").fill
    fill(apps, connection.schema_editor(atomic=False))
    for draft in (english, russian, german):
        wanted = draft.translation_key, draft.locale
        draft.refresh_from_db()
        assert (draft.translation_key, draft.locale) == wanted


def test_a_live_letter_whose_old_revisions_were_purged_stays_live() -> None:
    draft = make_template()
    draft.revisions.all().delete()
    draft.refresh_from_db()
    draft.save()
    draft.refresh_from_db()
    assert draft.live
