"""Letting a flow run: pausing, resuming, rehearsing, going live."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST
from wagtail.admin.utils import get_valid_next_url_from_request
from wagtail.log_actions import log

from oscar_triggers.engine import flows
from oscar_triggers.models import Flow

from ..models import FlowDraft
from ..permissions import PAUSE_FLOW
from .access import requires

Act = Callable[[str, datetime, Any], Flow]


def _view(act: Act, action: str, said: Any) -> Callable[[HttpRequest, str], HttpResponse]:
    """Return a view that does something with a flow, keeps it in the history, and goes back."""

    @require_POST
    @requires(PAUSE_FLOW)
    def view(request: HttpRequest, key: str) -> HttpResponse:
        flow = get_object_or_404(Flow, key=key)
        act(key, timezone.now(), request.user)
        draft = FlowDraft.objects.filter(key=key).first()
        if draft is not None:
            log(draft, f"wagtail_triggers.{action}", user=request.user)
        messages.success(request, said % {"flow": flow.name})
        return _back(request, draft)

    return view


pause = _view(
    flows.pause,
    "pause",
    pgettext_lazy(
        "triggers",
        "“%(flow)s” is paused: nobody enters, moves on or gets a message until you resume.",
    ),
)
resume = _view(
    flows.resume,
    "resume",
    pgettext_lazy("triggers", "“%(flow)s” goes on; messages that became too late are not sent."),
)
rehearse = _view(
    flows.shadow,
    "rehearse",
    pgettext_lazy(
        "triggers",
        "“%(flow)s” rehearses: its letters stand in the list of messages and go to nobody.",
    ),
)
go_live = _view(
    flows.go_live,
    "go_live",
    pgettext_lazy(
        "triggers",
        "“%(flow)s” sends from now on, to those who enter from now on. "
        "What was rehearsed is never sent.",
    ),
)


def _back(request: HttpRequest, draft: FlowDraft | None) -> HttpResponse:
    """Return to where the button stood."""
    wanted = get_valid_next_url_from_request(request)
    if wanted:
        return redirect(wanted)
    if draft is not None and request.user.has_perm("wagtail_triggers.change_flowdraft"):
        return redirect(reverse(draft.snippet_viewset.get_url_name("edit"), args=[quote(draft.pk)]))
    return redirect(FlowDraft.snippet_viewset.get_url_name("list"))
