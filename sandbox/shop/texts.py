"""A text for the screens at the counter, as an editor would have written it."""

from __future__ import annotations

from typing import Any

_KEY = "gift-card-at-the-counter"
_WORDS = (
    'Hello {{ contact.first_name|default:"there" }}, your gift card {{ gift_card.code }} ends on '
    "{{ gift_card.expires_on }}: {{ shop.url }}/catalogue/"
)


def write() -> Any:
    """Publish the text once; return the draft, or None where it is there already."""
    from wagtail_triggers.models import TemplateDraft

    if TemplateDraft.objects.filter(key=_KEY).exists():
        return None
    draft = TemplateDraft(
        key=_KEY,
        name="Gift card, at the counter",
        language="en",
        channel="counter_screen",
        text=_WORDS,
        live=False,
    )
    draft.save()
    draft.publish(draft.save_revision())
    return draft
