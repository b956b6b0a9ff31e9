"""What must not be deleted or taken offline while something runs on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import pgettext

from oscar_triggers.models import Flow, FlowState

from .models import FlowDraft, TemplateDraft
from .usage import running_template_uses


def refuse_deleting(request: HttpRequest, instances: Iterable[Any]) -> HttpResponse | None:
    """Send back who deletes a running flow, or a template that one sends."""
    reasons = [reason for draft in instances for reason in _deleting(draft)]
    return _sent_back(request, reasons, list(instances)) if reasons else None


def refuse_unpublishing(request: HttpRequest, instance: Any) -> HttpResponse | None:
    """Send back who takes a template offline that a running flow sends."""
    if request.method != "POST" or not isinstance(instance, TemplateDraft):
        return None
    reasons = _used(instance)
    return _sent_back(request, reasons, [instance]) if reasons else None


def refuse_bulk_deleting(
    request: HttpRequest, action_type: str, objects: Iterable[Any], action: Any
) -> HttpResponse | None:
    """Send back who deletes several at once of which one is needed."""
    return refuse_deleting(request, list(objects)) if action_type == "delete" else None


def _deleting(draft: Any) -> list[str]:
    if isinstance(draft, TemplateDraft):
        return _used(draft)
    if isinstance(draft, FlowDraft) and (
        Flow.objects.filter(key=draft.key).exclude(state=FlowState.ARCHIVED).exists()
    ):
        return [
            pgettext(
                "triggers",
                "“%(flow)s” is running. Unpublish it first; that lets everybody on it out.",
            )
            % {"flow": draft.name}
        ]
    return []


def _used(draft: TemplateDraft) -> list[str]:
    if not draft.live:
        return []
    flows = running_template_uses().get(draft.key, [])
    if not flows:
        return []
    return [
        pgettext(
            "triggers",
            "“%(template)s” is sent by %(flows)s. Choose another template there and publish, "
            "or unpublish the flow first.",
        )
        % {"template": draft, "flows": ", ".join(f"“{name}”" for name in flows)}
    ]


def _sent_back(request: HttpRequest, reasons: list[str], drafts: list[Any]) -> HttpResponse:
    for reason in reasons:
        messages.error(request, reason)
    viewset = drafts[0].snippet_viewset
    if len(drafts) == 1:
        return redirect(reverse(viewset.get_url_name("edit"), args=[quote(drafts[0].pk)]))
    return redirect(viewset.get_url_name("list"))
