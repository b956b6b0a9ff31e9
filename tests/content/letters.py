"""What tests of letters share: a small vocabulary, sample values and ways to read what came out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import CompiledLetter, LetterSource
from oscar_triggers.content.values import Money
from oscar_triggers.exceptions import TemplateError

KNOWN = frozenset(
    {
        "basket.count",
        "basket.lines[].image_url",
        "basket.lines[].line_price",
        "basket.lines[].quantity",
        "basket.lines[].title",
        "basket.lines[].url",
        "basket.total",
        "contact.first_name",
        "links.basket",
        "links.unsubscribe",
        "shop.color",
        "shop.name",
        "shop.postal_address",
        "shop.url",
        "voucher.expires",
    }
)


def euros(amount: str) -> Money:
    """Return an amount in euros."""
    return Money(amount=Decimal(amount), currency="EUR")


def values(**changes: Any) -> dict[str, Any]:
    """Return what a letter about a basket of two lines is filled with."""
    return {
        "contact": {"first_name": "Zoë"},
        "shop": {
            "name": "Kettle & Pine",
            "url": "https://shop.example",
            "postal_address": "12 Harbour Street, Whitby",
            "color": "#14532d",
        },
        "basket": {
            "count": 3,
            "total": euros("1234.50"),
            "lines": [
                {
                    "title": "Enamel mug <blue>",
                    "url": "https://shop.example/mug/",
                    "image_url": "https://shop.example/mug.jpg",
                    "quantity": 2,
                    "line_price": euros("25.00"),
                },
                {
                    "title": "Палатка",
                    "url": "https://shop.example/tent/",
                    "image_url": "",
                    "quantity": 1,
                    "line_price": euros("1209.50"),
                },
            ],
        },
        "links": {
            "basket": "https://shop.example/t/b/token/",
            "unsubscribe": "https://shop.example/t/u/id/",
        },
        "voucher": {"expires": datetime(2026, 12, 5, 22, 30, tzinfo=UTC)},
        **changes,
    }


def in_column(content: str) -> str:
    """Return MJML with this content in its one column."""
    return (
        f"<mjml><mj-body><mj-section><mj-column>{content}</mj-column></mj-section></mj-body></mjml>"
    )


def compiled(body: str, **fields: str) -> CompiledLetter:
    """Compile MJML with the small vocabulary."""
    source = LetterSource(**{"subject": "Hello", "body": body, **fields})
    return compile_letter(source, known=KNOWN)


def refusal(body: str, **fields: str) -> TemplateError:
    """Return the refusal of a letter; fails when it compiles."""
    try:
        compiled(body, **fields)
    except TemplateError as error:
        return error
    raise AssertionError("the letter was accepted")


def body_of(html: str) -> str:
    """Return what stands in <body>."""
    return html[html.index("<body") :]


def parsed(raw: bytes) -> EmailMessage:
    """Parse a message as a mail program would."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, subtype: str) -> str:
    """Return the text of one part with plain line ends."""
    found = message.get_body((subtype,))
    assert found is not None
    content: str = found.get_content()
    return content.replace("\r\n", "\n").rstrip("\n")
