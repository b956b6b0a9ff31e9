"""The plain text part, derived once from the compiled HTML while its tags are still tokens.

The result holds marks for breaks instead of line ends. `tidy` turns them into lines after the
values are filled in, so that deriving first and filling after gives what filling first would.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from . import targets
from .tokens import Tokens

BREAK, PARAGRAPH, LINE_END = "\x01", "\x02", "\x03"

_SKIPPED = frozenset({"head", "style", "script", "title", "xml"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote"})
_BLOCKS = frozenset({"div", "table", "tr", "li", "hr", "section", "article", "body"})
_HIDDEN = re.compile(r"display\s*:\s*none")
#: How mrml styles the outside of a section, and of a text, button or table in a column.
_BEGINS_A_PART = re.compile(r"margin:0px auto|word-break:break-word")
_MARKS = BREAK + PARAGRAPH + LINE_END
#: Begins with a mark: a search for blanks first would stop at every word.
_PILE = re.compile(f"[{_MARKS}][ {_MARKS}]*")
#: What two marks beside each other come to; two line ends are an empty line, as a paragraph is.
_PAIRS = (
    (BREAK + BREAK, BREAK),
    (BREAK + LINE_END, LINE_END),
    (LINE_END + BREAK, LINE_END),
    (LINE_END + LINE_END, PARAGRAPH),
    (BREAK + PARAGRAPH, PARAGRAPH),
    (PARAGRAPH + BREAK, PARAGRAPH),
    (LINE_END + PARAGRAPH, PARAGRAPH),
    (PARAGRAPH + LINE_END, PARAGRAPH),
    (PARAGRAPH + PARAGRAPH, PARAGRAPH),
)
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


def derive(html: str, tokens: Tokens) -> str:
    """Return the text of an HTML letter with break marks; its tags are still tokens."""
    links = _LinkFinder(tokens)
    links.feed(html)
    links.close()
    reader = _TextReader(tokens, links.worded)
    reader.feed(html)
    reader.close()
    return "".join(reader.out)


def settled(text: str) -> str:
    """Return an author's words with each pile of break marks as the one that it comes to.

    Of tables there are dozens for each line of text; tidied, it is the same text.
    """
    return _PILE.sub(lambda pile: _one_mark(pile[0]), _single_spaced(text))


def _one_mark(marks: str) -> str:
    if PARAGRAPH in marks or marks.count(LINE_END) > 1:
        return PARAGRAPH
    return LINE_END if LINE_END in marks else BREAK


def _single_spaced(text: str) -> str:
    for blank in "\t\r\n\f":
        text = text.replace(blank, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def tidy(text: str) -> str:
    """Turn break marks into lines, and strings of spaces into one."""
    text = _single_spaced(text)
    # What is settled has few marks beside each other: replacing is faster than a pattern.
    for mark in _MARKS:
        text = text.replace(f"{mark} ", mark)
    for pair, one in _PAIRS:
        while pair in text:
            text = text.replace(pair, one)
    text = text.replace(PARAGRAPH, "\n\n").replace(BREAK, "\n").replace(LINE_END, "\n")
    return text.replace(" \n", "\n").strip(" \n") + "\n"


def tidy_written(text: str) -> str:
    """Tidy a text part that an author wrote: no blanks at line ends, no piles of empty lines."""
    lines = [line.rstrip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


class _Walker(HTMLParser):
    """Walks over HTML and keeps the block tags of what it leaves out."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(convert_charrefs=True)
        self.tokens = tokens
        self.hidden: list[str] = []

    def blocks_in(self, text: str) -> str:
        """Return the tokens of blocks in a text, without all else."""
        return "".join(
            self.tokens.token(part)
            for part in self.tokens.split(text)
            if isinstance(part, int) and self.tokens.tags[part].output is None
        )

    def identity(self, address: str) -> str:
        """Return an address with what its tags mean, so that equal links compare equal."""
        return "".join(
            part if isinstance(part, str) else repr(self.tokens.tags[part].output)
            for part in self.tokens.split(address)
        )


class _LinkFinder(_Walker):
    """Collects the addresses of links that have words, not only a picture."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.worded: set[str] = set()
        self.address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link begins."""
        if tag == "a":
            self.address = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        """Note where a link ends."""
        if tag == "a":
            self.address = ""

    def handle_data(self, data: str) -> None:
        """Note that the link has words."""
        if self.address and data.strip():
            self.worded.add(self.identity(self.address))


class _TextReader(_Walker):
    """Writes the text."""

    def __init__(self, tokens: Tokens, worded: set[str]) -> None:
        super().__init__(tokens)
        self.worded = worded
        self.out: list[str] = []
        #: Address and beginning of the label of the links that are open.
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, a link or a part that is left out."""
        attributes = {key: value or "" for key, value in attrs}
        if tag in _VOID:
            self._void(tag, attributes)
            return
        if self.hidden or tag in _SKIPPED or _HIDDEN.search(attributes.get("style", "")):
            self.hidden.append(tag)
            return
        if tag == "a":
            self.links.append((attributes.get("href", ""), len(self.out)))
        elif tag in _PARAGRAPHS or _BEGINS_A_PART.search(attributes.get("style", "")):
            self.out.append(PARAGRAPH)
        elif tag in _BLOCKS:
            self.out.append(BREAK)
        elif tag in ("td", "th"):
            self.out.append(" ")
        if tag == "li":
            self.out.append("• ")

    def _void(self, tag: str, attributes: dict[str, str]) -> None:
        if self.hidden:
            return
        if tag == "br":
            self.out.append(LINE_END)
        elif tag == "hr":
            self.out.append(BREAK)
        elif tag == "img" and attributes.get("alt"):
            if not self.links:
                self.out.append(f"{attributes['alt']} ")
            elif self.identity(self.links[-1][0]) not in self.worded:
                self.out.append(attributes["alt"])

    def handle_endtag(self, tag: str) -> None:
        """End a line, a link or a part that is left out."""
        if tag in _VOID:
            return
        if self.hidden:
            if tag in self.hidden:
                while self.hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self.links:
            self._end_link()
        elif tag in _PARAGRAPHS:
            self.out.append(PARAGRAPH)
        elif tag in _BLOCKS:
            self.out.append(BREAK)
        elif tag in ("td", "th"):
            self.out.append(" ")

    def _end_link(self) -> None:
        address, start = self.links.pop()
        label = "".join(self.out[start:]).strip()
        if not label or not address or address.startswith("#"):
            return
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if self.identity(label) == self.identity(shown):
            if shown == address:
                said = "".join(self.out[start:])
                self.out[start:] = [said.replace(label, targets.marked(address, self.tokens), 1)]
            return
        written = targets.marked(address, self.tokens) if shown == address else shown
        self.out.append(f": {written}" if label[-1:] not in ":：" else f" {written}")

    def handle_data(self, data: str) -> None:
        """Write words, and the blocks around what is left out."""
        if self.hidden:
            self.out.append(self.blocks_in(data))
        else:
            self.out.append(data)

    def handle_comment(self, data: str) -> None:
        """Keep the blocks that mrml put into Outlook's conditional comments."""
        self.out.append(self.blocks_in(data))
