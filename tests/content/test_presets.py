"""The letters that ship are good enough to send as they are."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from oscar_triggers import events
from oscar_triggers.conf import PROMOTIONAL
from oscar_triggers.content import presets, rendering, tags, wire
from oscar_triggers.content.compiling import compile_letter, promotional_problems
from oscar_triggers.content.files import read_letter_file, write_letter_file
from oscar_triggers.content.letters import CompiledLetter
from oscar_triggers.content.presets import Preset
from oscar_triggers.exceptions import TemplateError
from tests.content.letters import euros

FLOWS = list(presets.every())
#: Each letter, with the flow that sends it.
LETTERS = {path: flow for flow in FLOWS for path in flow.letters}

each_letter = pytest.mark.parametrize("path", LETTERS, ids=lambda path: path.stem)
each_flow = pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)

#: How long a list in a letter can become; recommendations and reviews are few by rule.
_MANY = {"lines": 20, "products": 6}
_FEW = 4


def language_of(path: Path) -> str:
    """Return the language that a letter's file names."""
    return path.stem.rpartition(".")[2]


def compiled(path: Path) -> CompiledLetter:
    """Compile a shipped letter."""
    return compile_letter(read_letter_file(path.read_text(), language_of(path)).source)


def about(flow: Preset) -> str:
    """Return what a flow is about."""
    return events.registry.get(flow.definition.trigger).about_type


def given_to(path: Path, *, count: int = 0) -> dict[str, Any]:
    """Return sample values for a letter; with a count, long lists of long titles."""
    language = language_of(path)
    values = tags.samples(about(LETTERS[path]), language)
    if not count:
        return values
    title = {"ru": "Двускатная палатка на двоих ", "de": "Größeres Firstzelt für zwei "}
    long: dict[str, Any] = _long(
        values, title.get(language, "A ridge tent for two people ") * 3, count
    )
    long["contact"]["first_name"] = "Maximiliane-Alexandrina " * 3
    return long


