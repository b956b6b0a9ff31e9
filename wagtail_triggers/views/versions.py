"""One older version of a flow: what differs from the live one, and making it live again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods
from wagtail.log_actions import log

from oscar_triggers.engine import flows, moving
from oscar_triggers.engine.flows import NoSuchFlow, NoSuchVersion
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.models import Flow

from ..differences import differences
from ..models import FlowDraft
from ..versions import definition_of, roll_back
from .access import requires

CHANGE = "wagtail_triggers.change_flowdraft"
PUBLISH = "wagtail_triggers.publish_flowdraft"


@require_http_methods(["GET", "POST"])
@requires(CHANGE)
def version(request: HttpRequest, pk: str, number: int) -> HttpResponse:
    """Show what differs between the live version and an older one; a POST makes that one live."""
    draft = get_object_or_404(FlowDraft, pk=pk)
    user: Any = request.user
    may_publish = user.has_perm(PUBLISH)
    if request.method == "POST":
        if not may_publish:
            raise PermissionDenied
        return _put_live(request, draft, number)
    try:
        older, live = definition_of(draft.key, number), definition_of(draft.key)
    except (NoSuchFlow, NoSuchVersion) as error:
        raise Http404(str(error)) from error
    flow = Flow.objects.select_related("live_version").get(key=draft.key)
    standing = flows.migration_preview(flow.live_version or live, older, timezone.now())
    title = pgettext("triggers", "Version %(number)d") % {"number": number}
    return TemplateResponse(
        request,
        "wagtail_triggers/desk/version.html",
        {
            "page_title": title,
            "header_title": title,
            "header_icon": "history",
            "breadcrumbs_items": [
                {"url": reverse(draft.snippet_viewset.get_url_name("list")),
                 "label": pgettext("triggers", "Flows")},
                {"url": _edit_url(draft), "label": draft.name},
                {"url": "", "label": title},
            ],
            "draft": draft,
            "number": number,
            "live_number": flow.live_version.number if flow.live_version else None,
            "changes": differences(live, older),
            "people": standing.total,
            "choices": list(moving.CHOICES.items()),
            "may_publish": may_publish and draft.get_lock() is None,
            "has_changes": draft.has_unpublished_changes,
        },
    )  # fmt: skip


def _put_live(request: HttpRequest, draft: FlowDraft, number: int) -> HttpResponse:
    lock = draft.get_lock()
    if lock is not None and lock.for_user(request.user):
        messages.error(request, lock.get_message(request.user))
        return redirect(_edit_url(draft))
    people = request.POST.get("people", moving.KEEP)
    try:
        roll_back(
            draft,
            number,
            people=people if people in moving.CHOICES else moving.KEEP,
            by=request.user,
            now=timezone.now(),
        )
    except (NoSuchFlow, NoSuchVersion) as error:
        raise Http404(str(error)) from error
    except ProblemsError as error:
        for problem in error.problems:
            messages.error(request, str(problem))
        return redirect(request.path)
    log(draft, "wagtail_triggers.roll_back", user=request.user, data={"version": number})
    messages.success(
        request,
        pgettext("triggers", "Version %(number)d of “%(flow)s” is live again.")
        % {"number": number, "flow": draft.name},
    )
    return redirect(_edit_url(draft))


def _edit_url(draft: FlowDraft) -> str:
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[quote(draft.pk)])
