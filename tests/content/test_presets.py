"""The letters that ship are good enough to send as they are."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import oscar_triggers
from oscar_triggers import definitions
from oscar_triggers.content import rendering, tags, wire
from oscar_triggers.content.compiling import compile_letter, promotional_problems
from oscar_triggers.content.files import read_letter_file, write_letter_file
from oscar_triggers.content.letters import CompiledLetter
from oscar_triggers.exceptions import TemplateError
from tests.content.letters import euros

PRESETS = Path(oscar_triggers.__file__).parent / "presets"
LETTERS = sorted((PRESETS / "letters").glob("*.mjml"))


def compiled(path: Path) -> CompiledLetter:
    """Compile a shipped letter."""
    return compile_letter(read_letter_file(path.read_text(), path.stem.split(".")[1]).source)


def basket_of(count: int, language: str) -> dict[str, Any]:
    """Return sample values with a long basket of long titles."""
    title = {"ru": "Двускатная палатка на двоих ", "de": "Größeres Firstzelt für zwei "}
    line = {
        "title": title.get(language[:2], "A ridge tent for two people ") * 3,
        "variant": "Colour: a rather long name of a colour, Size: XXL",
        "url": "https://shop.example/catalogue/a-ridge-tent-for-two-people_123/",
        "image_url": "https://cdn.shop.example/media/images/products/2026/11/tent.jpg",
        "quantity": 12,
        "unit_price": euros("1234.50"),
        "line_price": euros("14814.00"),
    }
    return {
        **tags.samples("basket", language),
        "basket": {"lines": [line] * count, "count": count, "total": euros("99999.99")},
    }


def test_three_letters_ship_in_three_languages() -> None:
    names = {path.name for path in LETTERS}
    assert names == {
        f"abandoned-basket-{number}.{language}.mjml"
        for number in (1, 2, 3)
        for language in ("en", "de", "ru")
    }


@pytest.mark.parametrize("path", LETTERS, ids=lambda path: path.stem)
def test_a_shipped_letter_is_complete(path: Path) -> None:
    language = path.stem.split(".")[1]
    letter = compiled(path)
    assert not promotional_problems(letter)
    given = basket_of(20, language)
    filled = rendering.fill(letter, given, language=language, time_zone="Europe/Berlin")
    assert len(filled.html.encode()) < 100_000
    raw = wire.wire_bytes(letter, given, {}, from_="a@b.example", to="c@d.example")
    assert len(raw) < 100_000
    assert filled.subject
    assert filled.preheader
    assert len(filled.text) > 100
    assert "{{" not in filled.html + filled.text
    assert f'lang="{language}"' in filled.html
    assert "prefers-color-scheme: dark" in filled.html
    assert '<meta name="color-scheme" content="light dark"' in filled.html
    for link in (given["links"]["basket"], given["links"]["unsubscribe"]):
        assert f'href="{link}"' in filled.html
        assert link in filled.text
    assert given["shop"]["postal_address"].split(",")[0].replace("&", "&amp;") in filled.html
    assert filled.html.count(given["links"]["basket"]) >= 1
    assert all(alt for alt in _pictures(filled.html))


def _pictures(html: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "img":
                found.append(dict(attrs).get("alt") or "")

    Reader().feed(html)
    assert found
    return found


@pytest.mark.parametrize("path", LETTERS, ids=lambda path: path.stem)
def test_a_shipped_letter_has_one_button(path: Path) -> None:
    assert path.read_text().count("<mj-button css-class") == 1


def test_a_stranger_and_a_product_without_a_picture_look_well_too() -> None:
    for path in LETTERS:
        language = path.stem.split(".")[1]
        given = basket_of(1, language)
        given["contact"] = {"first_name": "", "last_name": ""}
        given["basket"]["lines"] = [{**given["basket"]["lines"][0], "image_url": "", "variant": ""}]
        filled = rendering.fill(compiled(path), given, language=language, time_zone="")
        assert "<img" not in filled.html
        assert not re.search(r"(Hello|Guten Tag|Здравствуйте) ?,? ,", filled.text)


def test_the_last_letter_names_its_code_and_when_it_ends() -> None:
    given = basket_of(1, "en")
    for path in LETTERS:
        text = rendering.fill(compiled(path), given, language="en", time_zone="").text
        assert (given["voucher"]["code"] in text) == ("basket-3" in path.name)
        assert ("May 17, 2030" in text) == ("basket-3" in path.name)


def test_the_shipped_flow_is_a_good_flow() -> None:
    flow = definitions.read_flow_file((PRESETS / "abandoned-basket.yaml").read_text())
    assert flow.problems() == []
    assert [step.kind for step in flow.steps] == ["send", "wait", "send", "wait", "send"]
    wanted = {step.options["template"] for step in flow.steps if step.kind == "send"}
    assert wanted == {path.name.split(".")[0] for path in LETTERS}
    assert flow.goals == ("order_placed",)


def test_a_letter_file_survives_being_written_and_read() -> None:
    letter = read_letter_file(LETTERS[0].read_text(), "de")
    again = read_letter_file(write_letter_file(letter), "de")
    assert again.source.subject == letter.source.subject
    assert again.source.body.strip() == letter.source.body.strip()


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("<mjml></mjml>", 1, "---"),
        ("---\nsubject: a\nsender: b\n---\nx", 2, "sender"),
        ("---\nname: only\n---\nx", 2, "subject"),
        ("---\nsubject: [1]\n---\nx", 2, "quotes"),
        ("---\nsubject: 'a\n---\nx", 3, "cannot be read"),
    ],
)
def test_a_letter_file_with_a_mistake_says_where(text: str, line: int, named: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read_letter_file(text, "en")
    [problem] = caught.value.problems
    assert named in problem.message
    assert problem.line == line


def test_problems_in_a_letter_file_count_its_own_lines() -> None:
    text = "---\nsubject: a\n---\n<mjml>\n<mj-body>\n<mj-nonsense />\n</mj-body></mjml>\n"
    with pytest.raises(TemplateError) as caught:
        compile_letter(read_letter_file(text, "en").source)
    assert [problem.line for problem in caught.value.problems] == [6]
