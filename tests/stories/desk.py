"""The editor's desk: Wagtail's admin in a real browser, by clicks only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.shop.people import EDITOR

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@dataclass(kw_only=True)
class Desk:
    """The editor in front of the admin."""

    page: Page

    def sign_in(self) -> None:
        """Sign in with the password that the sandbox prints."""
        self.page.goto("/cms/")
        self.page.fill("[name=username]", EDITOR.email)
        self.page.fill("[name=password]", EDITOR.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Triggers").wait_for()

    def open_list(self, name: str) -> None:
        """Open one of the lists of the menu: Flows, Templates, Messages."""
        self.page.get_by_role("button", name="Triggers").click()
        menu = self.page.get_by_role("list", name="Triggers")
        menu.get_by_role("link", name=name, exact=True).click()
        self.page.get_by_role("heading", name=name).first.wait_for()

    def open_row(self, title: str) -> None:
        """Open what a list shows."""
        self.row(title).get_by_role("link", name=title, exact=True).first.click()
        self.page.wait_for_load_state()

    def row(self, title: str) -> Locator:
        """Return the line of a list that shows something."""
        return self.page.locator("table.listing tbody tr").filter(has_text=title)

    def cells(self, title: str) -> dict[str, str]:
        """Return what a list shows of something, by the heads of its columns."""
        heads = self.page.locator("table.listing thead th").all_inner_texts()
        values = self.row(title).locator("td").all_inner_texts()
        return {
            head.strip(): " ".join(value.split()) for head, value in zip(heads, values, strict=True)
        }

    def press_in_row(self, title: str, name: str) -> None:
        """Choose something from the menu of a line, and wait for the list to come back."""
        row = self.row(title)
        row.hover()
        row.locator("[data-w-dropdown-target=toggle]").click()
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def publish(self) -> None:
        """Choose “Publish” beside “Save draft”, once what Wagtail saves by itself is saved."""
        self.page.wait_for_load_state("networkidle")
        footer = self.page.locator("footer, .footer").last
        footer.locator("[data-w-dropdown-target=toggle]").last.click()
        footer.locator("button[name=action-publish]").click()
        if self.page.locator("#triggers-publish-dialog").count():
            # What publishing a flow would do is said first.
            self.page.get_by_role("button", name="Publish now").click()
        self.page.locator(".messages").locator("li").first.wait_for()

    def refusals(self) -> list[str]:
        """Return what the form says is wrong, for a test that fails."""
        return self.page.locator(".error-message, .w-field__errors").all_inner_texts()

    def said(self) -> str:
        """Return what Wagtail says above the page."""
        return " ".join(self.page.locator(".messages").inner_text().split())
