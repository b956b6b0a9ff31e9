"""The flows that ship: what each does, and a button that makes it live or a draft."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from oscar_triggers.content import presets as shipped
from oscar_triggers.content.presets import Preset
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.models import Flow, Owner

from .. import presets
from ..forecast import forecast
from ..gallery import gallery
from ..models import FlowDraft, TemplateDraft
from .access import requires

SEEING = (
    "wagtail_triggers.add_flowdraft",
    "wagtail_triggers.change_flowdraft",
    "wagtail_triggers.view_flowdraft",
)
DRAFTING = ("wagtail_triggers.add_flowdraft", "wagtail_triggers.add_templatedraft")
SWITCHING_ON = (
    *DRAFTING,
    "wagtail_triggers.publish_flowdraft",
    "wagtail_triggers.publish_templatedraft",
)


def may_see_flows(user: Any) -> bool:
    """Say whether the page of ready flows lets somebody in."""
    return any(user.has_perm(name) for name in SEEING)


@require_GET
@requires(any_of=SEEING)
def ready(request: HttpRequest) -> HttpResponse:
    """Show every flow that ships, and where it stands in this shop."""
    user: Any = request.user
    list_url = reverse(FlowDraft.snippet_viewset.get_url_name("list"))
    return TemplateResponse(
        request,
        "wagtail_triggers/ready.html",
        {
            "page_title": pgettext("triggers", "Ready flows"),
            "header_title": pgettext("triggers", "Ready flows"),
            "header_icon": "triggers-flow",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {"url": list_url, "label": pgettext("triggers", "Flows")},
                {"url": "", "label": pgettext("triggers", "Ready flows")},
            ],
            "flows": [
                (one, _edit_url(one.draft) if one.draft is not None else "") for one in gallery()
            ],
            "may_open": user.has_perm("wagtail_triggers.change_flowdraft"),
            "may_draft": user.has_perms(DRAFTING),
            "may_switch_on": user.has_perms(SWITCHING_ON),
        },
    )


@require_POST
@requires(*DRAFTING)
def make_draft(request: HttpRequest, name: str) -> HttpResponse:
    """Make drafts of a flow that ships and of its letters; nothing is sent by that."""
    preset = _preset_or_404(name)
    if _is_in_file(request, preset):
        return redirect("wagtail_triggers:ready")
    was_there = FlowDraft.objects.filter(key=preset.definition.key).exists()
    *_letters, flow = _load(preset)
    said = (
        pgettext("triggers", "“%(flow)s” was in your shop already; it is as you left it.")
        if was_there
        else pgettext(
            "triggers", "“%(flow)s” is a draft, and so are its letters. Nothing is sent yet."
        )
    )
    messages.success(request, said % {"flow": flow.name})
    return redirect(_edit_url(flow))


@require_POST
@requires(*SWITCHING_ON)
def switch_on(request: HttpRequest, name: str) -> HttpResponse:
    """Publish a flow that ships with its letters; what refuses is said, and stays a draft."""
    preset = _preset_or_404(name)
    if _is_in_file(request, preset):
        return redirect("wagtail_triggers:ready")
    drafts = _load(preset)
    flow = drafts[-1]
    waiting = [draft for draft in drafts if not draft.live]
    # A lock is also how a workflow keeps a draft until somebody has looked at it.
    locked = [draft for draft in waiting if draft.get_lock() is not None]
    for draft in locked:
        messages.error(
            request,
            pgettext("triggers", "“%(name)s” is locked, or waits for approval: see to that first.")
            % {"name": draft},
        )
    if locked:
        return redirect(_edit_url(locked[0]))
    said = forecast(flow, timezone.now()).sentences
    for draft in waiting:
        try:
            presets.publish(draft, by=request.user)
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(request, f"{draft}: {problem}")
            return redirect(_edit_url(draft))
    messages.success(
        request,
        " ".join([pgettext("triggers", "“%(flow)s” is live.") % {"flow": flow.name}, *said]),
    )
    return redirect("wagtail_triggers:ready")


def _preset_or_404(name: str) -> Preset:
    preset = shipped.find(name)
    if preset is None:
        raise Http404
    return preset


def _is_in_file(request: HttpRequest, preset: Preset) -> bool:
    """Say, to the reader too, whether a file owns the flow."""
    owned = Flow.objects.filter(key=preset.definition.key, owner=Owner.FILE).exists()
    if owned:
        messages.error(
            request,
            pgettext(
                "triggers",
                "“%(flow)s” is published from its file. Under Flows, “Kept in files” takes it over.",
            )
            % {"flow": preset.definition.name},
        )
    return owned


def _load(preset: Preset) -> list[Any]:
    """Return the drafts of a preset, the flow last; letters that files own have none."""
    return [one.draft for one in presets.load([preset]) if one.draft is not None]


def _edit_url(draft: FlowDraft | TemplateDraft) -> str:
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[quote(draft.pk)])
