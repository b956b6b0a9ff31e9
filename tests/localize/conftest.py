"""People, a letter and its translation in a shop that has wagtail-localize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from wagtail.models import Locale

from tests.editor.conftest import *  # noqa: F403 — its people and letters
from tests.editor.conftest import signed_in
from tests.editor.letters.conftest import block, make_letter
from wagtail_triggers import permissions
from wagtail_triggers.localizing import SUBMIT

BLOCKS = [
    block("heading", text='Hello {{ contact.first_name|default:"there" }}'),
    block("text", text="<p>Your basket is <b>still</b> here.</p>"),
    block("html", mjml="<mj-text>Written by a developer</mj-text>"),
    block("button", text="Back to the basket", link={"to": "basket"}),
]


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Say what is missing: the app must be there when Django starts."""
    if settings.WITH_LOCALIZE:
        return
    for item in items:
        if item.nodeid.startswith("tests/localize/"):
            item.add_marker(pytest.mark.skip(reason="needs WITH_LOCALIZE=1: make test-localize"))


@pytest.fixture
def russian(db: None) -> Locale:
    """Return the site's Russian locale."""
    return Locale.objects.get_or_create(language_code="ru")[0]


@pytest.fixture
def submits(db: None) -> str:
    """Return the permission to ask for translations, which a migration of wagtail-localize makes."""
    app, _dot, codename = SUBMIT.partition(".")
    kind, _is_new = ContentType.objects.get_or_create(app_label=app, model="translation")
    Permission.objects.get_or_create(content_type=kind, codename=codename, name=codename)
    return SUBMIT


@pytest.fixture
def publisher(person: Callable[..., Any], submits: str) -> Any:
    """Return someone who may publish letters and ask for translations."""
    return person("publisher", *permissions.PUBLISHER, submits)


@pytest.fixture
def letter(db: None, publisher: Any) -> Any:
    """Return an English letter that is live."""
    draft = make_letter(BLOCKS)
    draft.publish(draft.save_revision(user=publisher), user=publisher)
    return type(draft).objects.get(pk=draft.pk)


class Desk:
    """What a translator does in Wagtail's admin."""

    def __init__(self, client: Client, letter: Any, locale: Locale) -> None:
        self.client = client
        self.letter = letter
        self.locale = locale

    def ask(self) -> Any:
        """Ask for the letter in the locale's language; return the draft that it becomes."""
        url = reverse(
            "wagtail_localize:submit_snippet_translation",
            args=["wagtail_triggers", "templatedraft", self.letter.pk],
        )
        self.client.post(url, {"locales": [self.locale.pk]})
        return self.letter.get_translation_or_none(self.locale)

    @property
    def source(self) -> Any:
        """Return what wagtail-localize keeps of the letter."""
        from wagtail_localize.models import TranslationSource

        return TranslationSource.objects.get(object_id=self.letter.translation_key)

    def words(self) -> dict[str, str]:
        """Return what is offered to be translated, by place."""
        return {
            one.context.path: one.string.data
            for one in self.source.stringsegment_set.select_related("context", "string")
        }

    def translate(self, place: str, words: str) -> None:
        """Write one translated string; a place is how its path ends."""
        [segment] = [
            one for one in self.source.stringsegment_set.all() if one.context.path.endswith(place)
        ]
        translation = self.source.translations.get(target_locale=self.locale)
        answer = self.client.put(
            reverse("wagtail_localize:edit_string_translation", args=[translation.pk, segment.pk]),
            data=f"value={words}",
            content_type="application/x-www-form-urlencoded",
        )
        assert answer.status_code in (200, 201), answer.content

    def translate_all(self, **words: str) -> None:
        """Translate everything, what is not named by putting "RU" before it."""
        for path, said in self.words().items():
            place = path.rpartition(".")[2]
            self.translate(path, words.get(place, f"RU {said}"))

    def publish(self, draft: Any) -> list[str]:
        """Press Publish on the page of the translation; return what the next page says."""
        url = reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
        page = self.client.post(url, {"action": "publish"}, follow=True)
        assert page.status_code == 200
        return [str(message) for message in page.context["messages"]]


@pytest.fixture
def desk(publisher: Any, letter: Any, russian: Locale) -> Desk:
    """Return the desk of someone who may do everything."""
    return Desk(signed_in(publisher), letter, russian)
