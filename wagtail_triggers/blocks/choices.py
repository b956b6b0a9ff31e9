"""Choices that are read when a form is shown."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings

from oscar_triggers.models import Template


def template_choices() -> list[tuple[str, str]]:
    """Return every template by key, published ones and drafts, named as in the shop's language."""
    draft_model = apps.get_model("wagtail_triggers", "TemplateDraft")
    found: dict[str, str] = {}
    drafts = draft_model.objects.order_by("name").values_list("key", "name", "language")
    for key, name, language in drafts:
        if key not in found or language == settings.LANGUAGE_CODE:
            found[key] = name
    for key, name in Template.objects.order_by("name").values_list("key", "name"):
        found.setdefault(key, name)
    names = list(found.values())
    return [
        (key, name if names.count(name) == 1 else f"{name} ({key})")
        for key, name in sorted(found.items(), key=lambda item: item[1].lower())
    ]
