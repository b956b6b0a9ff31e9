"""A new editor, without documentation: from an empty list to a live flow with a letter of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oscar_triggers.models import Flow
from sandbox.shop import people

from .desk import Desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.mail import SmtpSink

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
]

FLOW = "Abandoned basket"
SUBJECT = "Your mug misses you"


@pytest.fixture
def newcomer(page: Page, open_shop: Any, root_page: Any) -> Desk:
    """Return an editor on the first day, who is signed in."""
    Flow.objects.all().delete()
    people.hire_and_invite()
    # A whole way through the editor: many pages, each drawn by Wagtail's own scripts.
    page.set_default_timeout(60_000)
    desk = Desk(page=page)
    desk.sign_in()
    return desk


def publish_letters(desk: Desk) -> None:
    """Publish each of the flow's letters as it is."""
    for number in (2, 3):
        desk.open_list("Templates")
        desk.page.get_by_role("link", name=f"Abandoned basket {number}").first.click()
        desk.page.wait_for_load_state()
        desk.publish()


def test_from_an_empty_list_to_a_live_flow_with_a_changed_letter_and_a_test_mail(
    newcomer: Desk, smtp_sink: SmtpSink
) -> None:
    desk, page = newcomer, newcomer.page
    desk.open_list("Flows")
    with page.expect_navigation():
        page.get_by_role("button", name=f"Start from this {FLOW}", exact=True).click()

    # The checks say that the letters are only drafts, and lead to the first step.
    page.get_by_role("button", name="Toggle checks").click()
    checks = page.locator("[data-side-panel=checks]")
    checks.get_by_role("link", name="1. Send a message").first.click()
    assert page.get_by_role("tab", name="Steps").get_attribute("aria-selected") == "true"
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Look at this letter").first.click()

    # The letter gets words of one's own, comes as a test, and goes live.
    letter = Desk(page=opened.value)
    letter.page.set_default_timeout(60_000)
    letter.page.get_by_role("textbox", name="Subject").fill(SUBJECT)
    letter.page.get_by_role("tab", name="Preview and test").click()
    letter.page.get_by_role("button", name="Send me a test").click()
    letter.page.get_by_role("status").get_by_text("Sent to").wait_for()
    assert [mail["Subject"] for mail in smtp_sink.messages] == [f"[Test] {SUBJECT}"]
    letter.publish()
    publish_letters(letter)

    # Before it goes live it is said who would come in, and that it is good.
    page.reload()
    page.get_by_role("button", name="Toggle diagram").click()
    diagram = page.locator("[data-side-panel=triggers-diagram]")
    diagram.get_by_text("A basket was left behind").wait_for()
    assert diagram.get_by_role("link").filter(has_text="Send a message").count() == 3
    footer = page.locator("footer").last
    page.wait_for_load_state("networkidle")
    footer.locator("[data-w-dropdown-target=toggle]").last.click()
    page.get_by_role("button", name="Publish", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("0 baskets wait now.").wait_for()
    dialog.get_by_role("button", name="Publish now").click()
    page.locator(".messages").locator("li").first.wait_for()
    assert "published" in desk.said(), desk.refusals()
    assert Flow.objects.get().state == "live"


def test_two_editors_at_once_are_told_and_nothing_is_lost(
    newcomer: Desk, browser: Any, open_shop: Any
) -> None:
    from wagtail_triggers.models import FlowDraft

    desk, page = newcomer, newcomer.page
    page.goto("/cms/triggers/ready/")
    with page.expect_navigation():
        page.get_by_role("button", name=f"Make a draft {FLOW}", exact=True).click()
    address = page.url
    context = browser.new_context(base_url=open_shop.url)
    try:
        context.set_default_timeout(60_000)
        other = Desk(page=context.new_page())
        other.sign_in()
        other.page.goto(address)
        other.page.wait_for_load_state("networkidle")
        page.wait_for_load_state("networkidle")
        page.get_by_role("textbox", name="Name").first.fill("Baskets, by Ed")
        page.get_by_role("button", name="Save draft").click()
        page.wait_for_load_state("networkidle")
        other.page.get_by_role("textbox", name="Name").first.press_sequentially(" and by another")
        other.page.get_by_text("saved a new version").first.wait_for(
            state="attached", timeout=60_000
        )
    finally:
        context.close()
    assert desk.page.get_by_role("textbox", name="Name").first.input_value() == "Baskets, by Ed"
    draft = FlowDraft.objects.get()
    assert draft.get_latest_revision_as_object().name == "Baskets, by Ed"