def _long(value: Any, title: str, count: int, name: str = "") -> Any:
    """Return values with everything in them that repeats, repeated, and with long texts."""
    if isinstance(value, dict):
        return {key: _long(one, title, count, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_long(value[0], title, count)] * min(count, _MANY.get(name, _FEW)) if value else []
    return {
        "title": title,
        "variant": "Colour: a rather long name of a colour, Size: XXL",
        "url": "https://shop.example/catalogue/a-ridge-tent-for-two-people_123/",
        "image_url": "https://cdn.shop.example/media/images/products/2026/11/tent.jpg",
        "quantity": 12,
        "line_price": euros("14814.00"),
    }.get(name, value)


def _without(value: Any, names: frozenset[str]) -> Any:
    """Return values without what a shop need not know: emptied, wherever it stands."""
    if isinstance(value, dict):
        return {
            key: _empty(one) if key in names else _without(one, names) for key, one in value.items()
        }
    return [_without(one, names) for one in value] if isinstance(value, list) else value


def _empty(value: Any) -> Any:
    if isinstance(value, dict | list):
        return type(value)()
    return "" if isinstance(value, str) else None


def test_every_letter_belongs_to_a_flow() -> None:
    assert set((presets.FOLDER / "letters").glob("*.mjml")) == set(LETTERS)


@each_flow
def test_every_flow_speaks_english_and_russian(flow: Preset) -> None:
    wanted = {
        step.options["template"] for step, *_rest in flow.definition.walk() if step.kind == "send"
    }
    assert wanted
    for language in ("en", "ru"):
        found = {
            path.name.partition(".")[0] for path in flow.letters if language_of(path) == language
        }
        assert found == wanted


@each_letter
def test_a_shipped_letter_is_complete(path: Path) -> None:
    language = language_of(path)
    letter = compiled(path)
    given = given_to(path, count=20)
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
    assert given["shop"]["postal_address"].split(",")[0].replace("&", "&amp;") in filled.html
    assert given["shop"]["postal_address"].split(",")[0] in filled.text
    pictures = _pictures(filled.html)
    assert all(pictures), "a picture says nothing to those who do not see it"
    assert pictures or "image_url" not in path.read_text()


@each_letter
def test_who_gets_adverts_can_stop_them(path: Path) -> None:
    letter = compiled(path)
    if LETTERS[path].definition.stream != PROMOTIONAL:
        assert not any(one.startswith(("recommended", "voucher")) for one in letter.paths)
        return
    assert not promotional_problems(letter)
    given = given_to(path)
    given["links"]["unsubscribe"] = "https://shop.example/t/u/id/"
    filled = rendering.fill(letter, given, language=language_of(path), time_zone="")
    assert 'href="https://shop.example/t/u/id/"' in filled.html
    assert "https://shop.example/t/u/id/" in filled.text


@pytest.mark.parametrize("path", [path for path in LETTERS if "basket-" in path.name], ids=str)
def test_a_letter_about_a_basket_leads_back_to_it(path: Path) -> None:
    given = given_to(path)
    given["links"]["basket"] = "https://shop.example/t/b/id/"
    filled = rendering.fill(compiled(path), given, language=language_of(path), time_zone="")
    assert 'href="https://shop.example/t/b/id/"' in filled.html
    assert "https://shop.example/t/b/id/" in filled.text


def _pictures(html: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "img":
                found.append(dict(attrs).get("alt") or "")

    Reader().feed(html)
    return found


@each_letter
def test_a_shipped_letter_has_one_button_or_stars(path: Path) -> None:
    text = path.read_text()
    buttons = text.count("<mj-button css-class")
    assert buttons == 1 or (buttons == 0 and "star_1" in text)


@each_letter
def test_what_a_shop_need_not_know_leaves_no_gap(path: Path) -> None:
    names = {"first_name", "last_name", "image_url", "variant", "tracking", "pickup_until"}
    names |= {"care", "recommended", "left", "buy_until", "lowest_30d"}
    if not any(step.options.get("voucher") for step, *_rest in LETTERS[path].definition.walk()):
        names.add("voucher")
    given = _without(given_to(path), frozenset(names))
    language = language_of(path)
    filled = rendering.fill(compiled(path), given, language=language, time_zone="")
    said = f"{filled.subject}\n{filled.preheader}\n{filled.text}"
    assert "<img" not in filled.html
    assert "None" not in said
    assert not re.search(r"(Hello|Guten Tag|Здравствуйте) ?,? ,", said)
    assert not re.search(r" [.,:!]( |$)|\.\.|\( *\)", said, re.MULTILINE), said


@each_letter
def test_no_sentence_ends_with_two_stops(path: Path) -> None:
    filled = rendering.fill(
        compiled(path), given_to(path), language=language_of(path), time_zone="Europe/Berlin"
    )
    assert ".." not in filled.subject + filled.preheader + filled.text


def test_the_last_letter_names_its_code_and_when_it_ends() -> None:
    for path in LETTERS:
        if "basket-" not in path.name:
            continue
        given = given_to(path)
        text = rendering.fill(compiled(path), given, language="en", time_zone="").text
        assert (given["voucher"]["code"] in text) == ("basket-3" in path.name)
        assert ("May 17, 2030" in text) == ("basket-3" in path.name)


@each_flow
def test_a_shipped_flow_has_no_problems(flow: Preset) -> None:
    assert flow.definition.problems() == []
    assert flow.definition.key == flow.name
    assert flow.about.endswith(".")


def test_the_flow_about_baskets_ends_with_the_order() -> None:
    [flow] = [one for one in FLOWS if one.name == "abandoned-basket"]
    assert [step.kind for step in flow.definition.steps] == ["send", "wait", "send", "wait", "send"]
    assert flow.definition.goals == ("order_placed",)


def test_a_letter_file_survives_being_written_and_read() -> None:
    letter = read_letter_file(next(iter(LETTERS)).read_text(), "de")
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
