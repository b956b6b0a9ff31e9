"""Taking flows and templates over from files: from then on they are written in the editor."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import templates
from oscar_triggers.models import Flow, FlowState, Owner, Template, TemplateVersion

from .compiler import from_definition
from .models import FlowDraft, TemplateDraft


def flows_in_files() -> list[Flow]:
    """Return the flows that files own, by name."""
    return list(Flow.objects.filter(owner=Owner.FILE).order_by("name", "pk"))


def templates_in_files() -> list[Template]:
    """Return the templates that files own, by name."""
    return list(Template.objects.filter(owner=Owner.FILE).order_by("name", "pk"))


def take_over_flow(key: str, *, by: Any) -> FlowDraft:
    """Make the editor own a flow, with its live text as the published draft.

    Raises Flow.DoesNotExist for a key that no file owns.
    """
    with transaction.atomic():
        flow = Flow.objects.select_for_update().get(key=key, owner=Owner.FILE)
        Flow.objects.filter(pk=flow.pk).update(owner=Owner.EDITOR)
        draft = FlowDraft.objects.filter(key=key).first() or FlowDraft(key=key)
        if flow.live_version is not None:
            definition = FlowDefinition.from_dict(flow.live_version.definition)
            for name, value in from_definition(definition).items():
                setattr(draft, name, value)
        draft.name = flow.name
        # Publishing starts a flow that was switched off; taking it over must not.
        _save(draft, by, publish=flow.state != FlowState.ARCHIVED)
    return draft


def take_over_template(key: str, *, by: Any) -> list[TemplateDraft]:
    """Make the editor own a template in all its languages; raises Template.DoesNotExist."""
    drafts = []
    with transaction.atomic():
        template = Template.objects.select_for_update().get(key=key, owner=Owner.FILE)
        Template.objects.filter(pk=template.pk).update(owner=Owner.EDITOR)
        for language in templates.languages(key):
            version = templates.live(key, language)
            draft = TemplateDraft.objects.filter(
                key=key, language=language
            ).first() or TemplateDraft(key=key, language=language)
            draft.name = template.name
            draft.channel = template.channel
            _fill(draft, version)
            _save(draft, by, publish=True)
            drafts.append(draft)
    return drafts


def _fill(draft: TemplateDraft, version: TemplateVersion) -> None:
    for name in ("subject", "preheader", "body", "text"):
        setattr(draft, name, version.source.get(name, ""))


def _save(draft: FlowDraft | TemplateDraft, by: Any, *, publish: bool) -> None:
    """Save a draft, as live where asked; publishing an unchanged text makes no new version."""
    if draft._state.adding:
        draft.live = False
        draft.save()
    revision = draft.save_revision(user=by, log_action=True)
    if publish:
        draft.publish(revision, user=by, skip_permission_checks=True)
