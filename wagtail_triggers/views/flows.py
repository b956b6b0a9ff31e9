"""Taking flows over from files; what publishing one would do."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST
from wagtail.log_actions import log

from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.models import Flow, Owner

from ..forecast import forecast
from ..models import FlowDraft
from ..ownership import flows_in_files, take_over_flow, templates_in_files
from ..permissions import TAKE_OVER_FLOW
from ..unsaved import NotAForm, posted_draft
from .access import requires

CHANGE = "wagtail_triggers.change_flowdraft"
ADD = "wagtail_triggers.add_flowdraft"
VIEW = "wagtail_triggers.view_flowdraft"


@require_POST
@requires(TAKE_OVER_FLOW)
def take_over(request: HttpRequest, key: str) -> HttpResponse:
    """Make the editor own a flow that a file owned."""
    get_object_or_404(Flow, key=key, owner=Owner.FILE)
    try:
        draft = take_over_flow(key, by=request.user)
    except ProblemsError as error:
        messages.error(request, str(error))
        return redirect("wagtail_triggers:files")
    log(draft, "wagtail_triggers.take_over", user=request.user)
    messages.success(
        request,
        pgettext(
            "triggers", "“%(flow)s” is written here from now on; its file is not read any more."
        )
        % {"flow": draft.name},
    )
    return redirect(_edit_url(draft))


@require_GET
@requires(any_of=(ADD, CHANGE, VIEW))
def files(request: HttpRequest) -> HttpResponse:
    """List the flows and templates that files own."""
    return TemplateResponse(
        request,
        "wagtail_triggers/files.html",
        {
            "page_title": pgettext("triggers", "Kept in files"),
            "header_title": pgettext("triggers", "Kept in files"),
            "header_icon": "doc-full-inverse",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {
                    "url": reverse(FlowDraft.snippet_viewset.get_url_name("list")),
                    "label": pgettext("triggers", "Flows"),
                },
                {"url": "", "label": pgettext("triggers", "Kept in files")},
            ],
            "flows": flows_in_files(),
            "templates": templates_in_files(),
            "may_take_flows": request.user.has_perm(TAKE_OVER_FLOW),
            "may_take_templates": request.user.has_perm("wagtail_triggers.take_over_templatedraft"),
        },
    )


@require_POST
@requires(any_of=(ADD, CHANGE))
def show_forecast(request: HttpRequest, pk: str = "") -> HttpResponse:
    """Say what publishing the form as it stands on the screen would do; saves nothing."""
    try:
        draft = posted_draft(request, pk)
    except NotAForm:
        return HttpResponseBadRequest()
    return TemplateResponse(
        request,
        "wagtail_triggers/forecast.html",
        {"forecast": forecast(draft, timezone.now())},
    )


def _edit_url(draft: FlowDraft) -> str:
    return reverse(draft.snippet_viewset.get_url_name("edit"), args=[quote(draft.pk)])
