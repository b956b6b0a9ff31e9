"""Takes a picture of each screen of the editor, in light, in dark and as on a phone.

Run `python docs/screenshots.py http://127.0.0.1:8000` against a running sandbox (`make sandbox`) in
which some days passed (`sandbox_travel 26h`); add a row to SCREENS for a new screen. Pictures go to
docs/_static/screens/, and docs/reference/screens.md is written to show them.
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
PAGE = Path(__file__).resolve().parent / "reference" / "screens.md"
#: As `sandbox.shop.people.ADMIN`; the sandbox prints it.
LOGIN = ("admin@kettle-and-pine.example", "admin")
FLOW = "Abandoned basket"
BRANCHING = "Thanks for an order"
LETTER = "Abandoned basket 1: reminder"
TEXT = "Gift card, at the counter"
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
    title: str
    path: str
    acts: tuple[Act, ...] = field(default=())


FLOWS = "/cms/triggers/flows/"
LETTERS = "/cms/triggers/templates/"
CONTACTS = "/cms/triggers/contacts/"
MESSAGES = "/cms/triggers/messages/"
SCREENS = (
    Screen(name="dashboard", title="Dashboard", path="/cms/triggers/dashboard/"),
    Screen(name="flows", title="Flows", path=FLOWS),
    Screen(name="ready-flows", title="Ready flows", path="/cms/triggers/ready/"),
    Screen(name="flow-when-and-who", title="A flow: when and who", path=FLOWS, acts=(row(FLOW),)),
    Screen(
        name="flow-steps", title="A flow: its steps", path=FLOWS, acts=(row(FLOW), tab("Steps"))
    ),
    Screen(
        name="flow-goals",
        title="A flow: goals and limits",
        path=FLOWS,
        acts=(row(FLOW), tab("Goals and limits")),
    ),
    Screen(
        name="flow-versions",
        title="A flow: its versions",
        path=FLOWS,
        acts=(row(FLOW), tab("Versions")),
    ),
    Screen(
        name="flow-diagram",
        title="A flow: the diagram beside the steps",
        path=FLOWS,
        acts=(row(FLOW), tab("Steps"), panel("Toggle diagram")),
    ),
    Screen(
        name="flow-branches",
        title="A flow with branches",
        path=FLOWS,
        acts=(row(BRANCHING), tab("Steps"), panel("Toggle diagram")),
    ),
    Screen(
        name="flow-checks",
        title="A flow: what the checks say",
        path=FLOWS,
        acts=(row(FLOW), panel("Toggle checks")),
    ),
    Screen(
        name="flow-play",
        title="A flow, played for a person",
        path=FLOWS,
        acts=(row(FLOW), panel("Toggle “Play it”"), button("Play it")),
    ),
    Screen(
        name="flow-publishing",
        title="A flow: what publishing would do",
        path=FLOWS,
        acts=(row(FLOW), press_publish),
    ),
    Screen(name="templates", title="Templates", path=LETTERS),
    Screen(name="ready-letters", title="Ready letters", path="/cms/triggers/ready-letters/"),
    Screen(
        name="template",
        title="A letter with its preview",
        path=LETTERS,
        acts=(row(LETTER), panel("Toggle preview")),
    ),
    Screen(
        name="letter-checks",
        title="A letter: what the checks say",
        path=LETTERS,
        acts=(row(LETTER), panel("Toggle preview"), panel("Toggle checks")),
    ),
    Screen(name="text", title="A text for a channel of words", path=LETTERS, acts=(row(TEXT),)),
    Screen(
        name="looks", title="Looks of letters", path="/cms/settings/wagtail_triggers/letterbrand/"
    ),
    Screen(name="segments", title="Segments", path="/cms/triggers/segments/"),
    Screen(name="one-off", title="A one-off letter", path="/cms/triggers/one-off-letters/new/"),
    Screen(name="calendar", title="Calendar", path="/cms/triggers/calendar/"),
    Screen(name="contacts", title="Contacts", path=CONTACTS),
    Screen(name="contact", title="A contact", path=CONTACTS, acts=(follow(CONTACTS),)),
    Screen(name="on-their-way", title="On their way", path="/cms/triggers/on-their-way/"),
    Screen(name="messages", title="Messages", path="/cms/triggers/messages/"),
    Screen(
        name="message",
        title="A message: what was decided, and why",
        path=MESSAGES,
        acts=(follow(f"{MESSAGES}inspect/"),),
    ),
    Screen(
        name="why",
        title="Why did they get it, or not?",
        path=CONTACTS,
        acts=(follow(CONTACTS), button("Ask")),
    ),
    Screen(name="sending", title="Sending", path="/cms/triggers/sending/"),
    Screen(name="doubts", title="Messages in doubt", path="/cms/triggers/doubts/"),
    Screen(name="blocked", title="Blocked addresses", path="/cms/triggers/blocked/"),
    Screen(name="waiting", title="Who waits for a product", path="/cms/triggers/waiting/"),
    Screen(name="answers", title="Answers to questions", path="/cms/triggers/answers/"),
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
        # Wagtail opens the side panel again that was open last.
        page.evaluate("localStorage.clear()")
        keep(page.screenshot(animations="disabled"), f"{screen.name}-{look.name}")
    context.close()
    return missed


def keep(png: bytes, name: str) -> None:
    """Write a picture as WebP, which is a tenth as large."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(FOLDER / f"{name}.webp", quality=_QUALITY, method=6)


def show() -> None:
    """Write the page that shows the pictures."""
    parts = ["# Screens", "What `python docs/screenshots.py` saw in the sandbox."]
    for screen in SCREENS:
        light, *others = (f"../_static/screens/{screen.name}-{look.name}.webp" for look in LOOKS)
        links = [f"[{look.name}]({path})" for look, path in zip(LOOKS[1:], others, strict=True)]
        parts += [
            f"## {screen.title}",
            f"![{screen.title}]({light})",
            f"The same in {' and as on a '.join(links)}.",
        ]
    PAGE.write_text("\n\n".join(parts) + "\n")


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
    show()
    size = sum(one.stat().st_size for one in FOLDER.glob("*.webp"))
    sys.stdout.write(f"{FOLDER}: {size / 1_000_000:.1f} MB\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
