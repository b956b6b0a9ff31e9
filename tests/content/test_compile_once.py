"""Compiling once and filling after says exactly what filling first and compiling after would.

The other way is written with Jinja2, which knows nothing of our parser and renderer.
"""

from __future__ import annotations

import html
import quopri
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oscar_triggers.content import plaintext, rendering, targets, wire
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import CompiledLetter, LetterSource
from oscar_triggers.content.values import formatter
from tests.content.letters import KNOWN, body_of, euros, parsed, part, values

_WORDS = {
    "en": [
        "Hello",
        "your basket",
        "5 > 3",
        "save & smile",
        "it’s here",
        "caf&eacute;",
        "tea &lt; 3",
    ],
    "de": ["Grüße", "Ihr Warenkorb", "Größe > M", "„jetzt“", "Übrigens & danke", "ß", "für Sie"],
    "ru": ["Привет", "ваша корзина", "Далее > ещё", "«скидка»", "№ 5 — ура", "ёлка & шар", "цены"],
}
_VALUES = [
    "{{ contact.first_name }}",
    "{{ shop.name|upper }}",
    "{{ basket.total }}",
    "{{ basket.count }}",
]
_CONDITIONS = [
    "contact.first_name",
    "basket.count > 1",
    "not basket.lines",
    'shop.name == "Kettle & Pine" and basket.count',
    "basket.count == 1 or contact.first_name",
]


class Author:
    """Writes valid letters by throwing dice."""

    def __init__(self, language: str, seed: int) -> None:
        self.words = _WORDS[language]
        self.dice = random.Random(seed)
        self.in_loop = False

    def letter(self) -> str:
        """Write a whole letter."""
        sections = self.several(self.block_around(self.section), 1, 4)
        return f"<mjml><mj-body>\n{sections}\n</mj-body></mjml>"

    def several(self, write: Callable[[], str], least: int, most: int) -> str:
        """Write a few of the same."""
        return "\n".join(write() for _ in range(self.dice.randint(least, most)))

    def block_around(self, write: Callable[[], str]) -> Callable[[], str]:
        """Sometimes put an if or a for around it."""

        def around() -> str:
            kind = self.dice.randrange(4)
            if kind == 0:
                other = f"{{% else %}}{write()}" if self.dice.random() < 0.5 else ""
                return f"{{% if {self.dice.choice(_CONDITIONS)} %}}{write()}{other}{{% endif %}}"
            if kind == 1 and not self.in_loop:
                self.in_loop = True
                inner = write()
                self.in_loop = False
                return f"{{% for line in basket.lines %}}{inner}{{% endfor %}}"
            return write()

        return around

    def section(self) -> str:
        """Write a section, sometimes inside a wrapper."""
        width = self.dice.choice(["50%", "30%", "200px"])
        column = self.block_around(lambda: self.column(width))
        section = f'<mj-section padding="{self.dice.randint(0, 40)}px">{self.several(column, 1, 3)}</mj-section>'
        if self.dice.random() < 0.2:
            return f"<mj-wrapper>{section}</mj-wrapper>"
        return section

    def column(self, width: str) -> str:
        """Write a column."""
        return f'<mj-column width="{width}">{self.several(self.block_around(self.content), 0, 3)}</mj-column>'

    def content(self) -> str:
        """Write what stands in a column."""
        write = self.dice.choice([self.text, self.text, self.button, self.image, self.table])
        return write()

    def text(self) -> str:
        """Write a text with some HTML in it."""
        tag = self.dice.choice(["b", "p", "span", "h2"])
        inline = self.block_around(lambda: f" <{tag}>{self.say()}</{tag}> ")()
        return f"<mj-text>{self.say()}<br>{inline} {self.link()}</mj-text>"

    def say(self) -> str:
        """Write words and values."""
        options = [*self.words, *_VALUES]
        if self.in_loop:
            options += ["{{ line.title }}", "{{ line.line_price }}", "{{ loop.index }}"]
        return " ".join(self.dice.choice(options) for _ in range(self.dice.randint(1, 4)))

    def address(self) -> str:
        """Write where a link leads."""
        options = ["https://shop.example/?a=1&amp;b=2", "{{ links.basket }}", "{{ shop.url }}/x/"]
        return self.dice.choice([*options, "{{ line.url }}"] if self.in_loop else options)

    def link(self) -> str:
        """Write a link in a text."""
        return f'<a href="{self.address()}" style="color:{{{{ shop.color }}}}">{self.say()}</a>'

    def button(self) -> str:
        """Write a button."""
        return f'<mj-button href="{self.address()}" background-color="{{{{ shop.color }}}}">{self.say()}</mj-button>'

    def image(self) -> str:
        """Write a picture."""
        source = "{{ line.image_url }}" if self.in_loop else "https://shop.example/a.png"
        return f'<mj-image src="{source}" alt="{self.dice.choice(self.words)} {{{{ shop.name }}}}" width="100px" />'

    def table(self) -> str:
        """Write a table with a row for each line."""
        if self.in_loop:
            return f"<mj-table><tr><td>{self.say()}</td></tr></mj-table>"
        self.in_loop = True
        row = f"<tr><td>{self.say()}</td><td>{self.say()}</td></tr>"
        self.in_loop = False
        return f"<mj-table>{{% for line in basket.lines %}}{row}{{% endfor %}}</mj-table>"


