"""Reads the attributes of one element: addresses, styles, and merge tags that survive there."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from django.utils.translation import pgettext

from . import elements
from .grammar import Tag, shorten
from .nodes import Place
from .tokens import Tokens

#: Adds a problem at an offset of the text with tokens.
Complain = Callable[[int, str], None]

CSS_DANGER = re.compile(r"expression\s*\(|javascript:|@import|behavior\s*:", re.IGNORECASE)

_ATTRIBUTE = re.compile(r"""\s*([^\s=<>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")
_BLANKS = re.compile(r"\s*")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);)")
_INVISIBLE = re.compile(r"[\x00-\x20]+")


def pair(tag: Tag, blocks: list[Tag], complain: Callable[[str], None]) -> None:
    """Match a block tag with those that are open in the same place."""
    if tag.kind in ("if", "for"):
        blocks.append(tag)
    elif not blocks:
        complain(
            pgettext("triggers", "%(tag)s stands in another element than its beginning")
            % {"tag": shorten(tag.source)}
        )
    elif tag.kind in ("endif", "endfor"):
        blocks.pop()


class AttributeReader:
    """Reads attributes, adds their problems and notes where their values stand."""

    def __init__(self, source: str, tokens: Tokens, complain: Complain) -> None:
        self.source = source
        self.tokens = tokens
        self.complain = complain

    def read(self, element: str, position: int, *, fixed: bool) -> tuple[dict[str, str], int]:
        """Return the attributes from a position on, escaped, and where they end.

        `fixed` is set where no merge tag survives in any attribute.
        """
        attributes: dict[str, str] = {}
        while match := _ATTRIBUTE.match(self.source, position):
            position = match.end()
            key = match[1].lower()
            start = match.start(1)
            number = next((n for n in self.tokens.split(match[1]) if isinstance(n, int)), None)
            if number is not None:
                self.complain(
                    start,
                    pgettext("triggers", "%(tag)s can stand inside an attribute's quotes only")
                    % {"tag": shorten(self.tokens.tags[number].source)},
                )
                continue
            value = next((given for given in match.groups()[1:] if given is not None), key)
            self._check(element, key, value, start, fixed=fixed)
            if key in elements.ADDRESS_ATTRIBUTES:
                # "?a=1&copy=2" is two parameters to a browser; others may see a sign in it.
                value = _BARE_AMPERSAND.sub("&amp;", value)
            attributes[key] = escaped(value)
        blanks = _BLANKS.match(self.source, position)
        return attributes, blanks.end() if blanks else position

    def _check(self, element: str, key: str, value: str, start: int, *, fixed: bool) -> None:
        if key.startswith("on"):
            message = pgettext("triggers", "“%(key)s” runs code; letters cannot") % {"key": key}
            self.complain(start, message)
            return
        is_layout = element.startswith("mj") and key not in elements.TAG_ATTRIBUTES
        is_address = key in elements.ADDRESS_ATTRIBUTES
        blocks: list[Tag] = []
        literal_seen = anything_seen = False
        for part in self.tokens.split(value):
            if isinstance(part, str):
                if is_address and not anything_seen:
                    self._check_address(key, part, start)
                if key == "style" and CSS_DANGER.search(html.unescape(part)):
                    message = pgettext("triggers", "this style holds what mailboxes refuse")
                    self.complain(start, message)
                if not blocks:
                    literal_seen = anything_seen = True
                continue
            tag = self.tokens.tags[part]
            if is_layout or fixed:
                self._refuse_tag(element, key, tag, start)
            if tag.output is None:
                pair(tag, blocks, lambda message: self.complain(start, message))
            elif is_address:
                place = Place.ADDRESS_PART if literal_seen else Place.ADDRESS
                self.tokens.places[part] = place
                anything_seen = anything_seen or not blocks
            elif key in elements.STYLE_ATTRIBUTES:
                self.tokens.places[part] = Place.STYLE
        for tag in blocks:
            self.complain(
                start,
                pgettext("triggers", "%(tag)s is not closed within “%(key)s”")
                % {"tag": shorten(tag.source), "key": key},
            )

    def _refuse_tag(self, element: str, key: str, tag: Tag, start: int) -> None:
        self.complain(
            start,
            pgettext(
                "triggers",
                "%(tag)s would not survive in “%(key)s” of <%(name)s>; write a fixed value",
            )
            % {"tag": shorten(tag.source), "key": key, "name": element},
        )

    def _check_address(self, key: str, part: str, start: int) -> None:
        address = _INVISIBLE.sub("", html.unescape(part)).lower()
        if address and not address.startswith((*elements.ADDRESS_SCHEMES, "#")):
            self.complain(
                start,
                pgettext("triggers", "“%(key)s” needs a full address that begins with https://")
                % {"key": key},
            )


def escaped(value: str) -> str:
    """Return an attribute's value as it stands between double quotes."""
    return value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
