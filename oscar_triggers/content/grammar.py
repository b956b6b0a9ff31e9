"""The small, strict language of authors' texts: `{{ path|filter }}`, `{% if %}`, `{% for %}`.

Nothing here is ever handed to a template engine as source: texts are read into the nodes of
`nodes`, and everything that is not in the grammar is refused by name and line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import pgettext

from ..exceptions import Problem
from .nodes import (
    Branch,
    Comparison,
    Condition,
    FilterCall,
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
from .values import DATE_STYLES, day_of

MAX_NESTING = 8
MAX_PLURAL_FORMS = 5


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One `{{ … }}` or `{% … %}` where it stands."""

    #: "value", "if", "elif", "else", "endif", "for" or "endfor"; of the compiler's own: "link",
    #: "endlink" or "trap".
    kind: str
    line: int
    #: As the author wrote it.
    source: str
    output: Output | None = None
    condition: Condition | None = None
    variable: str = ""
    path: tuple[str, ...] = ()


Piece = Literal | Tag

#: Filters with the number of arguments they take (least, most).
FILTERS: dict[str, tuple[int, int]] = {
    "default": (1, 1),
    "upper": (0, 0),
    "lower": (0, 0),
    "capitalize": (0, 0),
    "truncate": (1, 1),
    "date": (0, 1),
    "time": (0, 1),
    "plural": (1, 1),
    "days_until": (1, 1),
}

