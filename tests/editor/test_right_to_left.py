"""Where one reads from the right, our pages are mirrored and whole: in Arabic, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import translation
from django.utils.translation import gettext
from wagtail.users.models import UserProfile

import wagtail_triggers
from tests.editor.pages import PAGES, make_things
from tests.editor.test_accessibility import FADED, FILTERS, broken_rules
from tests.editor.test_accessibility import desk as desk

_OURS = Path(wagtail_triggers.__file__).parent
#: Styles of ours, and pages with styles of their own. Letters are not among them: mail programs
#: know no logical properties, and a letter is written for one direction.
_STYLED = [
    *sorted(_OURS.glob("static/wagtail_triggers/*.css")),
    *sorted(_OURS.glob("templates/wagtail_triggers/**/*.html")),
]
_ARABIC = "ar"
_SIDES = r"(?:left|right)"
_PHYSICAL = re.compile(
    rf"""(?<![\w-])(?:
        (?:margin|padding|border|scroll-margin|scroll-padding)-{_SIDES}(?:-\w+)?\s*:
      | border-(?:top|bottom)-{_SIDES}-radius\s*:
      | {_SIDES}\s*:
      | (?:float|clear|text-align|caption-side)\s*:\s*{_SIDES}\b
      | (?:background|background-position|object-position|transform-origin)\s*:[^;}}]*\b{_SIDES}\b
      | (?:transform|translate)\s*:\s*(?:translateX\(|translate\(|translate3d\(|-?\d)
    )""",
    re.VERBOSE,
)
#: Four sides, of which the second and the last differ.
_FOUR = re.compile(
    r"(?<![\w-])(margin|padding|inset|border-(?:width|color|style|radius))\s*:\s*([^;}\"]+)"
)


def physical(text: str) -> Iterator[str]:
    """Yield what names a side of the screen where it should name one of the line."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    yield from (found[0] for found in _PHYSICAL.finditer(text))
    for found in _FOUR.finditer(text):
        sides = re.findall(r"(?:[^\s(]|\([^)]*\))+", found[2].replace("!important", ""))
        if found[1] == "border-radius":
            # Corners go round from the one at the top left.
            if len(set(sides)) > 1:
                yield found[0]
        elif len(sides) == 4 and sides[1] != sides[3]:
            yield found[0]


@pytest.mark.parametrize("path", _STYLED, ids=lambda path: str(path.relative_to(_OURS)))
def test_a_style_names_the_sides_of_a_line_and_not_of_the_screen(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".html":
        text = "\n".join(
            re.findall(r"<style\b[^>]*>(.*?)</style>", text, flags=re.DOTALL)
            + re.findall(r'\sstyle="([^"]*)"', text)
        )
    assert list(physical(text)) == []


@pytest.mark.parametrize(
    "style",
    [
        "a { margin-left: 1rem; }",
        "a { padding-right: 0 }",
        "a { left: 0; }",
        "a { float: right; }",
        "a { text-align: left; }",
        "a { border-left: 3px solid red; }",
        "a { border-top-left-radius: 0; }",
        "a { transform: translateX(1rem); }",
        "a { background: url(a.svg) left center; }",
        "a { margin: 0 0 0.5rem 1.75rem; }",
        "a { padding: 0 var(--x) 0 calc(1rem + 2px); }",
        "a { border-radius: 1rem 1rem 1rem 0.25rem; }",
    ],
)
def test_a_style_that_names_a_side_of_the_screen_is_found(style: str) -> None:
    assert len(list(physical(style))) == 1


@pytest.mark.parametrize(
    "style",
    [
        "a { margin-inline-start: 1rem; }",
        "a { text-align: start; }",
        "a { margin: 0 1rem 2rem 1rem; }",
        "a { transform: scaleX(-1); }",
        "a { border-radius: 1rem; }",
        "/* on the left: the sign */ a { inset-inline-start: 0; }",
    ],
)
def test_a_style_that_follows_the_line_passes(style: str) -> None:
    assert list(physical(style)) == []


#: What sticks out of the screen and is in nothing that scrolls or cuts: nobody can reach it.
_STICKING_OUT = """() => {
    const wide = document.documentElement.clientWidth;
    const held = (one) => {
        for (let around = one.parentElement; around; around = around.parentElement) {
            if (around.localName === 'main') return false;
            const {overflowX, position} = getComputedStyle(around);
            if (overflowX !== 'visible' || position === 'fixed') return true;
        }
        return true;
    };
    return [...document.querySelectorAll('main *')]
        .filter((one) => !one.closest('svg, .w-sr-only, [hidden], .w-minimap'))
        .filter((one) => one.checkVisibility({visibilityProperty: true, opacityProperty: true}))
        .filter((one) => {
            const {left, right, width, height} = one.getBoundingClientRect();
            return width > 1 && height > 1 && (left < -1 || right > wide + 1) && !held(one);
        })
        .slice(0, 3)
        .map((one) => one.outerHTML.slice(0, 160));
}"""
_OVERFLOW = """() => {
    const {dir, scrollWidth, clientWidth} = document.documentElement;
    return [dir, scrollWidth - clientWidth];
}"""


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_every_page_is_whole_and_usable_where_one_reads_from_the_right(desk: Any) -> None:
    things = make_things()
    with translation.override(_ARABIC):
        filters = (FILTERS[0], f'aria-label="{gettext("Show filters")}"')
    profile = UserProfile.get_for_user(get_user_model().objects.get(username="boss"))
    profile.preferred_language = _ARABIC
    profile.save()
    page = desk.new_page()
    page.set_default_timeout(120_000)
    wrong: list[str] = []
    for name, address in PAGES.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        assert page.goto(address(things)).status == 200, name
        wrong += [f"{name}: axe: {one}" for one in broken_rules(page, passed_over=filters)]
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(FADED)
            direction, beyond = page.evaluate(_OVERFLOW)
            assert direction == "rtl", name
            if beyond:
                wrong.append(f"{name}, {width} wide: {beyond} pixels beyond the screen")
            sticks = page.evaluate(_STICKING_OUT)
            wrong += [f"{name}, {width} wide: {one}" for one in sticks]
    assert not wrong, "\n".join(wrong)
