"""The public pages as people see and use them: light, dark, narrow, by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import contacts
from oscar_triggers.models import ConsentAction, Message, point_hash
from oscar_triggers.policy import consent
from oscar_triggers.snapshots import Person
from tests.policy.rows import enroll, make_flow, plan_message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HASH = point_hash("email", "guest@example.com")


@pytest.fixture
def letter() -> Message:
    """Return a letter that a guest who opted in has received."""
    now = timezone.now()
    contact_id = contacts.resolve(Person(email="guest@example.com"), now=now)
    consent.write_many(
        [
            consent.Line(
                channel="email",
                point_hash=HASH,
                topic="offers",
                action=ConsentAction.GRANT,
                source="checkout",
                occurred_at=now,
            )
        ],
        now,
    )
    enrollment = enroll(make_flow("left-basket"), contact_id, "basket:7:1")
    return plan_message(enrollment, "guest@example.com", state="sent")


def allowed() -> bool:
    state = consent.state("email", HASH, "offers")
    return state is not None and state.allowed


def test_a_reader_unsubscribes_by_keyboard_and_changes_their_mind(
    page: Any, letter: Message
) -> None:
    page.goto(reverse("oscar_triggers:unsubscribe", args=[letter.public_id]))
    assert page.locator("h1").inner_text() == "Stop these e-mails?"
    assert page.locator("html").get_attribute("lang")
    page.get_by_role("button", name="Unsubscribe").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert not allowed()
    page.get_by_role("button", name="Subscribe again").click()
    page.get_by_role("heading", name="You are subscribed again").wait_for()
    assert allowed()


@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_scrolls_sideways(page: Any, letter: Message, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    unsubscribe = reverse("oscar_triggers:unsubscribe", args=[letter.public_id])
    for address in (unsubscribe, "/t/b/x/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_buttons_have_enough_contrast(page: Any, letter: Message, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(reverse("oscar_triggers:unsubscribe", args=[letter.public_id]))
    for selector in ("h1", "main p", "main .quiet", "button", "main a"):
        ratio = page.evaluate(_CONTRAST, selector)
        assert ratio >= 4.5, (selector, ratio)


def test_the_shop_learns_the_time_zone_of_the_visitor(browser: Any, live_server: Any) -> None:
    context = browser.new_context(base_url=live_server.url, timezone_id="Asia/Yekaterinburg")
    visitor = context.new_page()
    visitor.goto("/t/b/x/")
    visitor.add_script_tag(path=finders.find("oscar_triggers/public/time_zone.js"))
    [cookie] = [c for c in context.cookies() if c["name"] == "triggers_time_zone"]
    assert (cookie["value"], cookie["path"]) == ("Asia/Yekaterinburg", "/")
    context.close()


_CONTRAST = """
(selector) => {
  const element = document.querySelector(selector);
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  let ground = element, colour = parse(getComputedStyle(ground).backgroundColor);
  while (colour.length === 4 && colour[3] === 0 && ground.parentElement) {
    ground = ground.parentElement;
    colour = parse(getComputedStyle(ground).backgroundColor);
  }
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(colour)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
"""
