"""Wagtail's checker looks at the letter in the preview, and a letter's own script stays dead."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.editor.conftest import make_template
from tests.editor.test_accessibility import desk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["desk"]

_FAINT = """
<mjml lang="en"><mj-body background-color="#ffffff"><mj-section><mj-column>
<mj-text color="#dddddd"><h2>Your basket</h2><h5>is waiting</h5>
<a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


def edit_url(draft: Any) -> str:
    """Return the address of a letter's form."""
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk])


def checks(page: Any) -> Any:
    """Open the preview, then the checks of what it shows, and return their panel."""
    page.get_by_label("Toggle preview").click()
    # A frame that nobody sees has no colours that could be compared.
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-side-panel=preview] iframe')].some((frame) =>"
        " frame.contentDocument?.querySelector('wagtail-userbar')?.shadowRoot)"
    )
    page.get_by_label("Toggle checks").click()
    return page.locator("[data-side-panel='checks']")


def test_a_faint_text_and_a_skipped_heading_are_told_beside_the_form(desk: Any) -> None:
    page = desk.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    page.goto(edit_url(make_template("faint", body=_FAINT, publish=False)))
    panel = checks(page)
    expect(panel).to_contain_text("Text is hard to read on its background", timeout=30_000)
    expect(panel).to_contain_text("Incorrect heading hierarchy")
    expect(panel).not_to_contain_text("Meta description")
    # The checker itself writes down what it found.
    assert [one for one in said if not one.startswith("axe.run results")] == []


def test_a_letter_that_is_good_is_left_in_peace(desk: Any) -> None:
    page = desk.new_page()
    blocks = [{"type": "text", "value": {"text": "<p>Your basket waits</p>"}}]
    draft = make_template("good", body="", blocks=json.dumps(blocks), publish=False)
    page.goto(edit_url(draft))
    panel = checks(page)
    expect(panel).to_contain_text(
        re.compile(r"Words\s+\d+.*Issues found\s*0", re.S), timeout=30_000
    )
