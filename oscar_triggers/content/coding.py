"""Writes the Python function that fills one part of a letter, from our own parser's tree.

The source holds nothing that an author wrote: literals, names of values, arguments of filters all
stand in a table, and the source calls them `k7`. What it can do is written here and nowhere else:
read from dicts, say values, ask conditions, repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, cast

from ..exceptions import TriggersError
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
    Trap,
)
from .saying import Flavour, compare, is_true, said, sayer
from .targets import Links
from .values import Formatter

#: Longest filled part of a letter, in characters; Gmail cuts a letter off after 102 kB.
MAX_LENGTH = 1_000_000
MAX_REPETITIONS = 10_000
#: After how many repetitions a loop's text is measured.
_CHECKED_EVERY = 50

#: Hidden from eyes, screen readers and keyboards; what collects every link finds it.
_TRAP = ('<a href="', '" style="display:none" aria-hidden="true" tabindex="-1"></a>')

_FACTS = ("loop",)

#: Pieces of a filled part: of values, of a language, of a letter's links and what they become.
Fill = Callable[[Mapping[str, Any], Formatter, Links | None, Mapping[str, str]], list[str]]


class LetterTooLong(TriggersError):
    """Values that make a letter longer than any mailbox shows."""


@dataclass(frozen=True, kw_only=True)
class Flavours:
    """How a part treats what the author wrote, what values say, and the author's addresses."""

    literal: Flavour
    value: Flavour
    address: Flavour = str

    def of_addresses(self) -> Flavours:
        """Return how the inside of an address is treated, before it becomes a link."""
        return Flavours(literal=self.address, value=str)


def function_of(nodes: Nodes, flavours: Flavours) -> Fill:
    """Return the function that fills these nodes."""
    source, names = source_of(nodes, flavours)
    exec(compile(source, "<a letter>", "exec"), names)  # noqa: S102 - names and rules of ours only
    return cast(Fill, names["fill"])


def source_of(nodes: Nodes, flavours: Flavours) -> tuple[str, dict[str, Any]]:
    """Return the source of `fill`, and the table of what it calls by name."""
    coder = _Coder()
    scope = _Scope(paths={})
    body = coder.block(nodes, _Place(scope=scope, flavours=flavours, out="o"))
    lines = [*scope.reads, "o = []", "r = 0", *body, "return o"]
    return "def fill(values, form, links, led):\n" + "\n".join(_indented(lines)) + "\n", coder.table


