"""An editor builds a flow by clicks only: a tree of conditions, a wait for an event, a letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.models import Flow

from .desk import Desk
from .test_editor_side import desk

if TYPE_CHECKING:
    from playwright.sync_api import Locator

__all__ = ["desk"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def add(within: Locator, name: str) -> None:
    """Choose a block from the last chooser of a part of the form."""
    page = within.page
    within.get_by_role("button", name="Insert a block").last.click()
    page.get_by_role("option", name=name, exact=True).click()
    # The next chooser opens when this one is gone.
    page.get_by_role("option").first.wait_for(state="hidden")


def part(desk: Desk, heading: str) -> Locator:
    """Return the part of the form below a heading."""
    title = desk.page.get_by_role("heading", name=heading)
    return desk.page.locator("section.w-panel", has=title).last


def block(within: Locator, name: str) -> Locator:
    """Return a block of a part of the form by its label."""
    title = within.page.locator("h1, h2, h3, h4, h5, h6", has_text=name)
    return within.locator("section.w-panel--nested", has=title).last


def test_an_editor_builds_and_publishes_a_flow(desk: Desk, smtp_sink: Any) -> None:
    page = desk.page
    desk.sign_in()
    page.goto("/cms/triggers/flows/add/")
    page.locator("[name=name]").press_sequentially("Cards of friends")
    page.locator("[name=key]").fill("cards-of-friends")
    assert "minimum number" not in page.locator("form").last.inner_text()
    add(part(desk, "What starts it"), "A gift card is about to expire")
    entry = part(desk, "Only if, at the start")
    add(entry, "Any of these")
    add(block(entry, "Any of these"), "Has a tag")
    block(entry, "Has a tag").get_by_role("textbox").fill("friend")

    page.get_by_role("tab", name="Steps").click()
    steps = part(desk, "Steps")
    steps.get_by_role("button", name="Insert a block").last.click()
    shown = page.get_by_role("listbox").last.inner_text()
    assert [shown.index(one) for one in ("Messages", "Waiting", "Choices", "Acts", "More")] == (
        sorted(shown.index(one) for one in ("Messages", "Waiting", "Choices", "Acts", "More"))
    )
    page.get_by_role("option", name="Wait for an event", exact=True).click()
    chosen = steps.locator("[name=steps-0-value-event]")
    chosen.select_option(label="An order was placed")
    steps.locator("[name=steps-0-value-timeout-amount]").fill("2")
    steps.locator("[name=steps-0-value-timeout-unit]").select_option("d")
    add(steps, "Send a message")
    steps.locator("[name=steps-1-value-template]").select_option("abandoned-basket-1")
    desk.publish()
    assert "published" in desk.said(), desk.refusals()

    version = Flow.objects.get(key="cards-of-friends").live_version
    assert version is not None
    flow = FlowDefinition.from_dict(version.definition)
    assert flow.entry == ({"kind": "any", "of": [{"kind": "has_tag", "tag": "friend"}]},)
    first, letter = flow.steps
    assert (first.kind, letter.kind) == ("wait_for_event", "send")
    assert first.options == {"event": "order_placed", "timeout": "2d"}
