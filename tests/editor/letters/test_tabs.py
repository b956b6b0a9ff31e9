"""Above a letter stand its languages: those that are written, and those that a copy begins."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.editor.conftest import make_template

pytestmark = pytest.mark.django_db


def tabs(client: Client, draft: Any) -> dict[str, tuple[str, str]]:
    """Return what stands beside each language above a letter's form, and where it leads."""
    page = client.get(reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk]))
    nav = BeautifulSoup(page.content, "html.parser").find(class_="triggers-languages")
    assert nav is not None
    found = {}
    for item in nav.find_all("li"):
        link, said = item.find(["a", "span"]), item.find("small")
        for hidden in item.find_all(class_="w-sr-only"):
            hidden.extract()
        found[link.get_text(strip=True)] = (said.get_text(" ", strip=True), link.get("href", ""))
    return found


def test_languages_are_one_click_apart(publisher_client: Client) -> None:
    english = make_template()
    russian = make_template(language="ru", publish=False)
    found = tabs(publisher_client, english)
    assert found["English"][0] == "published"
    assert found["Russian"] == (
        "draft: readers get English",
        reverse(english.snippet_viewset.get_url_name("edit"), args=[russian.pk]),
    )


def test_a_language_that_nobody_wrote_begins_as_a_copy(publisher_client: Client) -> None:
    said, url = tabs(publisher_client, make_template())["German"]
    assert said == "not written: readers get English"
    form = BeautifulSoup(publisher_client.get(url).content, "html.parser")
    chosen = form.select_one("select[name=language] option[selected]")
    assert chosen is not None
    assert chosen["value"] == "de"


def test_nobody_gets_anything_before_it_is_published(publisher_client: Client) -> None:
    assert tabs(publisher_client, make_template(publish=False))["German"][0] == "not written"


def test_a_letter_of_another_key_is_another_letter(publisher_client: Client) -> None:
    make_template("letter-2", language="ru")
    assert tabs(publisher_client, make_template())["Russian"][0].startswith("not written")


def test_a_language_that_the_shop_gave_up_is_still_found(publisher_client: Client) -> None:
    english = make_template()
    make_template(language="fr")
    assert tabs(publisher_client, english)["fr"][0] == "published"
