"""Fills compiled letters: plain values in, one person's letter out; nothing is parsed here.

Paths walk through dicts only, values are turned into text by `values.Formatter` only, so no
method is called and no attribute is read on anything that stands in the context.
"""

from __future__ import annotations

import html
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ..exceptions import TriggersError
from . import elements, plaintext
from .letters import CompiledLetter, Letter
from .nodes import (
    Comparison,
    Condition,
    For,
    If,
    Link,
    Literal,
    Node,
    Nodes,
    Operand,
    Output,
    Place,
)
from .targets import Begin, Links, Numbered, lead_written, unescaped
from .values import Formatter, Money, clean, formatter, one_line

#: Longest filled part of a letter, in characters; Gmail cuts a letter off after 102 kB.
MAX_LENGTH = 1_000_000
MAX_REPETITIONS = 10_000
#: After how many repetitions a loop's text is measured.
_CHECKED_EVERY = 50

#: Hidden from eyes, screen readers and keyboards; what collects every link finds it.
_TRAP = ('<a href="', '" style="display:none" aria-hidden="true" tabindex="-1"></a>')

_NOT_CSS = re.compile(r"[^\w#%.,() -]")
_ADDRESS_ESCAPES = str.maketrans(
    {character: f"%{ord(character):02X}" for character in " \"'()<>\\`{}|^\t\n"}
)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class LetterTooLong(TriggersError):
    """Values that make a letter longer than any mailbox shows."""


class Filling:
    """What one filling works on."""

    __slots__ = ("formatter", "led", "links", "locals", "out", "repetitions", "values")

    def __init__(
        self, values: Mapping[str, Any], formatter: Formatter, links: Links | None = None
    ) -> None:
        self.values = values
        self.formatter = formatter
        self.links = links
        #: What stands for links that were met before: products are linked again and again.
        self.led: dict[str, str] = {}
        self.locals: dict[str, Any] = {}
        self.out: list[str] = []
        self.repetitions = 0

    def run(self, program: Program) -> None:
        """Write what was written before, and what the values say."""
        add = self.out.append
        for one in program:
            if isinstance(one, str):
                add(one)
            else:
                one(self)

    def check_length(self, start: int = 0) -> None:
        """Raise LetterTooLong when what was written since piece `start` is."""
        if sum(map(len, self.out[start:])) > MAX_LENGTH:
            raise LetterTooLong(f"A letter grew over {MAX_LENGTH} characters; check its values.")


Writer = Callable[[Filling], None]
#: Text that stands as it is, and writers of what differs.
Program = tuple[str | Writer, ...]
#: How a flavour of output treats what the author wrote, and what a value says.
Flavour = Callable[[str], str]


