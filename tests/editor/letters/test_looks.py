"""Every letter made of blocks inherits the shop's looks, and a change of them reaches old letters."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from oscar_triggers.models import TemplateVersion
from tests.editor.conftest import make_template, signed_in
from tests.editor.letters.conftest import make_letter
from wagtail_triggers.brands import older_letters
from wagtail_triggers.letter_blocks.brands import DARK, LIGHT, contrast
from wagtail_triggers.models import LetterBrand, TemplateDraft
from wagtail_triggers.models.brands import LEAST_CONTRAST, PAIRS
from wagtail_triggers.publishing import composed


def published(**fields: Any) -> TemplateDraft:
    """Return a published letter of blocks."""
    draft = make_letter(**fields)
    draft.publish(draft.get_latest_revision())
    return TemplateDraft.objects.get(pk=draft.pk)


def test_the_looks_stand_in_every_letter_of_blocks(db: None) -> None:
    LetterBrand.objects.create(
        light_accent="#7a0019",
        footer="You asked for it, {{ contact.first_name }}.",
        legal="Kettle & Pine Ltd",
        instagram="https://instagram.example/kettle",
    )
    body = composed(make_letter()).body
    for said in ("#7a0019", "You asked for it, {{ contact.first_name }}", "Kettle &amp; Pine Ltd"):
        assert said in body
    assert 'href="https://instagram.example/kettle"' in body


def test_letters_that_were_published_before_are_told_of_and_published_again(
    publisher_client: Client,
) -> None:
    draft = published()
    make_template(key="raw")
    LetterBrand.objects.create(light_accent="#7a0019")
    assert older_letters() == [draft]
    page = publisher_client.get(
        reverse("wagtailsettings:edit", args=["wagtail_triggers", "letterbrand"]), follow=True
    ).content.decode()
    assert "1 published letter still looks as it did before" in page
    response = publisher_client.post(reverse("wagtail_triggers:publish_again"))
    assert response.status_code == 302
    assert older_letters() == []
    newest = TemplateVersion.objects.filter(template__key="letter-1").latest("number")
    assert newest.number == 2
    assert "#7a0019" in newest.source["body"]


def test_publishing_again_leaves_what_is_only_a_draft_a_draft(publisher_client: Client) -> None:
    draft = published()
    draft.subject = "Only an idea"
    draft.save_revision()
    LetterBrand.objects.create(light_accent="#7a0019")
    publisher_client.post(reverse("wagtail_triggers:publish_again"))
    newest = TemplateVersion.objects.latest("number")
    assert newest.source["subject"] == "Your basket is waiting"
    latest = TemplateDraft.objects.get().get_latest_revision_as_object()
    assert latest.subject == "Only an idea"


def test_who_may_only_write_drafts_changes_no_looks(editor: Any) -> None:
    client = signed_in(editor)
    assert client.post(reverse("wagtail_triggers:publish_again")).status_code in (302, 403)
    page = client.get(reverse("wagtailsettings:edit", args=["wagtail_triggers", "letterbrand"]))
    assert page.status_code in (302, 403)


def test_colours_that_nobody_can_read_are_refused(db: None) -> None:
    with pytest.raises(ValidationError) as raised:
        LetterBrand(light_text="#dddddd").full_clean()
    assert "can be read" in str(raised.value.message_dict["light_text"])


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_the_colours_that_ship_can_be_read(scheme: Any) -> None:
    for front, back in PAIRS:
        assert contrast(getattr(scheme, front), getattr(scheme, back)) >= LEAST_CONTRAST
