"""Nothing is cut on a phone, and nothing lies over a title: measured in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.editor.pages import make_things
from tests.editor.test_accessibility import desk as desk
from wagtail_triggers.models import TemplateDraft

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_table_of_contacts_can_be_read_to_its_end_on_a_phone(desk: Any) -> None:
    make_things()
    page = desk.new_page()
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(reverse("triggers_contacts:index"))
    found = page.evaluate(
        """() => [...document.querySelectorAll('table.listing')].map(table => {
            const around = table.parentElement;
            return [around.getBoundingClientRect().right, getComputedStyle(around).overflowX];
        })"""
    )
    assert found
    assert all(right <= 375 and overflow == "auto" for right, overflow in found), found


def test_a_long_title_ends_before_the_button_that_collapses_all(desk: Any) -> None:
    make_things()
    draft = TemplateDraft.objects.all()[0]
    draft.name = "All that anybody could wish to know about a basket " * 3
    draft.save_revision()
    page = desk.new_page()
    page.set_viewport_size({"width": 1280, "height": 800})
    name = TemplateDraft.snippet_viewset.get_url_name("edit")
    page.goto(reverse(name, args=[draft.pk]))
    page.wait_for_selector(".w-minimap__collapse-all--floating")
    words, button = page.evaluate(
        """() => {
            const range = document.createRange();
            range.selectNodeContents(document.getElementById('header-title'));
            const button = document.querySelector('.w-minimap__collapse-all--floating');
            return [range.getBoundingClientRect().right, button.getBoundingClientRect().left];
        }"""
    )
    assert words < button