_TAG = re.compile(r"\{\{(?P<value>.*?)\}\}|\{%(?P<block>.*?)%\}|\{#(?P<note>.*?)#\}", re.DOTALL)
_OPENING = re.compile(r"\{\{|\{%")
_WORD = re.compile(
    r"""\s*(?:
        (?P<string>"[^"]*"|'[^']*')
      | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<sign>==|!=|<=|>=|<|>|\||:)
    )""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
_RESERVED = {"and", "or", "not", "in", "if", "for", "else", "true", "false", "loop"}
LOOP_FACTS = ("loop.first", "loop.last", "loop.index")


class _Unreadable(Exception):
    """One tag that is not in the grammar."""


class _Words:
    """The words of one tag, read from left to right."""

    def __init__(self, text: str) -> None:
        self.words: list[tuple[str, str]] = []
        position = 0
        text = text.strip()
        while position < len(text):
            match = _WORD.match(text, position)
            if match is None:
                raise _Unreadable(
                    pgettext("triggers", "“%(rest)s” cannot be read here")
                    % {"rest": text[position : position + 20].strip()}
                )
            kind = str(match.lastgroup)
            self.words.append((kind, match[kind]))
            position = match.end()
        self.position = 0

    def peek(self) -> tuple[str, str]:
        """Return the next word, ("", "") at the end."""
        return self.words[self.position] if self.position < len(self.words) else ("", "")

    def next(self) -> tuple[str, str]:
        """Take the next word."""
        word = self.peek()
        self.position += 1
        return word

    def take(self, text: str) -> bool:
        """Take the next word if it is this sign or name."""
        kind, found = self.peek()
        if kind in ("sign", "name") and found == text:
            self.position += 1
            return True
        return False

    def path(self) -> tuple[str, ...]:
        """Take a path such as `contact.first_name`."""
        kind, text = self.next()
        if kind != "name" or text in _RESERVED:
            raise _Unreadable(
                pgettext(
                    "triggers", "a name such as contact.first_name is expected, not “%(word)s”"
                )
                % {"word": text}
            )
        parts = tuple(text.split("."))
        if any(part.startswith("_") for part in parts):
            raise _Unreadable(
                pgettext("triggers", "“%(name)s”: names do not begin with an underscore")
                % {"name": text}
            )
        return parts

    def end(self) -> None:
        """Refuse anything that is left."""
        _kind, text = self.peek()
        if self.position < len(self.words):
            raise _Unreadable(
                pgettext("triggers", "“%(word)s” is not expected here") % {"word": text}
            )


def read(source: str, *, where: str, problems: list[Problem], first_line: int = 1) -> list[Piece]:
    """Split a text into literals and tags; what cannot be read is added to the problems."""
    pieces: list[Piece] = []
    position = 0
    line = first_line
    for match in _TAG.finditer(source):
        before = source[position : match.start()]
        _refuse_half_tags(before, line, where, problems)
        if before:
            pieces.append(Literal(text=before))
        line += before.count("\n")
        try:
            pieces.append(_tag(match, line))
        except _Unreadable as error:
            message = f"{shorten(match[0])}: {error}"
            problems.append(Problem(where=where, line=line, message=message))
        line += match[0].count("\n")
        position = match.end()
    rest = source[position:]
    _refuse_half_tags(rest, line, where, problems)
    if rest:
        pieces.append(Literal(text=rest))
    return pieces


def parse(source: str, *, where: str, problems: list[Problem], first_line: int = 1) -> Nodes:
    """Read a text into nodes; every problem found is added with its line."""
    pieces = read(source, where=where, problems=problems, first_line=first_line)
    return nest(pieces, where=where, problems=problems)


def nest(pieces: Sequence[Piece], *, where: str, problems: list[Problem]) -> Nodes:
    """Turn a flat text into a tree; blocks that do not match are added to the problems."""
    return _Nesting(pieces, where, problems).nodes()


def shorten(text: str, length: int = 60) -> str:
    """Return a tag on one line for a message."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _refuse_half_tags(text: str, line: int, where: str, problems: list[Problem]) -> None:
    for match in _OPENING.finditer(text):
        end = "}}" if match[0] == "{{" else "%}"
        problems.append(
            Problem(
                where=where,
                line=line + text.count("\n", 0, match.start()),
                message=pgettext("triggers", "“%(start)s” is never closed; end it with “%(end)s”")
                % {"start": match[0], "end": end},
            )
        )


def _tag(match: re.Match[str], line: int) -> Tag:
    source = match[0]
    if match["note"] is not None:
        raise _Unreadable(
            pgettext("triggers", "notes are written <!-- like this -->; they are never sent")
        )
    if match["value"] is not None:
        words = _Words(match["value"])
        output = Output(path=words.path(), filters=_filters(words))
        words.end()
        return Tag(kind="value", line=line, source=source, output=output)
    words = _Words(match["block"])
    _kind, name = words.next()
    if name in ("if", "elif"):
        condition = _condition(words)
        words.end()
        return Tag(kind=name, line=line, source=source, condition=condition)
    if name == "for":
        return _for(words, line, source)
    if name in ("else", "endif", "endfor"):
        words.end()
        return Tag(kind=name, line=line, source=source)
    raise _Unreadable(
        pgettext(
            "triggers",
            "“%(name)s” is not part of the language; there are only if, elif, else, endif, "
            "for and endfor",
        )
        % {"name": name}
    )


def _for(words: _Words, line: int, source: str) -> Tag:
    variable = words.path()
    if len(variable) != 1:
        raise _Unreadable(pgettext("triggers", "write it like: for line in basket.lines"))
    if not words.take("in"):
        raise _Unreadable(pgettext("triggers", "write it like: for line in basket.lines"))
    path = words.path()
    words.end()
    return Tag(kind="for", line=line, source=source, variable=variable[0], path=path)


def _filters(words: _Words) -> tuple[FilterCall, ...]:
    calls: list[FilterCall] = []
    while words.take("|"):
        kind, name = words.next()
        if kind != "name" or name not in FILTERS:
            raise _Unreadable(
                pgettext("triggers", "there is no filter “%(name)s”; there are %(known)s")
                % {"name": name, "known": ", ".join(FILTERS)}
            )
        arguments: list[str] = []
        while words.take(":"):
            kind, text = words.next()
            if kind not in ("string", "number"):
                raise _Unreadable(
                    pgettext("triggers", "what follows “%(name)s:” stands in quotes")
                    % {"name": name}
                )
            arguments.append(text[1:-1] if kind == "string" else text)
        calls.append(_checked(FilterCall(name=name, arguments=tuple(arguments))))
    return tuple(calls)


def _checked(call: FilterCall) -> FilterCall:
    least, most = FILTERS[call.name]
    if not least <= len(call.arguments) <= most:
        raise _Unreadable(
            pgettext("triggers", "the filter “%(name)s” does not take %(count)d arguments")
            % {"name": call.name, "count": len(call.arguments)}
        )
    if call.name in ("date", "time") and call.arguments and call.arguments[0] not in DATE_STYLES:
        raise _Unreadable(
            pgettext("triggers", "“%(name)s” knows the styles %(styles)s")
            % {"name": call.name, "styles": ", ".join(DATE_STYLES)}
        )
    if call.name == "truncate" and not 1 <= _number(call.arguments[0]) <= 1_000:
        raise _Unreadable(pgettext("triggers", "“truncate” takes a number from 1 to 1000"))
    if call.name == "days_until" and day_of(call.arguments[0]) is None:
        raise _Unreadable(pgettext("triggers", '“days_until” takes a day, written as "2030-12-24"'))
    if call.name == "plural":
        forms = [form.strip() for form in call.arguments[0].split(",")]
        if not 2 <= len(forms) <= MAX_PLURAL_FORMS:
            raise _Unreadable(
                pgettext("triggers", '“plural” takes the forms of a word: "item,items"')
            )
        return FilterCall(name="plural", arguments=tuple(forms))
    return call


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _condition(words: _Words) -> Condition:
    groups: list[tuple[Comparison, ...]] = []
    group = [_comparison(words)]
    while True:
        if words.take("and"):
            group.append(_comparison(words))
        elif words.take("or"):
            groups.append(tuple(group))
            group = [_comparison(words)]
        else:
            break
    groups.append(tuple(group))
    return tuple(groups)


def _comparison(words: _Words) -> Comparison:
    negated = words.take("not")
    left = _operand(words)
    kind, sign = words.peek()
    if kind == "sign" and sign in _COMPARISONS:
        words.next()
        return Comparison(left=left, operator=sign, right=_operand(words), negated=negated)
    if not left.path:
        raise _Unreadable(pgettext("triggers", "a comparison is missing"))
    return Comparison(left=left, negated=negated)


def _operand(words: _Words) -> Operand:
    kind, text = words.peek()
    if kind == "string":
        words.next()
        return Operand(value=text[1:-1])
    if kind == "number":
        words.next()
        return Operand(value=Decimal(text) if "." in text else int(text))
    if text in ("true", "false"):
        words.next()
        return Operand(value=text == "true")
    return Operand(path=words.path())


class _Nesting:
    """Builds the tree of a flat text."""

    def __init__(self, pieces: Sequence[Piece], where: str, problems: list[Problem]) -> None:
        self.pieces = pieces
        self.where = where
        self.problems = problems
        self.position = 0

    def nodes(self) -> Nodes:
        """Return the whole tree."""
        nodes: list[Node] = []
        while self.position < len(self.pieces):
            nodes += self._until(0)
            if self.position < len(self.pieces):
                stray = self.pieces[self.position]
                assert isinstance(stray, Tag)
                self._problem(
                    stray, pgettext("triggers", "%(tag)s belongs to nothing that is open")
                )
                self.position += 1
        return tuple(nodes)

    def _until(self, depth: int) -> list[Node]:
        nodes: list[Node] = []
        while self.position < len(self.pieces):
            piece = self.pieces[self.position]
            if isinstance(piece, Literal):
                nodes.append(piece)
            elif piece.output is not None:
                nodes.append(piece.output)
            elif piece.kind == "trap":
                nodes.append(Trap())
            elif piece.kind == "link":
                self.position += 1
                nodes.append(Link(nodes=tuple(self._until(depth))))
                # Its end ends _until(), and is stepped over below.
            elif piece.kind in ("if", "for"):
                if depth >= MAX_NESTING:
                    self._problem(
                        piece, pgettext("triggers", "%(tag)s stands inside too many other blocks")
                    )
                    self.position = len(self.pieces)
                    break
                self.position += 1
                nodes.append(
                    self._if(piece, depth) if piece.kind == "if" else self._for(piece, depth)
                )
                continue
            else:
                # What belongs to an outer block, or to none, ends this one.
                break
            self.position += 1
        return nodes

    def _if(self, opening: Tag, depth: int) -> If:
        branches: list[Branch] = []
        condition = opening.condition
        while True:
            nodes = self._until(depth + 1)
            branches.append(Branch(condition=condition, nodes=tuple(nodes)))
            piece = self._closing(opening, ("elif", "else", "endif"))
            if piece is None or piece.kind == "endif":
                return If(branches=tuple(branches))
            if condition is None:
                self._problem(piece, pgettext("triggers", "%(tag)s cannot follow else"))
            condition = piece.condition

    def _for(self, opening: Tag, depth: int) -> For:
        nodes = self._until(depth + 1)
        self._closing(opening, ("endfor",))
        return For(variable=opening.variable, path=opening.path, nodes=tuple(nodes))

    def _closing(self, opening: Tag, kinds: tuple[str, ...]) -> Tag | None:
        if self.position < len(self.pieces):
            piece = self.pieces[self.position]
            if isinstance(piece, Tag) and piece.kind in kinds:
                self.position += 1
                return piece
        end = "endif" if opening.kind == "if" else "endfor"
        self._problem(
            opening,
            pgettext("triggers", "%(tag)s is never closed in the same place; add “%(ending)s”"),
            ending=f"{{% {end} %}}",
        )
        return None

    def _problem(self, tag: Tag, message: str, *, ending: str = "") -> None:
        text = message % {"tag": shorten(tag.source), "ending": ending}
        self.problems.append(Problem(where=self.where, line=tag.line, message=text))