def filled_first(text: str, given: dict[str, Any], language: str) -> str:
    """Fill a source text with Jinja2."""
    form = formatter(language, "")
    environment = jinja2.Environment(  # noqa: S701 - finalize escapes
        finalize=lambda value: html.escape(form.text(value)), keep_trailing_newline=True
    )
    environment.filters["upper"] = lambda value: form.text(value).upper()
    return environment.from_string(text).render(**given)


def check(source: LetterSource, given: dict[str, Any]) -> CompiledLetter:
    """Compare both ways, and the bytes on the wire with both."""
    language = source.language
    compiled = compile_letter(source, known=KNOWN)
    again = CompiledLetter.from_json(compiled.to_json())
    letter = rendering.fill(again, given, language=language, time_zone="")
    rendered = LetterSource(
        subject=html.unescape(filled_first(source.subject, given, language)),
        preheader=html.unescape(filled_first(source.preheader, given, language)),
        body=filled_first(source.body, given, language),
        language=language,
    )
    expected = rendering.fill(
        compile_letter(rendered, known=()), {}, language=language, time_zone=""
    )
    assert body_of(letter.html) == body_of(expected.html)
    title = re.compile(r"<title>.*?</title>", re.DOTALL)
    assert title.findall(letter.html) == title.findall(expected.html)
    # Widths of columns that a letter does not show are styles without an element.
    assert {*re.findall(r"\.mj-column[\w-]+", expected.html)} <= {
        *re.findall(r"\.mj-column[\w-]+", letter.html)
    }
    assert letter.text == expected.text
    assert_links_agree(source, again, compile_letter(rendered, known=()), given)
    assert (letter.subject, letter.preheader) == (expected.subject, expected.preheader)
    raw = wire.wire_bytes(
        again, given, {}, from_="a@shop.example", to="b@shop.example", language=language
    )
    message = parsed(raw)
    assert part(message, "html") == letter.html.rstrip("\n")
    assert part(message, "plain") == letter.text.rstrip("\n")
    assert message["Subject"] == letter.subject
    assert_fits_smtp(raw)
    return compiled


def assert_fits_smtp(raw: bytes) -> None:
    """No line is too long, and none begins with a dot, which SMTP would have to double."""
    lines = raw.split(b"\r\n")
    assert max(len(line) for line in lines) <= wire.LONGEST_LINE
    assert not any(line.startswith(b".") for line in lines)


def assert_links_agree(
    source: LetterSource,
    compiled: CompiledLetter,
    rendered: CompiledLetter,
    given: dict[str, Any],
) -> None:
    """Compare both ways, and the wire, with links that lead through the shop.

    An address that is one of our own in the letter is any address once it is filled in, so the
    other way knows the shop's own only by what they are.
    """
    language = source.language
    own = set(given["links"].values())
    followed = rendering.fill(
        compiled, given, language=language, time_zone="", links=lambda: targets.Numbered(PREFIX)
    )
    other = rendering.fill(
        rendered, {}, language=language, time_zone="", links=lambda: NumberedButOwn(PREFIX, own)
    )
    assert body_of(followed.html) == body_of(other.html)
    assert followed.text == other.text
    raw = wire.wire_bytes(
        compiled,
        given,
        {},
        from_="a@shop.example",
        to="b@shop.example",
        language=language,
        links=lambda: targets.Numbered(PREFIX),
    )
    message = parsed(raw)
    assert part(message, "html") == followed.html.rstrip("\n")
    assert part(message, "plain") == followed.text.rstrip("\n")
    assert_fits_smtp(raw)
    back = rendering.targets(compiled, given, language=language, time_zone="")
    plain = rendering.fill(compiled, given, language=language, time_zone="")
    for number, target in enumerate(back, start=targets.FIRST_NUMBER):
        assert target not in own
        for text in (followed.html, followed.text):
            assert html.escape(f'href="{target}"', quote=False) not in text
        followed = replace(
            followed,
            html=followed.html.replace(f'"{PREFIX}{number}/"', f'"{html.escape(target)}"'),
            text=re.sub(
                rf"{re.escape(PREFIX)}{number}/(?!\d)", lambda _m, to=target: to, followed.text
            ),
        )
    hidden = rf'<a href="{re.escape(PREFIX)}0/" style="display:none"[^>]*></a>'
    assert re.sub(hidden, "", followed.html) == plain.html
    assert followed.text == plain.text


PREFIX = "https://shop.example/t/c/AAAAAAAAAAAAAAAAAAAAAA"


class NumberedButOwn(targets.Numbered):
    """Numbers links, and leaves the shop's own by what they are."""

    def __init__(self, prefix: str, own: set[str]) -> None:
        super().__init__(prefix)
        self.own = own

    def lead(self, target: str) -> str:
        """Return what stands for a link."""
        return target if target in self.own else super().lead(target)


