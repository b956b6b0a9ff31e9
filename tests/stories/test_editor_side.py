"""An editor switches a flow on by clicking, and sees what came of it and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from oscar_triggers.models import Flow, Owner
from sandbox.shop import people

from .desk import Desk
from .walking import Tide, Walker, another_device, leave_as_guest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.mail import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

FLOW = "Abandoned basket"
LETTER = "Abandoned basket 1: reminder"


@pytest.fixture
def desk(page: Page, open_shop: Any, root_page: Any) -> Desk:
    """Return an editor with the presets as drafts; the letters are live."""
    from wagtail_triggers import presets
    from wagtail_triggers.models import TemplateDraft

    people.hire_and_invite()
    call_command("triggers_load_presets", "abandoned-basket", verbosity=0)
    for draft in TemplateDraft.objects.all():
        presets.publish(draft)
    return Desk(page=page)


@pytest.fixture
def switched_on(desk: Desk) -> Desk:
    """Return the editor, who has published the flow."""
    desk.sign_in()
    desk.open_list("Flows")
    assert desk.cells(FLOW)["State"].lower() == "draft"
    desk.open_row(FLOW)
    desk.publish()
    assert "published" in desk.said()
    return desk


def test_an_editor_publishes_a_flow_and_sees_what_came_of_it(
    switched_on: Desk, smtp_sink: SmtpSink, browser: Browser, open_shop: Any, product: Any
) -> None:
    desk, tide = switched_on, Tide(sink=smtp_sink)
    flow = Flow.objects.get()
    assert (flow.state, flow.owner) == ("live", Owner.EDITOR)

    with another_device(browser, open_shop.url) as page:
        leave_as_guest(Walker(page=page, email="mary@example.com"), product)
    [letter] = tide.later("61m")

    desk.open_list("Flows")
    shown = desk.cells(FLOW)
    assert shown["State"].lower() == "live"
    assert (shown["On their way"], shown["Sent, 30 days"]) == ("1", "1")

    desk.open_list("Messages")
    logged = desk.cells(LETTER)
    assert logged["State"].lower() == "sent"
    assert logged["To"] == "mary@example.com"
    desk.open_row(LETTER)
    sent = desk.page.frame_locator("iframe.triggers-letter")
    sent.get_by_text("Enamel mug").first.wait_for()
    assert str(letter["Subject"]) in desk.page.content()
    decisions = desk.page.locator("table", has=desk.page.get_by_text("Compared values"))
    told = " ".join(decisions.inner_text().split())
    assert "entered the flow" in told
    assert "Sending sent" in told
    # The consent that allowed it, and the price that it named.
    assert "checkout" in told
    assert "12.50" in told
    headers = desk.page.locator("#tab-headers pre").text_content() or ""
    assert str(letter["Message-ID"]) in headers


def test_a_paused_flow_writes_to_nobody_until_it_is_resumed(
    switched_on: Desk, smtp_sink: SmtpSink, browser: Browser, open_shop: Any, product: Any
) -> None:
    desk, tide = switched_on, Tide(sink=smtp_sink)
    with another_device(browser, open_shop.url) as page:
        leave_as_guest(Walker(page=page, email="mary@example.com"), product)
    assert len(tide.later("61m")) == 1

    desk.open_list("Flows")
    desk.press_in_row(FLOW, "Pause")
    assert desk.cells(FLOW)["State"].lower() == "paused"
    assert tide.later("23h") == []

    desk.press_in_row(FLOW, "Resume")
    assert desk.cells(FLOW)["State"].lower() == "live"
    [letter] = tide.later("1m")
    assert letter["Subject"] == "Can we help with your order?"


def test_a_broken_letter_is_not_published_and_the_page_says_where(
    desk: Desk, smtp_sink: SmtpSink
) -> None:
    from oscar_triggers.models import TemplateVersion

    before = TemplateVersion.objects.count()
    desk.sign_in()
    desk.open_list("Templates")
    desk.page.get_by_role("link", name="Abandoned basket 1: reminder", exact=False).first.click()
    body = desk.page.locator("textarea[name=body]")
    body.fill(body.input_value().replace("</mj-text>", "", 1))
    desk.publish()

    assert "could not be saved" in desk.said()
    shown = desk.page.locator("form").last.inner_text()
    assert re.search(r"Line \d+: <mj-text> is never closed", shown)
    assert TemplateVersion.objects.count() == before
