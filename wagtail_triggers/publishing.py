"""Hands published drafts to the engine and takes unpublished flows out of it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.engine import flows, templates
from oscar_triggers.models import Flow, FlowState, FlowVersion, Owner, TemplateVersion

from .brands import brand
from .compiler import Draft, to_definition
from .letter_blocks.composing import Composed, compose
from .texts import is_text

logger = logging.getLogger("wagtail_triggers")

#: How Wagtail names publishing by `publish_scheduled`, where nobody waits for an answer.
SCHEDULED = "wagtail.publish.scheduled"


def publish_flow(draft: Draft, *, by: Any = None, now: datetime | None = None) -> FlowVersion:
    """Publish a draft as a flow version; raises DefinitionError."""
    return flows.publish(
        to_definition(draft),
        owner=Owner.EDITOR,
        by=by,
        now=now or timezone.now(),
        people=draft.people,
        # What sends already is not silenced by a new text.
        shadow=draft.rehearse and not _is_running(draft.key),
    )


def _is_running(key: str) -> bool:
    return Flow.objects.filter(key=key).exclude(state=FlowState.ARCHIVED).exists()


def archive_flow(key: str, *, by: Any = None, now: datetime | None = None) -> None:
    """Switch a flow off, if it was ever published."""
    if Flow.objects.filter(key=key).exclude(state=FlowState.ARCHIVED).exists():
        flows.archive(key, now or timezone.now(), by)


def composed(draft: Any) -> Composed:
    """Return a draft's MJML: what its blocks make, or what its author wrote."""
    if draft.blocks:
        return compose(draft.blocks, language=draft.language, brand=brand())
    return Composed(body=draft.body)


def letter_source(draft: Any) -> LetterSource:
    """Return a template draft as the source of a letter."""
    return source_of(draft, composed(draft))


def source_of(draft: Any, made: Composed) -> LetterSource:
    """Return a template draft as the source of a letter whose MJML is made already."""
    if is_text(draft):
        return LetterSource(subject="", body="", text=draft.text, language=draft.language)
    return LetterSource(
        subject=draft.subject,
        preheader=draft.preheader,
        body=made.body,
        text=draft.text,
        language=draft.language,
    )


def publish_template(draft: Any, *, by: Any = None, now: datetime | None = None) -> TemplateVersion:
    """Compile and publish a template draft; raises TemplateError.

    All languages of a letter are one template, which is called what the shop's language calls it.
    """
    names = dict(type(draft)._default_manager.filter(key=draft.key).values_list("language", "name"))
    return templates.publish(
        draft.key,
        names.get(settings.LANGUAGE_CODE, draft.name),
        letter_source(draft),
        owner=Owner.EDITOR,
        by=by,
        now=now or timezone.now(),
        channel=draft.channel,
    )


def language_choices() -> list[tuple[str, Any]]:
    """Return the languages that letters can be written in."""
    return list(settings.LANGUAGES)