class Renderer:
    """One part of a compiled letter, ready to be filled any number of times."""

    def __init__(
        self, nodes: Nodes, *, literal: Flavour, value: Flavour, address: Flavour = str
    ) -> None:
        self._literal = literal
        self._value = value
        #: How what the author wrote of an address is read.
        self._address = address
        self._program = self._build(nodes)

    def fill(
        self, values: Mapping[str, Any], formatter: Formatter, links: Links | None = None
    ) -> str:
        """Return the part filled with one person's values; raises LetterTooLong, UnfitValue.

        Without `links`, every link leads straight to its target.
        """
        filling = Filling(values, formatter, links)
        filling.run(self._program)
        filling.check_length()
        return "".join(filling.out)

    def _build(self, nodes: Nodes) -> Program:
        program: list[str | Writer] = []
        for node in nodes:
            one = self._literal(node.text) if isinstance(node, Literal) else self._writer(node)
            if isinstance(one, str) and program and isinstance(program[-1], str):
                one = program.pop() + one  # type: ignore[operator]  # both are text
            program.append(one)
        return tuple(program)

    def _writer(self, node: Node) -> Writer:
        if isinstance(node, Output):
            return self._output(node)
        if isinstance(node, If):
            return self._if(node)
        if isinstance(node, For):
            return self._for(node)
        return self._link(node) if isinstance(node, Link) else self._trap()

    def _link(self, node: Link) -> Writer:
        value = self._value

        def lead(filling: Filling, target: str) -> None:
            text = filling.led.get(target)
            if text is None:
                links = filling.links
                text = value(target if links is None else links.lead(target))
                filling.led[target] = text
            filling.out.append(text)

        if all(isinstance(inner, Literal) for inner in node.nodes):
            written = "".join(n.text for n in node.nodes if isinstance(n, Literal))
            fixed = self._address(written)
            return lambda filling: lead(filling, fixed)
        program = Renderer(node.nodes, literal=self._address, value=str)._program

        def write(filling: Filling) -> None:
            outer, filling.out = filling.out, []
            filling.run(program)
            target = "".join(filling.out)
            filling.out = outer
            lead(filling, target)

        return write

    def _trap(self) -> Writer:
        value, before, after = self._value, self._literal(_TRAP[0]), self._literal(_TRAP[1])

        def write(filling: Filling) -> None:
            if filling.links is not None and filling.links.trap:
                filling.out.append(before + value(filling.links.trap) + after)

        return write

    def _output(self, node: Output) -> Writer:
        said = _said(node)
        value = self._value
        return lambda filling: filling.out.append(value(said(filling)))

    def _if(self, node: If) -> Writer:
        branches = [(_test(b.condition), self._build(b.nodes)) for b in node.branches]

        def write(filling: Filling) -> None:
            for test, program in branches:
                if test(filling):
                    filling.run(program)
                    return

        return write

    def _for(self, node: For) -> Writer:
        program = self._build(node.nodes)
        read, variable = _reader(node.path), node.variable

        def write(filling: Filling) -> None:
            items = read(filling)
            if not isinstance(items, list | tuple) or not items:
                return
            outer, start = filling.locals, len(filling.out)
            for index, item in enumerate(items, start=1):
                filling.repetitions += 1
                if filling.repetitions > MAX_REPETITIONS:
                    raise LetterTooLong(
                        f"A letter repeats more than {MAX_REPETITIONS} times; check its values."
                    )
                facts = {"first": index == 1, "last": index == len(items), "index": index}
                filling.locals = {**outer, variable: item, "loop": facts}
                filling.run(program)
                if not index % _CHECKED_EVERY:
                    filling.check_length(start)
            filling.locals = outer

        return write


def _reader(path: tuple[str, ...]) -> Callable[[Filling], Any]:
    """Return what reads the value at a path through dicts, None where there is none."""
    first, rest = path[0], path[1:]

    def read(filling: Filling) -> Any:
        found = filling.locals
        value = found[first] if first in found else filling.values.get(first)
        for name in rest:
            # The first question is the quick one: values are dicts, as a rule.
            if value.__class__ is not dict and not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    return read


def fill(
    compiled: CompiledLetter,
    values: Mapping[str, Any],
    *,
    language: str,
    time_zone: str,
    links: Begin | None = None,
) -> Letter:
    """Return one person's letter; raises LetterTooLong or UnfitValue for values that do not fit.

    `links` says what stands in the letter for its links; without it, where they lead.
    """
    parts = parts_of(compiled)
    form = formatter(language or compiled.language, time_zone)
    one = links() if links is not None else None
    return Letter(
        subject=one_line(parts.subject.fill(values, form)),
        preheader=one_line(parts.preheader.fill(values, form)),
        # Links are numbered in this order, here and in wire.wire_bytes.
        html=parts.html.fill(values, form, one),
        text=parts.plain(values, form, one),
    )


def targets(
    compiled: CompiledLetter, values: Mapping[str, Any], *, language: str, time_zone: str
) -> list[str]:
    """Return where a letter's links lead, in the order of their numbers."""
    numbered = Numbered("")
    fill(compiled, values, language=language, time_zone=time_zone, links=lambda: numbered)
    return numbered.targets


