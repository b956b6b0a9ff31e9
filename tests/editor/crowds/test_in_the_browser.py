"""By clicks only: a segment with its live count, a letter to it, confirmed, and the calendar."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.utils import timezone

from oscar_triggers.engine import clockwork, one_off, saved_segments
from oscar_triggers.models import OneOffLetter, SavedSegment
from oscar_triggers.testing import factories
from tests.editor.conftest import make_template

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def errors(page: Page) -> Iterator[list[str]]:
    """Collect what the browser's console says is wrong."""
    found: list[str] = []
    page.on("console", lambda one: found.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda one: found.append(str(one)))
    yield found
    assert found == []


def sign_in(page: Page, user: Any) -> None:
    """Sign in at the admin's own page."""
    page.set_default_timeout(60_000)
    page.goto("/cms/")
    page.fill("[name=username]", user.email)
    page.fill("[name=password]", "tea-and-biscuits")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Triggers").wait_for()


def show(page: Page, name: str) -> None:
    """Keep pictures in light, dark and on a phone where somebody wants to look at them."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    for scheme, size in (("light", (1280, 900)), ("dark", (1280, 900)), ("light", (390, 844))):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two names it takes
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(300)
        which = "phone" if size[0] < 500 else scheme
        page.screenshot(path=Path(folder) / f"{name}-{which}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_from_an_empty_list_to_a_letter_that_left(
    page: Page, publisher: Any, errors: list[str]
) -> None:
    now = timezone.now()
    make_template()
    for name in ("anna", "boris", "chloe"):
        factories.contact(f"{name}@example.com", now=now, tags=("tea",))
    factories.contact("dmitri@example.com", now=now, tags=("tea",), topics=())
    factories.contact("emil@example.com", now=now)
    sign_in(page, publisher)

    page.goto("/cms/triggers/segments/")
    page.get_by_role("heading", name="No segment yet").wait_for()
    page.get_by_role("link", name="Add a segment").first.click()
    page.locator("[name=name]").press_sequentially("Tea drinkers")
    page.get_by_role("button", name="Insert a block").click()
    page.get_by_role("option", name="Has a tag", exact=True).click()
    page.locator("[name=conditions-0-value-tag]").fill("tea")
    page.get_by_text("Matches 4 people now, of 5.").wait_for()
    show(page, "segment-new")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_text("Matches 4 people now, of 5.").wait_for()
    assert SavedSegment.objects.get().key == "tea-drinkers"
    page.goto("/cms/triggers/segments/")
    show(page, "segments")

    page.goto("/cms/triggers/one-off-letters/new/")
    page.locator("[name=name]").fill("First flush")
    page.locator("[name=segment]").select_option(label="Tea drinkers")
    page.locator("[name=template]").select_option(label="First letter")
    show(page, "letter-new")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_text("3 people would get it now.").wait_for()
    show(page, "letter-before")
    page.get_by_role("button", name="Confirm and send now").click()
    page.get_by_text("is confirmed").wait_for()
    for seconds in (1, 11, 21):
        clockwork.tick(timezone.now() + timedelta(seconds=seconds))
    assert len(mail.outbox) == 3
    page.reload()
    page.get_by_text("Never agreed to such messages: 1").wait_for()
    show(page, "letter-done")

    later = OneOffLetter.objects.create(
        name="Second flush",
        segment="tea-drinkers",
        template="letter-1",
        topic="offers",
        send_at=now + timedelta(days=2),
        created_at=now,
        changed_at=now,
    )
    one_off.confirm(later.pk, people=4, now=now)
    saved_segments.count_again(SavedSegment.objects.get(), now)
    page.goto("/cms/triggers/one-off-letters/")
    page.get_by_text("Second flush").wait_for()
    show(page, "letters")
    page.goto(f"/cms/triggers/one-off-letters/{later.pk}/")
    show(page, "letter-waits")
    page.goto(f"/cms/triggers/calendar/?month={now + timedelta(days=2):%Y-%m}")
    page.get_by_role("link", name="Second flush").wait_for()
    show(page, "calendar")


def test_a_list_of_a_segment_is_counted_by_a_click(
    page: Page, publisher: Any, errors: list[str]
) -> None:
    now = timezone.now()
    for name in ("anna", "boris"):
        factories.contact(f"{name}@example.com", now=now, tags=("tea",))
    factories.contact("emil@example.com", now=now)
    saved_segments.save(
        key="tea", name="Tea drinkers", asked=[{"kind": "has_tag", "tag": "tea"}], now=now
    )
    sign_in(page, publisher)
    page.goto("/cms/triggers/contacts/")
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="People of the segment").click()
    page.get_by_label("People of the segment").last.select_option("Tea drinkers")
    page.get_by_text("has not been counted to the end yet").wait_for()
    show(page, "segment-not-counted")
    page.get_by_role("button", name="Count", exact=True).click()
    page.get_by_text("as counted at").wait_for()
    assert page.url.endswith("/cms/triggers/contacts/?segment=tea")
    assert page.locator("table.listing tbody tr").count() == 2
    show(page, "segment-counted")
    page.goto("/cms/triggers/dashboard/?segment=tea")
    page.get_by_role("button", name="Count again").click()
    page.get_by_text("as counted at").wait_for()
    show(page, "segment-dashboard")
