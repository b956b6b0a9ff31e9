"""Choices that are read when a form is shown."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings

from oscar_triggers.models import Flow, FlowState, Owner, Template


def template_choices() -> list[tuple[str, str]]:
    """Return every template by key, published ones and drafts, named as in the shop's language."""
    draft_model = apps.get_model("wagtail_triggers", "TemplateDraft")
    drafts = draft_model.objects.order_by("name").values_list("key", "name", "language")
    published = Template.objects.order_by("name").values_list("key", "name")
    return _by_name(_preferred(drafts), published)


def flow_choices() -> list[tuple[str, str]]:
    """Return every flow by key but those switched off: drafts too, which may be published yet."""
    draft_model = apps.get_model("wagtail_triggers", "FlowDraft")
    off = set(Flow.objects.filter(state=FlowState.ARCHIVED).values_list("key", flat=True))
    drafts = draft_model.objects.exclude(key="").values_list("key", "name")
    running = Flow.objects.exclude(owner=Owner.LETTER).values_list("key", "name")
    return [(key, name) for key, name in _by_name(dict(drafts), running) if key not in off]


def _preferred(drafts: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, name, language in drafts:
        if key not in found or language == settings.LANGUAGE_CODE:
            found[key] = name
    return found


def _by_name(found: dict[str, str], others: Any) -> list[tuple[str, str]]:
    """Return keys with their names, sorted by name; the same name twice shows its key."""
    for key, name in others:
        found.setdefault(key, name)
    names = list(found.values())
    return [
        (key, name if names.count(name) == 1 else f"{name} ({key})")
        for key, name in sorted(found.items(), key=lambda item: item[1].lower())
    ]