class Parts:
    """The renderers of a letter's parts."""

    def __init__(self, compiled: CompiledLetter) -> None:
        self.subject = Renderer(compiled.subject, literal=clean, value=str)
        self.preheader = Renderer(compiled.preheader, literal=clean, value=str)
        self.html = Renderer(compiled.html, literal=str, value=html.escape, address=unescaped)
        self.is_derived = compiled.text_is_derived
        if compiled.text_is_derived:
            self.text = Renderer(compiled.text, literal=str, value=one_line_kept)
            self.tidy = plaintext.tidy
        else:
            self.text = Renderer(compiled.text, literal=clean, value=str)
            self.tidy = plaintext.tidy_written

    def plain(self, values: Mapping[str, Any], form: Formatter, links: Links | None) -> str:
        """Return the text part."""
        text = self.text.fill(values, form, links)
        if links is not None and not self.is_derived:
            own = values.get("links")
            text = lead_written(text, links, own.values() if isinstance(own, Mapping) else ())
        return self.tidy(text)


def one_line_kept(text: str) -> str:
    """Return a value on one line, as HTML would show it."""
    return text.replace("\n", " ").replace("\t", " ")


@lru_cache(maxsize=64)
def parts_of(compiled: CompiledLetter) -> Parts:
    """Return the renderers of a letter, built once per process."""
    return Parts(compiled)


def _said(node: Output) -> Callable[[Filling], str]:
    path, place = node.path, node.place
    calls = [(call.name, call.arguments) for call in node.filters]

    read = _reader(path)

    def say(filling: Filling) -> str:
        value = read(filling)
        for name, arguments in calls:
            value = _filtered(name, arguments, value, filling.formatter)
        return filling.formatter.text(value)

    if place is Place.ADDRESS:
        return lambda filling: _address(say(filling))
    if place is Place.ADDRESS_PART:
        return lambda filling: say(filling).translate(_ADDRESS_ESCAPES)
    if place is Place.STYLE:
        return lambda filling: _NOT_CSS.sub("", say(filling))
    return say


def _address(text: str) -> str:
    address = text.strip()
    if not address.lower().startswith(elements.ADDRESS_SCHEMES):
        return ""
    return address.translate(_ADDRESS_ESCAPES)


def _filtered(name: str, arguments: tuple[str, ...], value: Any, form: Formatter) -> Any:
    if name == "default":
        return value if is_true(value) else arguments[0]
    if name == "date":
        return form.day(value, arguments[0] if arguments else "long")
    if name == "time":
        return form.clock(value, arguments[0] if arguments else "short")
    if name == "plural":
        return form.plural(value, arguments)
    text = form.text(value)
    if name == "upper":
        return text.upper()
    if name == "lower":
        return text.lower()
    if name == "capitalize":
        return text[:1].upper() + text[1:]
    limit = int(arguments[0])
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def is_true(value: Any) -> bool:
    """Return whether a value counts as there: not empty, not zero, not blank text."""
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value)


def _test(condition: Condition | None) -> Callable[[Filling], bool]:
    if condition is None:
        return lambda filling: True
    groups = [[_comparison(comparison) for comparison in group] for group in condition]
    if len(groups) == 1 and len(groups[0]) == 1:
        return groups[0][0]
    return lambda filling: any(all(test(filling) for test in group) for group in groups)


def _comparison(comparison: Comparison) -> Callable[[Filling], bool]:
    left, sign, negated = _operand(comparison.left), comparison.operator, comparison.negated
    if comparison.right is None:
        return lambda filling: is_true(left(filling)) != negated
    right = _operand(comparison.right)
    return lambda filling: _compare(left(filling), sign, right(filling)) != negated


def _operand(operand: Operand) -> Callable[[Filling], Any]:
    path, value = operand.path, operand.value
    if path:
        return _reader(path)
    return lambda filling: value


def _compare(left: Any, sign: str, right: Any) -> bool:
    """Compare like with like; what cannot be compared is not equal, and neither more nor less."""
    if isinstance(left, Money) != isinstance(right, Money):
        left = left.amount if isinstance(left, Money) else left
        right = right.amount if isinstance(right, Money) else right
    if sign in ("==", "!="):
        return bool(left == right) == (sign == "==")
    if isinstance(left, Money) and isinstance(right, Money):
        if left.currency != right.currency:
            return False
        left, right = left.amount, right.amount
    numbers = isinstance(left, int | Decimal) and isinstance(right, int | Decimal)
    if not numbers and (type(left) is not type(right) or isinstance(left, list | tuple | Mapping)):
        return False
    try:
        return _COMPARE[sign](left, right)
    except TypeError:
        return False
