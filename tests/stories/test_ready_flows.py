"""From an empty list of flows to one that is live: two clicks, or two keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oscar_triggers.models import Flow
from sandbox.shop import people

from .desk import Desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TITLE = "Confirm a request to be told"


def test_a_flow_that_ships_is_switched_on_by_keyboard(
    page: Page, open_shop: Any, root_page: Any
) -> None:
    Flow.objects.all().delete()
    people.hire_and_invite()
    desk = Desk(page=page)
    desk.sign_in()
    desk.open_list("Flows")

    page.get_by_role("link", name="What each of them does, step by step").press("Enter")
    switch = page.get_by_role("button", name=f"Switch on {TITLE}")
    switch.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert f"“{TITLE}” is live" in desk.said()
    assert Flow.objects.get().state == "live"
    assert switch.count() == 0
    assert page.get_by_role("link", name=f"Open {TITLE}").is_visible()
