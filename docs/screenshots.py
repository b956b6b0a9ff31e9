"""Takes a picture of each screen of the editor; of the main ones in dark and as on a phone too.

Run `python docs/screenshots.py http://127.0.0.1:8000` against a running sandbox (`make sandbox`);
add a row to SCREENS for a new screen. Pictures go to docs/_static/screens/.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import Error, sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).resolve().parent / "_static" / "screens"
#: As `sandbox.shop.people.ADMIN`; the sandbox prints it.
LOGIN = ("admin@kettle-and-pine.example", "admin")
FLOW = "Abandoned basket"
BRANCHING = "Thanks for an order"
LETTER = "Abandoned basket 1: reminder"
_QUALITY = 78
#: Milliseconds; a busy machine is slow.
_PATIENCE = 90_000
_NOTHING_WAITS = """() => [...document.querySelectorAll('[data-triggers-waits]')].every(
  (one) => !one.checkVisibility())"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One way to look at a screen."""

    name: str
    width: int
    height: int
    scheme: str = "light"
    is_phone: bool = False


LOOKS = (
    Look(name="light", width=1360, height=900),
    Look(name="dark", width=1360, height=900, scheme="dark"),
    Look(name="phone", width=390, height=844, is_phone=True),
)

Act = Callable[["Page"], Any]


def row(title: str) -> Act:
    """Return an act that opens what a list shows."""
    return lambda page: page.get_by_role("link", name=title, exact=True).first.click()


def tab(title: str) -> Act:
    """Return an act that opens a tab of a form."""
    return lambda page: page.get_by_role("tab", name=title).click()


def button(title: str) -> Act:
    """Return an act that presses a button."""
    return lambda page: page.get_by_role("button", name=title, exact=True).first.click()


def panel(title: str) -> Act:
    """Return an act that opens a side panel, where it is not open by itself."""

    def act(page: Page) -> None:
        toggle = page.get_by_role("button", name=title)
        if toggle.get_attribute("aria-expanded") != "true":
            toggle.click()

    return act


def follow(prefix: str) -> Act:
    """Return an act that opens the first page whose address begins so and goes on with a number."""

    def act(page: Page) -> None:
        links = page.locator(f"main a[href^='{prefix}']")
        numbered = re.compile(re.escape(prefix) + r"[^?]*\d+[^?]*$")
        for link in links.all():
            if numbered.match(link.get_attribute("href") or ""):
                link.click()
                return
        raise Error(f"nothing on {page.url} leads below {prefix}")

    return act


def press_publish(page: Page) -> None:
    """Open what is said before a flow is published."""
    page.locator("footer [data-w-dropdown-target=toggle]").last.click()
    page.locator("button[name=action-publish]").first.click()


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One screen: where it is, and what to do there."""

    name: str
    path: str
    acts: tuple[Act, ...] = field(default=())
    #: Whether it is shown in dark and as on a phone too.
    is_main: bool = False


FLOWS = "/cms/triggers/flows/"
LETTERS = "/cms/triggers/templates/"
CONTACTS = "/cms/triggers/contacts/"
ONE_OFF = "/cms/triggers/one-off-letters/"
SCREENS = (
    Screen(name="dashboard", path="/cms/triggers/dashboard/", is_main=True),
    Screen(name="flows", path=FLOWS),
    Screen(name="ready-flows", path="/cms/triggers/ready/"),
    Screen(name="flow-when-and-who", path=FLOWS, acts=(row(FLOW),)),
    Screen(name="flow-steps", path=FLOWS, acts=(row(FLOW), tab("Steps"))),
    Screen(name="flow-goals", path=FLOWS, acts=(row(FLOW), tab("Goals and limits"))),
    Screen(name="flow-versions", path=FLOWS, acts=(row(FLOW), tab("Versions"))),
    Screen(
        name="flow-diagram",
        path=FLOWS,
        acts=(row(FLOW), tab("Steps"), panel("Toggle diagram")),
        is_main=True,
    ),
    Screen(
        name="flow-branches",
        path=FLOWS,
        acts=(row(BRANCHING), tab("Steps"), panel("Toggle diagram")),
    ),
    Screen(name="flow-checks", path=FLOWS, acts=(row(FLOW), panel("Toggle checks"))),
    Screen(
        name="flow-play",
        path=FLOWS,
        acts=(row(FLOW), panel("Toggle “Play it”"), button("Play it")),
    ),
    Screen(name="flow-publishing", path=FLOWS, acts=(row(FLOW), press_publish)),
    Screen(name="templates", path=LETTERS),
    Screen(
        name="template", path=LETTERS, acts=(row(LETTER), panel("Toggle preview")), is_main=True
    ),
    Screen(name="looks", path="/cms/settings/wagtail_triggers/letterbrand/"),
    Screen(name="segments", path="/cms/triggers/segments/"),
    Screen(name="one-off", path=ONE_OFF, acts=(follow(ONE_OFF),)),
    Screen(name="calendar", path="/cms/triggers/calendar/"),
    Screen(name="contacts", path=CONTACTS),
    Screen(name="contact", path=CONTACTS, acts=(follow(CONTACTS),), is_main=True),
    Screen(name="messages", path="/cms/triggers/messages/"),
    Screen(name="why", path=CONTACTS, acts=(follow(CONTACTS), button("Ask"))),
    Screen(name="sending", path="/cms/triggers/sending/"),
    Screen(name="waiting", path="/cms/triggers/waiting/"),
    Screen(name="answers", path="/cms/triggers/answers/"),
)


def take(browser: Browser, base: str, look: Look, wanted: set[str]) -> list[str]:
    """Take the pictures of one look; return the screens that could not be reached."""
    context = browser.new_context(
        base_url=base,
        viewport={"width": look.width, "height": look.height},
        color_scheme="dark" if look.scheme == "dark" else "light",
        is_mobile=look.is_phone,
        has_touch=look.is_phone,
        locale="en-GB",
    )
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    page.goto("/cms/login/")
    page.fill("[name=username]", LOGIN[0])
    page.fill("[name=password]", LOGIN[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/cms/")
    missed = []
    for screen in SCREENS:
        if wanted and screen.name not in wanted:
            continue
        if not wanted and look.name != "light" and not screen.is_main:
            continue
        try:
            page.goto(screen.path)
            for act in screen.acts:
                act(page)
                page.wait_for_load_state("networkidle")
        except Error as error:
            missed.append(f"{screen.name} ({look.name}): {str(error).splitlines()[0]}")
            continue
        # Panels slide in, and say what they asked for.
        page.wait_for_timeout(900)
        page.wait_for_function(_NOTHING_WAITS)
        keep(page.screenshot(animations="disabled"), f"{screen.name}-{look.name}")
    context.close()
    return missed


def keep(png: bytes, name: str) -> None:
    """Write a picture as WebP, which is a tenth as large."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(FOLDER / f"{name}.webp", quality=_QUALITY, method=6)


def main() -> int:
    """Take all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="Of the running sandbox, as in http://127.0.0.1:8000")
    parser.add_argument("--only", nargs="*", default=[], help="Names of screens.")
    parser.add_argument("--look", choices=[look.name for look in LOOKS], help="One look only.")
    options = parser.parse_args()
    missed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for look in LOOKS:
            if options.look in (None, look.name):
                missed += take(browser, options.url.rstrip("/"), look, set(options.only))
        browser.close()
    for line in missed:
        sys.stderr.write(f"No picture of {line}\n")
    size = sum(one.stat().st_size for one in FOLDER.glob("*.webp"))
    sys.stdout.write(f"{FOLDER}: {size / 1_000_000:.1f} MB\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
