"""Reads an author's MJML before mrml does: refuses by name and line what would not survive."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import pgettext

from ..exceptions import Problem
from . import elements, rules
from .attributes import CSS_DANGER, AttributeReader, pair
from .grammar import Piece, Tag, shorten
from .nodes import Literal
from .notes import WHERE
from .tokens import Tokens

MAX_DEPTH = 64
MAX_ELEMENTS = 3_000
MAX_CAROUSEL_IMAGES = 30

_OPEN = re.compile(r"<([a-zA-Z][\w:.-]*)")
_CLOSE = re.compile(r"</([a-zA-Z][\w:.-]*)\s*>")


@dataclass(kw_only=True)
class _Element:
    """An element that is open."""

    name: str
    line: int
    #: Blocks that were opened between its children and are not closed yet.
    blocks: list[Tag] = field(default_factory=list)
    had_blocks: bool = False
    #: Lines of columns in it that have no width.
    columns_without_width: list[int] = field(default_factory=list)


class Reader:
    """One pass over the MJML of a letter."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        tokens: Tokens,
        problems: list[Problem],
        *,
        language: str,
        direction: str,
        title: str,
        preview: str,
    ) -> None:
        self.tokens = tokens
        self.problems = problems
        self.root = {"lang": language, "dir": direction}
        self.source, self.offsets, self.lines = self._with_tokens(pieces)
        self.attributes = AttributeReader(self.source, tokens, self.problem)
        self.head = ""
        if "<mj-title" not in self.source:
            self.head += f"<mj-title>{title}</mj-title>"
        if preview and "<mj-preview" in self.source:
            self.problem(
                self.source.index("<mj-preview"),
                pgettext("triggers", "the preheader has a field of its own; remove <mj-preview>"),
            )
        elif preview:
            self.head += f"<mj-preview>{preview}</mj-preview>"
        self.stack: list[_Element] = [_Element(name="", line=1)]
        self.out: list[str] = []
        self.count = 0
        self.carousel_images = 0
        self.seen_root = False
        self.full = False

    def _with_tokens(self, pieces: Sequence[Piece]) -> tuple[str, list[int], list[int]]:
        parts: list[str] = []
        offsets: list[int] = []
        lines: list[int] = []
        length, line = 0, 1
        for piece in pieces:
            offsets.append(length)
            if isinstance(piece, Literal):
                part = piece.text
                lines.append(line)
                line += part.count("\n")
            else:
                part = self.tokens.for_tag(piece)
                line = piece.line
                lines.append(line)
                line += piece.source.count("\n")
            parts.append(part)
            length += len(part)
        return "".join(parts), offsets, lines

    def line_at(self, offset: int) -> int:
        """Return the author's line of an offset in the text with tokens."""
        position = bisect_right(self.offsets, offset) - 1
        if position < 0:
            return 1
        return self.lines[position] + self.source.count("\n", self.offsets[position], offset)

    def problem(self, offset: int, message: str) -> None:
        """Add a problem at an offset."""
        self.problems.append(Problem(where=WHERE, line=self.line_at(offset), message=message))

    @property
    def top(self) -> _Element:
        """Return the innermost open element."""
        return self.stack[-1]

    @property
    def is_free(self) -> bool:
        """Return whether text and HTML may stand here."""
        return any(element.name in elements.FREE for element in self.stack)

    @property
    def in_head(self) -> bool:
        """Return whether this is the head, apart from its texts."""
        names = {element.name for element in self.stack}
        return "mj-head" in names and not names & {"mj-title", "mj-preview"}

    def read(self) -> str:
        """Return MJML that mrml can be trusted with, if no problem was added."""
        source = self.source
        position = 0
        while position < len(source) and not self.full:
            start = source.find("<", position)
            if start < 0:
                start = len(source)
            if start > position:
                self._text(position, start)
            if start == len(source):
                break
            position = self._markup(start)
        for element in reversed(self.stack[1:]):
            if not self.full:
                self._still_open(element)
        if not self.seen_root:
            self.problem(0, pgettext("triggers", "a letter begins with <mjml> and <mj-body>"))
        return self.tokens.guard("".join(self.out))

    def _markup(self, start: int) -> int:
        source = self.source
        closing = _CLOSE.match(source, start)
        if closing is not None:
            self._close(closing[1], start)
            return closing.end()
        opening = _OPEN.match(source, start)
        if opening is not None:
            return self._open(opening[1], start, opening.end())
        lowered = source[start : start + 9].lower()
        if lowered.startswith(("<!", "<?")):
            self.problem(
                start,
                pgettext("triggers", "“%(text)s…” is not possible; begin with <mjml>")
                % {"text": source[start : start + 9]},
            )
            end = source.find(">", start)
            return len(source) if end < 0 else end + 1
        self.problem(start, pgettext("triggers", "a “<” that begins no element; write it as &lt;"))
        self.out.append("&lt;")
        return start + 1

    # ── text ─────────────────────────────────────────────────────────────────────────────────

    def _text(self, start: int, end: int) -> None:
        position = start
        for part in self.tokens.split(self.source[start:end]):
            if isinstance(part, int):
                self._tag_in_text(self.tokens.tags[part], position)
                token = self.tokens.token(part)
                self.out.append(token)
                position += len(token)
                continue
            if part.strip() and not self.is_free:
                self.problem(
                    position + len(part) - len(part.lstrip()),
                    pgettext("triggers", "“%(text)s” stands outside of <mj-text>")
                    % {"text": shorten(part, 30)},
                )
            if self.is_free and part.isspace():
                # mrml drops a text of blanks only, and with it the space between two words.
                self.out.append(self.tokens.for_text(part))
            elif self.is_free:
                self.out.append(part.replace(">", "&gt;"))
            position += len(part)

    def _tag_in_text(self, tag: Tag, offset: int) -> None:
        if tag.kind == "value":
            if not self.is_free or self.in_head:
                self._refuse_tag(tag, offset)
            return
        if self.in_head or not (self.is_free or self.top.name in elements.BLOCK_PARENTS):
            self._refuse_tag(tag, offset)
        self.top.had_blocks = True
        pair(tag, self.top.blocks, lambda message: self.problem(offset, message))

    def _refuse_tag(self, tag: Tag, offset: int) -> None:
        if tag.kind == "value" and self.top.name in elements.BLOCK_PARENTS:
            message = pgettext("triggers", "%(tag)s stands outside of <mj-text>")
        else:
            message = pgettext("triggers", "%(tag)s would not survive in <%(name)s>")
        self.problem(offset, message % {"tag": shorten(tag.source), "name": self.top.name})

    # ── elements ─────────────────────────────────────────────────────────────────────────────

    def _open(self, name: str, start: int, position: int) -> int:
        names = {element.name for element in self.stack} | {name}
        attributes, position = self.attributes.read(
            name, position, fixed=bool(names & {"mj-head", "mj-carousel"})
        )
        closes_itself = self.source.startswith("/>", position)
        if not closes_itself and not self.source.startswith(">", position):
            self.problem(
                start,
                pgettext("triggers", "<%(name)s is never closed with “>”, or a quote is missing")
                % {"name": name},
            )
            end = self.source.find(">", position)
            position = len(self.source) if end < 0 else end + 1
        else:
            position += 2 if closes_itself else 1
        self._check_element(name, start, attributes)
        if name == "mjml":
            self.seen_root = True
            attributes = {**self.root, **attributes}
        written = "".join(f' {key}="{value}"' for key, value in attributes.items())
        if name in elements.VOID_ELEMENTS:
            self.out.append(f"<{name}{written} />")
            return position
        if name in ("mj-style", "style"):
            return position if closes_itself else self._style(name, written, position)
        inserted = self._inserted(name)
        if closes_itself and not inserted:
            self.out.append(f"<{name}{written} />")
            return position
        self.out.append(f"<{name}{written}>{inserted}")
        self.stack.append(_Element(name=name, line=self.line_at(start)))
        if closes_itself:
            self._close(name, start)
        elif len(self.stack) - 1 > MAX_DEPTH:
            self.problem(
                start,
                pgettext("triggers", "<%(name)s> stands inside more than %(count)d elements")
                % {"name": name, "count": MAX_DEPTH},
            )
            self.full = True
        return position

    def _inserted(self, name: str) -> str:
        """Return what we add at the beginning of an element: title and preheader in the head."""
        head, wrapped = self.head, f"<mj-head>{self.head}</mj-head>"
        if name == "mj-head":
            self.head = ""
            return head
        if name == "mjml" and head and not re.search(r"<mj-head[\s/>]", self.source):
            self.head = ""
            return wrapped
        return ""

    def _style(self, name: str, written: str, position: int) -> int:
        match = re.compile(rf"</{name}\s*>").search(self.source, position)
        if match is None:
            self.problem(
                position, pgettext("triggers", "<%(name)s> is never closed") % {"name": name}
            )
            return len(self.source)
        css = self.source[position : match.start()]
        offset = position
        for part in self.tokens.split(css):
            if isinstance(part, int):
                tag = self.tokens.tags[part]
                self.problem(
                    offset,
                    pgettext("triggers", "%(tag)s would not survive in <%(name)s>")
                    % {"tag": shorten(tag.source), "name": name},
                )
            elif CSS_DANGER.search(part) or "<" in part:
                self.problem(
                    offset, pgettext("triggers", "these styles hold what mailboxes refuse")
                )
            offset += len(part) if isinstance(part, str) else 0
        # A child combinator must reach the HTML as it is, and must not reach mrml's parser.
        guarded = re.sub(">+", lambda found: self.tokens.for_text(found[0]), css)
        self.out.append(f"<{name}{written}>{guarded}</{name}>")
        return match.end()

    def _check_element(self, name: str, start: int, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            self.problem(
                start,
                pgettext("triggers", "the letter has more than %(count)d elements")
                % {"count": MAX_ELEMENTS},
            )
            self.full = True
            return
        parents = [element.name for element in self.stack]
        message = rules.refusal(name, attributes, parents, is_first=self.count <= len(parents))
        if message:
            self.problem(start, message)
        if name in ("mj-column", "mj-group") and "width" not in attributes:
            self.top.columns_without_width.append(self.line_at(start))
        if name == "mj-carousel-image":
            self.carousel_images += 1
            if self.carousel_images > MAX_CAROUSEL_IMAGES:
                self.full = True
                self.problem(
                    start,
                    pgettext("triggers", "a letter shows at most %(count)d pictures in carousels")
                    % {"count": MAX_CAROUSEL_IMAGES},
                )

    def _close(self, name: str, offset: int) -> None:
        if len(self.stack) == 1 or self.top.name != name:
            open_names = [element.name for element in self.stack]
            if name in open_names[1:]:
                while self.top.name != name:
                    self._still_open(self.stack.pop())
            else:
                self.problem(
                    offset,
                    pgettext("triggers", "</%(name)s> closes nothing that is open")
                    % {"name": name},
                )
                return
        element = self.stack.pop()
        for tag in element.blocks:
            self.problem(
                offset,
                pgettext("triggers", "%(tag)s is not closed before </%(name)s>")
                % {"tag": shorten(tag.source), "name": name},
            )
        if element.had_blocks and name in elements.WIDTH_PARENTS:
            for line in element.columns_without_width:
                message = pgettext(
                    "triggers",
                    "give every column in this <%(name)s> a width: with if or for between them, "
                    "their number is not known",
                )
                self.problems.append(
                    Problem(where=WHERE, line=line, message=message % {"name": name})
                )
        self.out.append(f"</{name}>")

    def _still_open(self, element: _Element) -> None:
        message = pgettext("triggers", "<%(name)s> is never closed") % {"name": element.name}
        self.problems.append(Problem(where=WHERE, line=element.line, message=message))
