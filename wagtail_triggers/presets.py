"""Flows and letters that ship, as drafts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from oscar_triggers.content.files import read_letter_file
from oscar_triggers.content.presets import Preset
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.models import Flow, Owner, Template

from .compiler import from_definition
from .models import FlowDraft, TemplateDraft


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of one file."""

    name: str
    draft: FlowDraft | TemplateDraft | None = None
    #: Why nothing was loaded.
    kept: str = ""


def load(wanted: Iterable[Preset]) -> Iterator[Loaded]:
    """Make drafts of the letters of each preset, then of its flow; what exists already is kept.

    Raises ProblemsError for a file that cannot be read.
    """
    for preset in wanted:
        for path in preset.letters:
            yield _load_letter(path)
        yield _load_flow(preset.path.name, preset.definition)


def publish(draft: FlowDraft | TemplateDraft, by: Any = None) -> None:
    """Publish a draft's latest text; raises ProblemsError."""
    revision = draft.get_latest_revision()
    draft.publish(revision, user=by, skip_permission_checks=True)


def _load_letter(path: Path) -> Loaded:
    key, _dot, language = path.stem.rpartition(".")
    if Template.objects.filter(key=key, owner=Owner.FILE).exists():
        return Loaded(name=path.name, kept="is published from its file")
    present = TemplateDraft.objects.filter(key=key, language=language).first()
    if present is not None:
        return Loaded(name=path.name, draft=present, kept="is a draft already")
    letter = read_letter_file(path.read_text(encoding="utf-8"), language)
    source = letter.source
    draft = TemplateDraft(
        key=key,
        language=language,
        name=letter.name,
        channel=letter.channel,
        subject=source.subject,
        preheader=source.preheader,
        # The file's reader keeps line numbers by empty lines in front.
        body=source.body.lstrip("\n"),
        text=source.text,
        live=False,
    )
    return Loaded(name=path.name, draft=_saved(draft))


def _load_flow(name: str, definition: FlowDefinition) -> Loaded:
    if Flow.objects.filter(key=definition.key, owner=Owner.FILE).exists():
        return Loaded(name=name, kept="is published from its file")
    present = FlowDraft.objects.filter(key=definition.key).first()
    if present is not None:
        return Loaded(name=name, draft=present, kept="is a draft already")
    draft = FlowDraft(live=False, **from_definition(definition))
    return Loaded(name=name, draft=_saved(draft))


def _saved(draft: Any) -> Any:
    with transaction.atomic():
        draft.save()
        draft.save_revision(log_action=True)
    return draft
