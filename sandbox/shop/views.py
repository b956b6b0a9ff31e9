"""Pages of the inbox: what arrived by SMTP."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from . import mailbox

#: A stranger's HTML may show pictures and open links, and do nothing else.
_LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src * data:; style-src 'unsafe-inline'; font-src *; frame-ancestors 'self'"
)
_SHOWN = 200
_HEAD = re.compile(rb"<head[^>]*>", re.IGNORECASE)
_LINK = re.compile(r"<(https?://[^>]+)>")


def inbox(request: HttpRequest) -> HttpResponse:
    """List the letters that arrived, newest first."""
    arrivals = mailbox.arrivals(settings.INBOX_DIR)
    return render(
        request,
        "sandbox_shop/inbox.html",
        {
            "arrivals": arrivals[::-1][:_SHOWN],
            "count": len(arrivals),
            "shop_name": settings.OSCAR_SHOP_NAME,
        },
    )


def letter(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Show one letter: HTML, text, raw headers."""
    raw = _raw(letter_id)
    message = mailbox.parsed(raw)
    unsubscribe = _LINK.search(str(message.get("List-Unsubscribe", "")))
    one_click = "One-Click" in str(message.get("List-Unsubscribe-Post", ""))
    return render(
        request,
        "sandbox_shop/letter.html",
        {
            "letter_id": letter_id,
            "message": message,
            "has_html": bool(mailbox.part(message, "html")),
            "text": mailbox.part(message, "plain"),
            "raw_headers": _raw_headers(raw),
            "size": len(raw),
            "one_click_url": unsubscribe.group(1) if unsubscribe and one_click else "",
            "shop_name": settings.OSCAR_SHOP_NAME,
        },
    )


def letter_html(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Give the HTML of one letter to the sandboxed frame."""
    html = mailbox.part(mailbox.parsed(_raw(letter_id)), "html").encode()
    # Links of the letter open in a tab of their own, as they do from a mail program.
    html, found = _HEAD.subn(rb'\g<0><base target="_blank">', html, count=1)
    if not found:
        html = b'<base target="_blank">' + html
    return HttpResponse(html, headers={"Content-Security-Policy": _LETTER_POLICY})


def _raw(letter_id: str) -> bytes:
    raw = mailbox.raw(settings.INBOX_DIR, letter_id)
    if raw is None:
        raise Http404("No letter of this id arrived.")
    return raw


def _raw_headers(raw: bytes) -> str:
    head, _, _ = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return head.decode("utf-8", "replace")
