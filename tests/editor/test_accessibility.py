"""Every page of ours in a browser: axe-core finds nothing, and a strict policy forbids nothing.

`vendor/axe.min.js` is axe-core (MPL-2.0, see the licence beside it), as npm has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client

from oscar_triggers.content import rendering
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import LetterSource
from tests.content.test_presets import LETTERS, compiled, given_to, language_of
from tests.editor.pages import PAGES, make_things
from wagtail_triggers import ready_letters
from wagtail_triggers.letter_blocks import letter_stream
from wagtail_triggers.letter_blocks.composing import compose
from wagtail_triggers.people import sample_values

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
#: What of Wagtail's own frame breaks a rule: its two search forms, in
#: the side bar and above a list, have the same role and neither has a name (landmark-unique).
WAGTAILS_OWN = ("form[role=search][action$='/pages/search/']",)
#: One rule that one button of Wagtail's breaks: it shows how many filters are set, and its name does
#: not say it. It keeps all other rules.
FILTERS = ("label-content-name-mismatch", 'aria-label="Show filters"')
#: Pages with Wagtail's editor of rich text, which writes style elements of its own.
WRITING = ("template, new", "template", "letter of blocks", "text, new", "text")
_WATCH = """
window.refusedByPolicy = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.refusedByPolicy.push(
    `${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile || ''}:${event.lineNumber} ${event.sample}`));
"""

#: Buttons fade from one colour to the other; a spinner would turn for ever.
FADED = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished))
"""


@pytest.fixture
def desk(browser: Any, live_server: Any, root_page: Any) -> Any:
    """Return a browser in which a superuser is signed in, with the watch on the policy."""
    boss = get_user_model().objects.create_superuser(
        username="boss", email="boss@shop.example", password="tea-and-biscuits"
    )
    client = Client()
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    context = browser.new_context(base_url=live_server.url)
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies(
        [{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    context.add_init_script(_WATCH)
    yield context
    context.close()


@pytest.mark.timeout(900)
def test_every_page_is_usable_by_everybody_under_a_strict_policy(desk: Any) -> None:
    things = make_things()
    page = desk.new_page()
    # The editor of a flow is a large page, and the machine may be busy.
    page.set_default_timeout(120_000)
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    wrong: list[str] = []
    for name, address in PAGES.items():
        said.clear()
        answer = page.goto(address(things))
        page.wait_for_load_state("networkidle")
        assert answer.status == 200, name
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy, name
        assert ("unsafe-inline" in policy) == (name in WRITING), name
        refused = page.evaluate("window.refusedByPolicy")
        wrong += [f"{name}: console: {one}" for one in dict.fromkeys(said)]
        wrong += [f"{name}: policy: {one}" for one in dict.fromkeys(refused)]
        wrong += [f"{name}: axe: {one}" for one in broken_rules(page)]
        page.emulate_media(color_scheme="dark")
        page.evaluate(FADED)
        wrong += [f"{name}: axe, dark: {one}" for one in broken_rules(page)]
        page.emulate_media(color_scheme="light")
    assert not wrong, "\n".join(wrong)


def broken_rules(page: Any, passed_over: tuple[str, str] = FILTERS) -> list[str]:
    """Return what axe-core finds on a page, with the first places of each.

    `passed_over` is one rule, and what is written in the one button that it is not asked of.
    """
    # Evaluated by the driver and not by a script element: the policy would forbid that.
    page.evaluate(_AXE)
    found = page.evaluate(
        "async ([off, [rule, button]]) => (await axe.run({exclude: off.map((place) => [place])},"
        " {resultTypes: ['violations'], iframes: false})).violations"
        ".map((one) => [one.id, one.help, one.nodes.map((node) => node.html)"
        ".filter((html) => one.id !== rule || !html.includes(button))"
        ".slice(0, 3).map((html) => html.slice(0, 200))])"
        ".filter(([_rule, _help, places]) => places.length)",
        [list(WAGTAILS_OWN), list(passed_over)],
    )
    return [f"{rule} ({text}): {places}" for rule, text, places in found]


def letters() -> Iterator[tuple[str, str]]:
    """Yield each shipped letter, those of flows and those to start from, filled with samples."""
    for path in LETTERS:
        yield path.stem, _filled(path)
    for letter in ready_letters.every():
        for language, words in letter.words.items():
            blocks = letter_stream().to_python(list(words.blocks))
            made = compose(blocks, language=language)
            source = LetterSource(subject=words.subject, body=made.body, language=language)
            html = rendering.fill(
                compile_letter(source), sample_values(language), language=language, time_zone=""
            ).html
            yield f"{letter.name}, {language}", html


def _filled(path: Path) -> str:
    language = language_of(path)
    return rendering.fill(compiled(path), given_to(path), language=language, time_zone="").html


@pytest.mark.timeout(600)
def test_every_letter_that_ships_is_readable_by_everybody(browser: Any, db: None) -> None:
    wrong = []
    page = browser.new_page()
    for name, html in letters():
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.set_content(html)
            wrong += [f"{name}, {scheme}: {one}" for one in broken_rules(page)]
    assert not wrong, "\n".join(wrong)
