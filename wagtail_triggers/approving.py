"""Approving a flow shows first what publishing would do; without a script, on a page between."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from wagtail.models import Task

from oscar_triggers.engine import moving

from .findings import findings_of
from .forecast import forecast
from .models import FlowDraft

#: In what is posted: whoever approves has read what publishing would do.
SEEN = "triggers-seen"
APPROVE = "approve"


def facts_of(draft: FlowDraft) -> dict[str, Any]:
    """Return what publishing a draft would do: to people on their way, and who would enter."""
    found = findings_of(draft)
    return {
        "forecast": forecast(draft, timezone.now()),
        "errors": [row for row in found if row.is_error],
        "advice": [row for row in found if not row.is_error],
        "choices": list(moving.CHOICES.items()),
        "people": draft.people,
        "people_label": moving.CHOICES.get(draft.people, ""),
        "rehearse": draft.rehearse,
    }


def publishes(task_state: Any, action: str) -> bool:
    """Say whether an act of a workflow is the one after which the draft is published."""
    if action != APPROVE:
        return False
    state = task_state.workflow_state
    others = (
        Task.objects.filter(workflow_tasks__workflow=state.workflow, active=True)
        .exclude(task_states__in=state.successful_task_states)
        .exclude(pk=task_state.task_id)
    )
    return not others.exists()


def page_between(
    request: HttpRequest, draft: FlowDraft, task_state: Any, *, comment: str, leads_to: str
) -> TemplateResponse | None:
    """Return the page that asks once more; None where it was read, or nothing can be published."""
    if request.POST.get(SEEN):
        return None
    facts = facts_of(draft)
    if facts["errors"]:
        return None  # The engine refuses it, and says why.
    title = pgettext("triggers", "Approve and publish “%(flow)s”?") % {"flow": draft.name}
    edit_url = reverse(draft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
    return TemplateResponse(
        request,
        "wagtail_triggers/approve.html",
        {
            **facts,
            "page_title": title,
            "header_title": title,
            "header_icon": "triggers-flow",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {"url": edit_url, "label": draft.name},
                {"url": "", "label": pgettext("triggers", "Approve")},
            ],
            "submit_url": reverse(
                draft.snippet_viewset.get_url_name("workflow_action"),
                args=[draft.pk, APPROVE, task_state.pk],
            ),
            "next": leads_to,
            "comment": comment,
            "back_url": edit_url,
            "seen": SEEN,
        },
    )


def comment_of(request: HttpRequest) -> str:
    """Return the comment that was written in the editor before approving."""
    try:
        written = json.loads(request.POST.get("workflow-action-extra-data") or "{}")
    except ValueError:
        return ""
    return str(written.get("comment", "")) if isinstance(written, dict) else ""
