"""By clicks only: a text whose emoji costs, seen while it is written, and mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.editor.conftest import make_flow, make_template, make_text
from tests.editor.crowds.test_in_the_browser import errors, show, sign_in
from wagtail_triggers.models import TemplateDraft

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["errors"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
]


def test_the_counter_names_an_emoji_and_a_curly_quotation_mark(
    page: Page, publisher: Any, errors: list[str]
) -> None:
    sign_in(page, publisher)
    page.goto("/cms/triggers/templates/")
    show(page, "list")
    page.get_by_role("button", name="Actions").first.click()
    page.get_by_role("link", name="Add a text message").click()
    page.locator("[name=language]").select_option("en")
    page.locator("[name=name]").fill("Tea is ready")
    text = page.locator("textarea[name=text]")
    text.fill("Your “tea” is ready 🍵 https://shop.example/a/very/long/address/of/a/page/of/tea/")
    counter = page.locator(".triggers-words__count")
    counter.get_by_text("UCS-2").wait_for()
    counter.get_by_text("teacup without handle, at character 21 of your text").wait_for()
    message = page.locator(".triggers-words__message")
    assert "/t/c/" in message.inner_text()
    assert "shop.example" not in message.inner_text()
    message.scroll_into_view_if_needed()
    show(page, "text")
    counter.get_by_role("button", name="Replace “ by").click()
    assert text.input_value().startswith('Your "tea” is')
    counter.get_by_role("button", name="Replace ” by").click()
    text.fill(text.input_value().replace(" 🍵", ""))
    counter.get_by_text("GSM-7, 1 segment").wait_for()
    assert counter.get_by_role("button").count() == 0
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("heading", name="Tea is ready").first.wait_for()
    page.wait_for_function("() => location.pathname.includes('/edit/')")
    draft = TemplateDraft.objects.get()
    assert draft.channel == "counter_screen"
    assert 'Your "tea" is ready' in draft.get_latest_revision_as_object().text


def test_a_send_step_offers_what_its_channel_can_send(
    page: Page, publisher: Any, errors: list[str]
) -> None:
    make_template()
    make_text()
    flow = make_flow()
    sign_in(page, publisher)
    page.goto(f"/cms/triggers/flows/edit/{flow.pk}/")
    page.get_by_role("tab", name="Steps").click()
    template = page.locator('[data-contentpath="template"] select')
    channel = page.locator('[data-contentpath="channel"] select')
    template.wait_for()
    offered = "select => [...select.options].filter((one) => !one.hidden).map((one) => one.value)"
    page.wait_for_timeout(500)
    assert "text-1" not in template.evaluate(offered)
    channel.select_option("counter_screen")
    template.select_option("text-1")
    template.dispatch_event("change")
    assert "letter-1" not in template.evaluate(offered)
    assert "text-1" in template.evaluate(offered)
