"""Choices that are read when a form is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.conf import settings

from oscar_triggers.channels import name_of, takes_text
from oscar_triggers.models import Flow, FlowState, Owner, Template


def template_choices() -> list[tuple[str, str]]:
    """Return every template by key, published ones and drafts, named as in the shop's language.

    A text is named with the channel that it is written for.
    """
    return _named(*_templates())


def letter_choices() -> list[tuple[str, str]]:
    """Return the templates that are e-mail letters."""
    names, written_for = _templates()
    letters = {key: name for key, name in names.items() if not takes_text(written_for[key])}
    return _by_name(letters, ())


def texts_by_key() -> dict[str, str]:
    """Return the channels of those templates that are texts."""
    return _texts(_templates()[1])


def templates_and_texts() -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return both: what there is to choose, and the channels of the texts among it."""
    names, written_for = _templates()
    return _named(names, written_for), _texts(written_for)


def _named(names: Mapping[str, str], written_for: Mapping[str, str]) -> list[tuple[str, str]]:
    found = {
        key: f"{name} ({name_of(written_for[key])})" if takes_text(written_for[key]) else name
        for key, name in names.items()
    }
    return _by_name(found, ())


def _texts(written_for: Mapping[str, str]) -> dict[str, str]:
    return {key: channel for key, channel in written_for.items() if takes_text(channel)}


def _templates() -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of all templates, and their channels."""
    draft_model = apps.get_model("wagtail_triggers", "TemplateDraft")
    drafts = list(
        draft_model.objects.order_by("name").values_list("key", "name", "language", "channel")
    )
    names = _preferred((key, name, language) for key, name, language, _channel in drafts)
    written_for = {key: channel for key, _name, _language, channel in drafts}
    for key, name, channel in Template.objects.values_list("key", "name", "channel"):
        names.setdefault(key, name)
        written_for[key] = channel
    return names, written_for


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
