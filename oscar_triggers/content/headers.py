"""The headers that mailboxes judge a letter by."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import urlsplit

import idna

from ..conf import PROMOTIONAL
from . import links

_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9-]+")


def letter_headers(
    *,
    stream: str,
    public_id: str,
    base_url: str,
    date: datetime,
    topic: str = "",
    flow_key: str = "",
    unsubscribe_url: str = "",
) -> dict[str, str]:
    """Return what one message carries beside From, To, Reply-To and Subject.

    Only the message's public id goes in, so every try at it has the same Message-ID. Promotional
    letters get RFC 8058's one-click unsubscribe and a List-Id; transactional ones have neither.
    """
    host = host_of(base_url)
    headers = {
        "Date": _dated(date, date.utcoffset()),
        "Message-ID": f"<{public_id}@{host}>",
        "Auto-Submitted": "auto-generated",
        # Keeps mailboxes from folding a chain of letters into one thread.
        "X-Entity-Ref-ID": public_id,
        "Feedback-ID": ":".join(
            (_label(flow_key) or "letter", _label(topic) or "none", _label(stream), host)
        ),
    }
    if stream == PROMOTIONAL:
        url = unsubscribe_url or links.unsubscribe_url(ascii_url(base_url), public_id)
        headers["List-Unsubscribe"] = f"<{url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        headers["List-Id"] = f"<{_label(topic) or 'letters'}.{host}>"
    return headers


@lru_cache(maxsize=256)
def host_of(base_url: str) -> str:
    """Return the host of a shop's address in ASCII, "localhost" when it has none."""
    host = urlsplit(base_url).hostname or "localhost"
    return ascii_domain(host)


def ascii_url(base_url: str) -> str:
    """Return a shop's address with its host in ASCII."""
    if base_url.isascii():
        return base_url
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{ascii_domain(parts.hostname or '')}{port}{parts.path}"


def ascii_domain(domain: str) -> str:
    """Return a domain in ASCII, lower case; raises ValueError when it is none."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{domain!r} is no domain name.") from error


def unsubscribe_problem(base_url: str) -> str:
    """Say why one-click unsubscribe cannot work at this address, "" when it can."""
    if urlsplit(base_url).scheme != "https":
        return f"BASE_URL is {base_url!r}; mailboxes accept one-click unsubscribe over https only."
    length = len(links.unsubscribe_url(base_url, "x" * links.PUBLIC_ID_LENGTH))
    if length > links.LONGEST_HEADER_URL:
        return (
            f"Unsubscribe addresses are {length} characters long; "
            f"keep them to {links.LONGEST_HEADER_URL} with a shorter BASE_URL or URL prefix."
        )
    return ""


@lru_cache(maxsize=64)
def _dated(moment: datetime, _offset: timedelta | None) -> str:
    """Return a Date header; equal moments on clocks apart are written differently."""
    return format_datetime(moment)


@lru_cache(maxsize=1_024)
def _label(text: str) -> str:
    return _NOT_IN_A_LABEL.sub("-", text.lower()).strip("-")[:40]