@dataclass(kw_only=True)
class _Scope:
    """What can be read without looking outside: the whole letter's values, or a loop's."""

    #: Which variable holds what stands at a path.
    paths: dict[tuple[str, ...], str]
    outer: _Scope | None = None
    #: Lines at the beginning of the scope that read them.
    reads: list[str] = field(default_factory=list)
    #: Whether a loop's own facts (`loop.index`) are asked for.
    reads_facts: bool = False

    def owner(self, name: str) -> _Scope:
        """Return the innermost scope that knows a name; the outermost knows every other."""
        if self.outer is None or (name,) in self.paths:
            return self
        return self.outer.owner(name)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where in the source a node is written."""

    scope: _Scope
    flavours: Flavours
    #: Which list takes the pieces.
    out: str
    #: Which variable holds a text that was said on every way to here.
    known: dict[Hashable, str] = field(default_factory=dict)

    def branch(self, scope: _Scope | None = None) -> _Place:
        """Return the inside of a block: what is said there may not be said behind it."""
        return _Place(
            scope=scope or self.scope,
            flavours=self.flavours,
            out=self.out,
            known=dict(self.known),
        )


class _Coder:
    """Writes lines, and keeps the table of what they name."""

    def __init__(self) -> None:
        self.table: dict[str, Any] = {
            "__builtins__": {},
            "check": _check_length,
            "compare": compare,
            "dict": dict,
            "facts": _facts,
            "is_list": _is_list,
            "is_true": is_true,
            "join": "".join,
            "len": len,
            "read": _read,
            "repeat": _check_repetitions,
            "str": str,
        }
        self._numbers = count()
        self._named: dict[tuple[str, Hashable], str] = {}

    def name(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def constant(self, value: Hashable) -> str:
        """Return the name of a value in the table; equal ones of a type share one."""
        return self.helper("constant", (type(value), value), lambda: value)

    def helper(self, kind: str, key: Hashable, make: Callable[[], Any]) -> str:
        """Return the name of something in the table, which is made at the first call."""
        if (kind, key) not in self._named:
            name = self._named[kind, key] = self.name("k")
            self.table[name] = make()
        return self._named[kind, key]

    # ── Blocks ───────────────────────────────────────────────────────────────────────────────

    def block(self, nodes: Nodes, place: _Place) -> list[str]:
        """Return lines that write these nodes."""
        lines: list[str] = []
        pieces: list[str] = []
        written = ""

        def finish_literal() -> None:
            nonlocal written
            if written:
                pieces.append(self.constant(written))
                written = ""

        def finish() -> None:
            finish_literal()
            if pieces:
                lines.append(f"{place.out} += ({', '.join(pieces)},)")
                pieces.clear()

        for node in nodes:
            if isinstance(node, Literal):
                written += place.flavours.literal(node.text)
                continue
            if isinstance(node, Link) and not _is_flat(node.nodes):
                finish()
                inside, target = self._built_target(node.nodes, place)
                lines += inside
                pieces.append(f"led[{target}]")
            elif isinstance(node, If | For):
                finish()
                lines += self._if(node, place) if isinstance(node, If) else self._for(node, place)
            else:
                finish_literal()
                pieces.append(self._piece(node, place))
        finish()
        return lines

    def _if(self, node: If, place: _Place) -> list[str]:
        lines: list[str] = []
        for position, branch in enumerate(node.branches):
            asked = self._condition(branch.condition, place.scope)
            if position:
                lines.append("else:" if asked == "True" else f"elif {asked}:")
            else:
                lines.append(f"if {asked}:")
            lines += _indented(self.block(branch.nodes, place.branch()) or ["pass"])
            if asked == "True":
                break
        return lines

    def _for(self, node: For, place: _Place) -> list[str]:
        items, item = self._path(node.path, place.scope), self.name("i")
        index, start, facts = self.name("n"), self.name("b"), self.name("f")
        scope = _Scope(paths={(node.variable,): item, _FACTS: facts}, outer=place.scope)
        body = self.block(node.nodes, place.branch(scope))
        total, every = f"len({items})", self.constant(_CHECKED_EVERY)
        told = [f"{facts} = facts({index}, {total})"] if scope.reads_facts else []
        return [
            f"if is_list({items}):",
            f"\t{index} = 0",
            f"\t{start} = len({place.out})",
            f"\tfor {item} in {items}:",
            f"\t\t{index} += 1",
            "\t\tr += 1",
            "\t\trepeat(r)",
            *_indented(_indented([*told, *scope.reads, *body])),
            f"\t\tif not {index} % {every}:",
            f"\t\t\tcheck({place.out}, {start})",
        ]

    def _built_target(self, nodes: Nodes, place: _Place) -> tuple[list[str], str]:
        """Return lines that write an address with blocks in it, and the address."""
        out = self.name("o")
        inner = _Place(scope=place.scope, flavours=place.flavours.of_addresses(), out=out)
        return [f"{out} = []", *self.block(nodes, inner)], f"join({out})"

    # ── Pieces ───────────────────────────────────────────────────────────────────────────────

    def _piece(self, node: Node, place: _Place) -> str:
        """Return the expression of a node without blocks."""
        if isinstance(node, Output):
            return self._output(node, place)
        if isinstance(node, Link):
            return self._link(node, place)
        assert isinstance(node, Trap)
        literal, value = place.flavours.literal, place.flavours.value
        trap = partial(_trap, literal(_TRAP[0]), literal(_TRAP[1]), value)
        return f"{self.helper('trap', value, lambda: trap)}(links)"

    def _output(self, node: Output, place: _Place) -> str:
        value = self._path(node.path, place.scope)
        spoken = (place.flavours.value, node.place, node.filters)
        texts = self.helper("texts", spoken, lambda: said(*spoken))
        other = self.helper("other", spoken, lambda: sayer(*spoken))
        return self._once(
            (value, spoken),
            lambda: f"{texts}[{value}] if {value}.__class__ is str else {other}({value}, form)",
            place,
        )

    def _link(self, node: Link, place: _Place) -> str:
        """Return the expression of a link; `led` answers what stands for its target."""
        inner = replace(place, flavours=place.flavours.of_addresses())
        target = tuple(
            (self._path(one.path, place.scope), one.place, one.filters)
            if isinstance(one, Output)
            else inner.flavours.literal(one.text)
            for one in _joined(node.nodes)
        )
        return self._once(("led", target), lambda: f"led[{self._target(node, inner)}]", place)

    def _target(self, node: Link, inner: _Place) -> str:
        pieces = [
            self._output(one, inner)
            if isinstance(one, Output)
            else self.constant(inner.flavours.literal(one.text))
            for one in _joined(node.nodes)
        ]
        return pieces[0] if len(pieces) == 1 else f"join(({', '.join(pieces)}))"

    def _once(self, key: Hashable, write: Callable[[], str], place: _Place) -> str:
        """Return an expression, or the variable that holds it since it was said before."""
        if key in place.known:
            return place.known[key]
        expression = write()
        place.known[key] = self.name("t")
        return f"({place.known[key]} := {expression})"

    # ── Values and conditions ────────────────────────────────────────────────────────────────

    def _path(self, path: tuple[str, ...], scope: _Scope) -> str:
        """Return the variable that holds what stands at a path, None where there is nothing."""
        owner = scope.owner(path[0])
        if path == _FACTS:
            owner.reads_facts = True
        if path in owner.paths:
            return owner.paths[path]
        key = self.constant(path[-1])
        if len(path) == 1:
            found = f"values.get({key})"
        else:
            whole = self._path(path[:-1], scope)
            # The first question is the quick one: values are dicts, as a rule.
            found = f"{whole}.get({key}) if {whole}.__class__ is dict else read({whole}, {key})"
        owner.paths[path] = self.name("v")
        owner.reads.append(f"{owner.paths[path]} = {found}")
        return owner.paths[path]

    def _condition(self, condition: Condition | None, scope: _Scope) -> str:
        if condition is None:
            return "True"
        groups = [
            " and ".join(self._comparison(one, scope) for one in group) or "True"
            for group in condition
        ]
        return " or ".join(f"({group})" for group in groups) or "False"

    def _comparison(self, one: Comparison, scope: _Scope) -> str:
        left = self._operand(one.left, scope)
        if one.right is None:
            asked = f"is_true({left})"
        else:
            sign, right = self.constant(one.operator), self._operand(one.right, scope)
            asked = f"compare({left}, {sign}, {right})"
        return f"not {asked}" if one.negated else asked

    def _operand(self, operand: Operand, scope: _Scope) -> str:
        return self._path(operand.path, scope) if operand.path else self.constant(operand.value)


def _is_flat(nodes: Nodes) -> bool:
    return all(isinstance(node, Literal | Output) for node in nodes)


def _joined(nodes: Nodes) -> list[Literal | Output]:
    """Return the inside of a flat link; one of literals alone is one literal."""
    flat = [node for node in nodes if isinstance(node, Literal | Output)]
    if all(isinstance(node, Literal) for node in flat):
        return [Literal(text="".join(node.text for node in flat if isinstance(node, Literal)))]
    return flat


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"\t{line}" for line in lines]


# ── What the source calls ────────────────────────────────────────────────────────────────────────


def _read(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, Mapping) else None


def _is_list(items: Any) -> bool:
    return isinstance(items, list | tuple) and bool(items)


def _facts(index: int, total: int) -> dict[str, Any]:
    return {"first": index == 1, "last": index == total, "index": index}


def _trap(before: str, after: str, value: Flavour, links: Links | None) -> str:
    return before + value(links.trap) + after if links is not None and links.trap else ""


def _check_repetitions(number: int) -> None:
    if number > MAX_REPETITIONS:
        raise LetterTooLong(
            f"A letter repeats more than {MAX_REPETITIONS} times; check its values."
        )


def _check_length(pieces: Sequence[str], start: int) -> None:
    """Raise LetterTooLong when what was written since piece `start` is."""
    if sum(map(len, pieces[start:])) > MAX_LENGTH:
        raise too_long()


def too_long() -> LetterTooLong:
    """Return what is raised when a letter grew too long."""
    return LetterTooLong(f"A letter grew over {MAX_LENGTH} characters; check its values.")
