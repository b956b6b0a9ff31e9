"""Pages of the inbox: what arrived by SMTP."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def inbox(request: HttpRequest) -> HttpResponse:
    """List the letters that arrived, newest first."""
    return HttpResponse("")


def letter(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Show one letter."""
    return HttpResponse("")


def letter_html(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Give the HTML of one letter to the sandboxed frame."""
    return HttpResponse("")
