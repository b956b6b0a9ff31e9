"""What fills letters is written by us: no author's text becomes code, and no cache mixes readers."""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from typing import Any

import pytest

from oscar_triggers.content import coding, rendering
from oscar_triggers.content.nodes import (
    Comparison,
    Condition,
    For,
    If,
    Link,
    Literal,
    Operand,
    Output,
)
from tests.content.letters import compiled, euros, in_column, values

NASTY = [
    '"); import os; os.abort() #',
    "'''\n__import__('os').abort()\n'''",
    "\\\n\treturn 1",
    "{v0.__class__} %(values)s {0}",
    "\x00\r\n\u2028def fill(): pass",
    "values",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_that_an_author_wrote_stands_in_the_source(nasty: str) -> None:
    condition: Condition = (
        (Comparison(left=Operand(path=(nasty,)), operator=nasty, right=Operand(value=nasty)),),
    )
    from oscar_triggers.content.nodes import Branch

    said = Output(path=(nasty, nasty))
    source, _table = coding.source_of(
        (
            Literal(text=nasty),
            said,
            Link(nodes=(Literal(text=nasty), said)),
            If(branches=(Branch(condition=condition, nodes=(said,)),)),
            For(variable=nasty, path=(nasty,), nodes=(said, Literal(text=nasty))),
        ),
        coding.Flavours(literal=str, value=str),
    )
    ours = {"fill", "values", "form", "links", "led", "o", "r", "get", "check", "compare"}
    ours |= {"facts", "is_list", "is_true", "join", "len", "read", "repeat", "str", "dict"}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        assert token.type != tokenize.STRING
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            known = token.string in ours or token.string == "__class__"
            assert known or re.fullmatch(r"[a-z]\d+", token.string), token.string


def test_readers_of_one_letter_do_not_share_what_they_read() -> None:
    letter = compiled(in_column("<mj-text>{{ basket.total }}, {{ contact.first_name }}</mj-text>"))

    def read(language: str, name: Any, amount: Any) -> str:
        given = values(contact={"first_name": name}, basket={"total": amount, "lines": []})
        return rendering.fill(letter, given, language=language, time_zone="").text.strip()

    from dataclasses import replace

    dollars = replace(euros("1.50"), currency="USD")
    for _twice in range(2):
        assert read("en", "Anna", euros("1.50")) == "€1.50, Anna"
        assert read("de", "Zoë", euros("1.50")) == "1,50\xa0€, Zoë"
        assert read("en", 1, dollars) == "$1.50, 1"
        assert read("en", "1", euros("1.5")) == "€1.50, 1"
        assert read("en", "Anna", euros("-0")) == "-€0.00, Anna"
        assert read("en", "Anna", euros("0")) == "€0.00, Anna"