@pytest.mark.parametrize("language", ["en", "de", "ru"])
@pytest.mark.parametrize("seed", range(70))
def test_two_hundred_letters_say_the_same_both_ways(language: str, seed: int) -> None:
    author = Author(language, seed)
    source = LetterSource(
        subject=f"{author.words[0]} {{{{ contact.first_name }}}}",
        preheader=f"{{{{ basket.count }}}} {author.words[1]}",
        body=author.letter(),
        language=language,
    )
    given = values()
    if seed % 5 == 0:
        given["basket"] = {"lines": [], "count": 0, "total": euros("0")}
    check(source, given)


_text = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("<>&\"'= \té.=\n")
    ),
    max_size=90,
)


def _plain(text: str) -> str:
    """Keep what our language and Jinja2 agree to call a value: no blanks alone, no braces."""
    return re.sub(r"[{}\x00\u2028\u2029\x85]", "", text)


@settings(max_examples=150, deadline=None)
@given(name=_text, shop=_text, titles=st.lists(_text, max_size=3))
def test_whatever_people_and_products_are_called(name: str, shop: str, titles: list[str]) -> None:
    given = values(contact={"first_name": _plain(name)})
    given["shop"] = {**given["shop"], "name": _plain(shop)}
    line = given["basket"]["lines"][0]
    given["basket"]["lines"] = [{**line, "title": _plain(title)} for title in titles]
    letter = rendering.fill(_LETTER, given, language="ru", time_zone="")
    raw = wire.wire_bytes(_LETTER, given, {}, from_="a@b.example", to="c@d.example", language="ru")
    message = parsed(raw)
    assert part(message, "html") == letter.html.rstrip("\n")
    assert part(message, "plain") == letter.text.rstrip("\n")
    assert sorted(message) == ["Content-Type", "From", "MIME-Version", "Subject", "To"]
    assert max(len(line) for line in raw.split(b"\r\n")) <= wire.LONGEST_LINE
    assert "\n" not in letter.subject
    assert _elements(letter.html) == _elements(
        rendering.fill(_LETTER, _harmless(given), language="ru", time_zone="").html
    )


def _elements(text: str) -> int:
    """Count elements: values add text to a letter, never an element."""
    return len(re.findall(r"<[a-zA-Z/!?]", text))


def _harmless(given: dict[str, Any]) -> dict[str, Any]:
    lines = [{**line, "title": "x"} for line in given["basket"]["lines"]]
    return {"contact": {"first_name": "x"}, "shop": {}, "basket": {"lines": lines}}


@given(start=st.integers(0, 90), text=_text)
def test_no_line_on_the_wire_is_too_long(start: int, text: str) -> None:
    encoded = wire.encode_literal("x" * start + text)
    assert_fits_smtp(encoded.encode())
    decoded = quopri.decodestring(encoded.encode()).decode().replace("\r\n", "\n")
    assert decoded == "x" * start + text


@given(text=st.text(alphabet=".=a \n&é", max_size=200))
def test_dots_at_the_beginnings_of_lines_arrive_as_they_were_written(text: str) -> None:
    for encoded, said in (
        (wire.encode_literal(text), text),
        (wire.encode_text(text), text),
        (wire.encode_value(text), html.escape(text)),
    ):
        assert_fits_smtp(encoded.encode())
        decoded = quopri.decodestring(encoded.encode()).decode().replace("\r\n", "\n")
        assert decoded == said


_MARKED = st.text(
    alphabet="ab \n" + plaintext.BREAK + plaintext.PARAGRAPH + plaintext.LINE_END, max_size=12
)


@given(literals=st.lists(_MARKED, max_size=4), value=st.text(alphabet="a b", max_size=4))
def test_a_text_with_settled_marks_is_tidied_to_the_same_lines(
    literals: list[str], value: str
) -> None:
    settled = value.join(plaintext.settled(one) for one in literals)
    assert plaintext.tidy(settled) == plaintext.tidy(value.join(literals))


_LETTER = compile_letter(
    LetterSource(
        subject="{{ shop.name }}: {{ contact.first_name }}",
        preheader="{{ contact.first_name }}",
        body=(
            "<mjml><mj-body>{% for line in basket.lines %}<mj-section><mj-column><mj-text>"
            'Привет {{ line.title }}<a href="{{ line.url }}" title="{{ line.title }}">x</a>'
            "</mj-text></mj-column></mj-section>{% endfor %}<mj-section><mj-column><mj-text>"
            "{{ contact.first_name }} = {{ shop.name }}.</mj-text></mj-column></mj-section>"
            "</mj-body></mjml>"
        ),
        language="ru",
    ),
    known=KNOWN,
)


def test_dangerous_addresses_never_become_links() -> None:
    given = values()
    for address in ("javascript:alert(1)", " JaVaScript:x", "data:text/html,x", "//evil.example"):
        given["basket"]["lines"][0]["url"] = address
        letter = rendering.fill(_LETTER, given, language="ru", time_zone="")
        assert address.strip() not in letter.html
        assert address.strip() not in letter.text
