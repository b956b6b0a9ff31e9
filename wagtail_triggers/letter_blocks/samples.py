"""A short letter with one of everything that a brand decides."""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext

from .streams import letter_stream


def sample_stream() -> Any:
    """Return blocks in the language that is active."""
    raw = [
        {
            "type": "heading",
            "value": {"text": pgettext("triggers", "Good to see you"), "size": "h1"},
        },
        {
            "type": "text",
            "value": {
                "text": "<p>"
                + pgettext("triggers", "So does a letter of your shop look, with links and prices.")
                + "</p>"
            },
        },
        {"type": "basket_lines", "value": {"total": pgettext("triggers", "Total")}},
        {
            "type": "button",
            "value": {"text": pgettext("triggers", "Back to the basket"), "link": {"to": "basket"}},
        },
        {"type": "voucher", "value": {"title": pgettext("triggers", "A present for you")}},
    ]
    return letter_stream().to_python(raw)
