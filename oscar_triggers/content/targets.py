"""Where a letter's links lead: found when it is compiled, numbered while it is filled.

A link that is followed through the shop names its letter and its number there, nothing else. The
target is found again by filling the letter again, so no address stands in another address.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from .tokens import Tokens

LINK, LINK_END, TRAP = "link", "endlink", "trap"

#: Number of the link that no person sees; what people see is numbered from 1.
TRAP_NUMBER = 0
FIRST_NUMBER = 1

_WEB = ("https://", "http://")
_HREF = re.compile(r'(<(?:a|area)\b(?:[^>"]|"[^"]*")*?\shref=")([^"]*)(")', re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);")
#: An address in a text that people wrote; what ends a sentence does not belong to it.
_WRITTEN = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]}»”’]", re.IGNORECASE)
#: Nothing that could end a header, start another address or hide where one leads.
_SAFE = re.compile(r"https?://[^\x00-\x20\x7f\"<>\\^`{|}]+\Z", re.IGNORECASE)


class Links:
    """What becomes of the links of one letter while its parts are filled, HTML before text."""

    #: Address of the link that no person sees; "" for a letter without one.
    trap = ""

    def lead(self, target: str) -> str:
        """Return what stands in the letter for a link to this address."""
        return target


#: Begins the links of one filling anew.
Begin = Callable[[], Links]


class Numbered(Links):
    """Links that lead through the shop, by their number; equal targets share one."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers: dict[str, int] = {}
        self.trap = f"{prefix}{TRAP_NUMBER}/"

    def lead(self, target: str) -> str:
        """Return the address of a link by its number; what is no web address stays as it is."""
        if not (target.startswith(_WEB) or target.lower().startswith(_WEB)):
            return target
        number = self._numbers.setdefault(target, len(self._numbers) + FIRST_NUMBER)
        return f"{self._prefix}{number}/"

    @property
    def targets(self) -> list[str]:
        """Return where the links lead, in the order of their numbers."""
        return list(self._numbers)


class Tagged(Links):
    """Links that lead straight to their target, with parameters for the shop's web analytics."""

    def __init__(self, parameters: Mapping[str, str], base_url: str) -> None:
        self._parameters = parameters
        self._base_url = base_url

    def lead(self, target: str) -> str:
        """Return the target, with the parameters where it is the shop's own."""
        return with_parameters(target, self._parameters, self._base_url)


def mark(compiled: str, tokens: Tokens) -> str:
    """Return compiled HTML with marks around the targets of its links, and the hidden link."""

    def around(match: re.Match[str]) -> str:
        before, address, after = match.groups()
        return before + marked(address, tokens) + after

    text = _HREF.sub(around, compiled)
    end = text.rfind("</body>")
    return text if end < 0 else text[:end] + tokens.mark(TRAP) + text[end:]


def marked(address: str, tokens: Tokens) -> str:
    """Return an address between marks where it may lead through the shop."""
    if not _may_lead(address, tokens):
        return address
    return tokens.mark(LINK) + address + tokens.mark(LINK_END)


def _may_lead(address: str, tokens: Tokens) -> bool:
    """Say whether it is an address of the web and none of our own, which say by themselves."""
    parts = list(tokens.split(address))
    outputs = [tokens.tags[part].output for part in parts if isinstance(part, int)]
    if any(output is not None and output.path[0] == "links" for output in outputs):
        return False
    first = parts[0] if parts else ""
    return isinstance(first, int) or first.strip().lower().startswith(_WEB)


def unescaped(text: str) -> str:
    """Return an attribute's text without entities, as browsers read it: "&copy=" is none."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


def lead_written(text: str, links: Links, own: Collection[str]) -> str:
    """Return a text that an author wrote, with its web addresses led; `own` ones stay."""
    return _WRITTEN.sub(
        lambda match: match[0] if match[0] in own else links.lead(match[0]),
        text,
    )


def is_safe(target: str) -> bool:
    """Say whether a browser may be sent there: http or https, nothing that could break a header."""
    return bool(_SAFE.match(target)) and len(target) <= 8_000


def with_parameters(target: str, parameters: Mapping[str, str], base_url: str) -> str:
    """Return the shop's own address with parameters that it does not have yet.

    Others' addresses stay as they are: they did not ask for our words in theirs.
    """
    if not parameters or not target.lower().startswith(_WEB):
        return target
    try:
        parts, shop = urlsplit(target), urlsplit(base_url)
    except ValueError:  # brackets that are no IPv6 address
        return target
    if parts.netloc.lower() != shop.netloc.lower():
        return target
    present = {name.lower() for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    missing = {
        name: value for name, value in parameters.items() if value and name.lower() not in present
    }
    if not missing:
        return target
    query = "&".join(part for part in (parts.query, urlencode(missing)) if part)
    return parts._replace(query=query).geturl()
