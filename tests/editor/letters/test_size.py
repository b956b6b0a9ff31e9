"""A letter that mailboxes cut off is remarked on, and one that is far too large is not published."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.editor.conftest import LETTER, make_template
from tests.editor.forms import template_form
from wagtail_triggers.letter_checking import look_at
from wagtail_triggers.models import TemplateDraft

pytestmark = pytest.mark.django_db


def of_size(kilobytes: int) -> str:
    """Return a letter whose HTML has about this size."""
    return LETTER.replace("Hello {{", "tea " * (kilobytes * 256) + "Hello {{")


@pytest.mark.parametrize(("kilobytes", "warned"), [(1, False), (110, True)])
def test_a_letter_that_gmail_cuts_off_is_published_with_a_warning(
    publisher_client: Client, kilobytes: int, warned: bool
) -> None:
    draft = make_template(body=of_size(kilobytes), publish=False)
    assert look_at(draft).errors == {}
    edit = reverse(TemplateDraft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
    page = publisher_client.post(
        edit, {**template_form(draft), "action-publish": "1"}, follow=True
    ).content.decode()
    assert TemplateDraft.objects.get(pk=draft.pk).live
    assert ("Gmail cuts it off after 102 kB" in page) == warned


def test_the_editor_of_a_saved_letter_does_not_compile_it(
    publisher_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_template(body=of_size(1), publish=False)
    edit = reverse(TemplateDraft.snippet_viewset.get_url_name("edit"), args=[draft.pk])

    def never(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("compiled while a page was opened")

    monkeypatch.setattr("wagtail_triggers.letter_checking.compile_letter", never)
    assert publisher_client.get(edit).status_code == 200


def test_a_letter_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagtail_triggers.inbox.REFUSED", 120 * 1024)
    draft = make_template(body=of_size(130), publish=False)
    (error,) = look_at(draft).errors["body"]
    assert "it is not published" in str(error.message)
