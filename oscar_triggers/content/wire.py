"""Letters as bytes for SMTP: what the author wrote is encoded once, values as they are filled in.

A literal and a value each stand on quoted-printable lines of their own, joined by soft line
breaks that vanish when the letter is read. So a send encodes its values only. No line begins with
a dot, so that SMTP need not double any.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Mapping, Sequence
from email.header import Header
from email.utils import formataddr, parseaddr
from functools import lru_cache
from typing import Any

from .headers import ascii_domain
from .letters import CompiledLetter
from .rendering import Renderer, parts_of
from .targets import Begin, unescaped
from .values import formatter, one_line

SOFT_BREAK = "=\r\n"
LONGEST_LINE = 76

#: Cannot occur in quoted-printable text, where "=" is followed by two hex digits or a line end.
_BOUNDARY = "=_letter_part"
_PLAIN = re.compile(r"[ -<>-~]{0,74}\Z")
#: Of these, too, nothing is an entity in HTML: most addresses and words.
_HARMLESS = re.compile(r"[\w /.,:;?!+*()%#~@$-]{1,74}\Z", re.ASCII)
_LINE_WITH_DOT = re.compile(r"^\.([^\r\n]*)", re.MULTILINE)
_LONGEST_HEADER = 998
_BARE_ADDRESS = re.compile(r"[^\x00-\x20<>\x7f-\U0010ffff]+\Z")


def wire_bytes(
    compiled: CompiledLetter,
    values: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    from_: str,
    to: str,
    reply_to: str = "",
    language: str = "",
    time_zone: str = "",
    links: Begin | None = None,
) -> bytes:
    """Return a whole filled message, as `filled` makes it."""
    return filled(
        compiled,
        values,
        headers,
        from_=from_,
        to=to,
        reply_to=reply_to,
        language=language,
        time_zone=time_zone,
        links=links,
    )()


class Filled:
    """A filled message that is put together when it is asked for.

    Until then its pieces are the letter's own, shared by all; together they are 40 kB, and a
    batch of those would be cold memory by the time they leave. No line of it begins with a dot.
    """

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = pieces

    def __call__(self) -> bytes:
        """Return the bytes."""
        return "".join(self._pieces).encode("ascii")


def filled(
    compiled: CompiledLetter,
    values: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    from_: str,
    to: str,
    reply_to: str = "",
    language: str = "",
    time_zone: str = "",
    links: Begin | None = None,
) -> Filled:
    """Fill a whole message with CRLF line ends; raises ValueError for a header with lines.

    Decoded, it says what `rendering.fill` says.
    """
    form = formatter(language or compiled.language, time_zone)
    parts = parts_of(compiled)
    one = links() if links is not None else None
    written = wire_html(compiled).pieces(values, form, one)
    text = parts.plain(values, form, one)
    lines = [
        header("From", address(from_)),
        header("To", address(to)),
        header("Subject", one_line(parts.subject.fill(values, form))),
    ]
    if reply_to:
        lines.append(header("Reply-To", address(reply_to)))
    lines += [header(name, value) for name, value in headers.items()]
    return Filled(
        (
            *lines,
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n\r\n',
            f"--{_BOUNDARY}\r\n",
            'Content-Type: text/plain; charset="utf-8"\r\n',
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            encode_text(text),
            f"\r\n--{_BOUNDARY}\r\n",
            'Content-Type: text/html; charset="utf-8"\r\n',
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            *written,
            f"\r\n--{_BOUNDARY}--\r\n",
        )
    )


@lru_cache(maxsize=64)
def wire_html(compiled: CompiledLetter) -> Renderer:
    """Return the HTML part's renderer with every literal already encoded."""
    return Renderer(compiled.html, literal=encode_literal, value=encode_value, address=unescaped)


def encode_text(text: str) -> str:
    """Return text as quoted-printable lines."""
    # With bare line ends in it, what comes out has them too: they are turned once, not twice.
    encoded = binascii.b2a_qp(text.replace("\r\n", "\n").encode(), istext=True)
    written = encoded.replace(b"\n", b"\r\n").decode("ascii")
    if "\n." in written or written.startswith("."):
        written = _LINE_WITH_DOT.sub(_without_dot, written)
    return written


def _without_dot(line: re.Match[str]) -> str:
    """Return a line that began with a dot, in two where there is no room for the escape."""
    rest = line[1]
    return f"=2E{rest}" if len(rest) + 3 <= LONGEST_LINE else f"=2E{SOFT_BREAK}{rest}"


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def encode_literal(text: str) -> str:
    """Return text as quoted-printable lines that anything can follow on a line of its own."""
    encoded = encode_text(text)
    if not encoded or encoded.endswith("\r\n"):
        return encoded
    length = len(encoded) - (encoded.rfind("\n") + 1)
    if length >= LONGEST_LINE:
        # There is no room for the "=": break before the last character or its escape.
        cut = len(encoded) - (3 if encoded[-3] == "=" else 1)
        last = encoded[cut:]
        encoded = encoded[:cut] + SOFT_BREAK + ("=2E" if last == "." else last)
    return encoded + SOFT_BREAK


def encode_value(text: str) -> str:
    """Return a value, escaped for HTML, as quoted-printable lines like encode_literal's."""
    # What begins with a dot would be a line that does.
    if _HARMLESS.match(text) and text[0] != ".":
        return text + SOFT_BREAK
    escaped = html.escape(text)
    if _PLAIN.match(escaped) and not escaped.startswith("."):
        return escaped + SOFT_BREAK if escaped else ""
    return encode_literal(escaped)


def header(name: str, value: str) -> str:
    """Return one header line; text beyond ASCII becomes encoded words.

    ASCII is never encoded nor folded, for RFC 8058's List-Unsubscribe must not be. Raises
    ValueError for a value of several lines, which could smuggle in headers.
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"The header {name} has a line end in it.")
    if value.isascii() and len(name) + len(value) + 2 <= _LONGEST_HEADER:
        return f"{name}: {value}\r\n"
    encoded = Header(value, "utf-8", header_name=name, maxlinelen=LONGEST_LINE).encode()
    return f"{name}: {_crlf(encoded)}\r\n"


@lru_cache(maxsize=1_024)
def address(text: str) -> str:
    """Return an address as a header holds it: its name encoded, its domain in ASCII."""
    name, _point = parseaddr(text)
    point = envelope_address(text)
    return formataddr((name, point), charset="utf-8") if name else point


@lru_cache(maxsize=1_024)
def envelope_address(text: str) -> str:
    """Return the bare address of "Name <address>", its domain in ASCII; raises ValueError."""
    _name, point = parseaddr(text)
    local, at, domain = point.rpartition("@")
    if not at or not _BARE_ADDRESS.match(local):
        raise ValueError("This is not an e-mail address.")
    return f"{local}@{ascii_domain(domain)}"
