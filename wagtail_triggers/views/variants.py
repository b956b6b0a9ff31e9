"""Comparing the variants of a split, and the picture of one letter among them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from oscar_triggers.exceptions import InvalidOptions, UnknownKind
from oscar_triggers.models import FlowState

from ..compiler import to_definition
from ..models import FlowDraft
from ..previews import LIGHT, SANDBOX_POLICY, preview_letter
from ..publishing import language_choices
from ..states import with_engine_state
from ..variants import drafts_of, shop_language, split_of, variants_of
from .access import requires

VIEW_FLOWS = "wagtail_triggers.view_flowdraft"
VIEW_TEMPLATES = "wagtail_triggers.view_templatedraft"
CHANGE_FLOWS = "wagtail_triggers.change_flowdraft"


@require_GET
@requires(VIEW_FLOWS, VIEW_TEMPLATES)
def variants(request: HttpRequest, pk: str, key: str) -> HttpResponse:
    """Show the variants of a split as they were saved last, beside each other."""
    row = get_object_or_404(
        with_engine_state(FlowDraft.objects.select_related("latest_revision")), pk=pk
    )
    draft: FlowDraft = row.get_latest_revision_as_object()
    viewset = draft.snippet_viewset
    edit_url = reverse(viewset.get_url_name("edit"), args=[quote(draft.pk)])
    list_url = reverse(viewset.get_url_name("list"))
    may_change = request.user.has_perm(CHANGE_FLOWS)
    try:
        split = split_of(to_definition(draft), key)
    except (UnknownKind, InvalidOptions):
        split = None
    if split is None or not any(split.options.get("weights", {}).values()):
        messages.error(
            request,
            pgettext(
                "triggers",
                "There is no such split in “%(flow)s” as it was saved last. Save the flow, then "
                "compare again.",
            )
            % {"flow": draft.name},
        )
        return redirect(edit_url if may_change else list_url)
    title = pgettext("triggers", "Compare variants")
    language = _language(request)
    return TemplateResponse(
        request,
        "wagtail_triggers/variants.html",
        {
            "page_title": title,
            "header_title": title,
            "header_icon": "resubmit",
            "breadcrumbs_items": [
                {"url": list_url, "label": pgettext("triggers", "Flows")},
                {"url": edit_url if may_change else "", "label": draft.name},
                {"url": "", "label": title},
            ],
            "variants": variants_of(
                split,
                draft.key,
                language,
                timezone.now(),
                is_live=row.engine_state not in ("", FlowState.ARCHIVED),
            ),
            "language": language,
            "languages": language_choices(),
        },
    )


@require_GET
@requires(VIEW_TEMPLATES)
@xframe_options_sameorigin
def letter_picture(request: HttpRequest, key: str) -> HttpResponse:
    """Return a letter filled with samples, where it can run nothing."""
    draft = drafts_of({key}, _language(request)).get(key)
    if draft is None:
        raise Http404
    response = preview_letter(request, draft, LIGHT)
    response["Content-Security-Policy"] = SANDBOX_POLICY
    response["Cache-Control"] = "private, no-store"
    return response


def _language(request: HttpRequest) -> str:
    asked = request.GET.get("language", "")
    return asked if asked in dict(language_choices()) else shop_language()
