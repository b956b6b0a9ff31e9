"""What tests of letters made of blocks share."""

from __future__ import annotations

from typing import Any

from wagtail_triggers.models import TemplateDraft


def block(kind: str, **value: Any) -> dict[str, Any]:
    """Return a block as it is stored."""
    return {"type": kind, "value": value}


#: A letter that somebody might write on the first day.
BLOCKS = [
    block("heading", text='Hello {{ contact.first_name|default:"there" }}', size="h1"),
    block(
        "text",
        text=(
            '<p>Hi <a linktype="merge" data-merge="contact.first_name" data-default="you">'
            "First name</a>, your basket is still here.</p>"
        ),
        size="usual",
    ),
    block("button", text="Back to the basket", link={"to": "basket"}),
    block("divider"),
]


def make_letter(blocks: list[dict[str, Any]] = BLOCKS, **fields: Any) -> TemplateDraft:
    """Save a draft made of blocks, not live."""
    draft = TemplateDraft(
        **{
            "key": "letter-1",
            "language": "en",
            "name": "First letter",
            "subject": "Your basket is waiting",
            "live": False,
            **fields,
        }
    )
    draft.blocks = TemplateDraft._meta.get_field("blocks").to_python(as_json(blocks))
    draft.save()
    draft.save_revision()
    return TemplateDraft.objects.get(pk=draft.pk)


def as_json(blocks: list[dict[str, Any]]) -> str:
    """Return blocks as the column holds them."""
    import json

    return json.dumps(blocks)
