"""Sending: the button that stops everything, what stands still by itself, and letting it go on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from oscar_triggers.engine import alarms, blast, flows, installation, resolving
from oscar_triggers.models import (
    INSTALLATION_ID,
    Breaker,
    DispatchState,
    Flow,
    FlowState,
    Installation,
    Suppression,
)

from .. import halts
from ..contacts import history
from ..contacts.ledger import channel_name
from ..forms.contacts import ReasonForm
from ..halts import SEEING_SENDING
from ..models import FlowDraft
from ..permissions import PAUSE_FLOW, RESOLVE_MESSAGE, STOP_SENDING, VIEW_CONTACTS
from .access import requires


@require_GET
@requires(any_of=SEEING_SENDING)
def sending(request: HttpRequest) -> HttpResponse:
    """Show whether messages leave, and what keeps them."""
    now = timezone.now()
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    open_alarms = alarms.open_alarms()
    unknown, dead = (
        resolving.open_dispatches([state]).count()
        for state in (DispatchState.UNKNOWN, DispatchState.DEAD)
    )
    title = pgettext("triggers", "Sending")
    return TemplateResponse(
        request,
        "wagtail_triggers/sending.html",
        {
            **frame(title),
            "halt": halts.current(),
            "stopped": row is not None and row.stopped_at is not None,
            "differences": installation.differences(),
            "due": resolving.count_due(now),
            "breakers": [(channel_name(one.name), one) for one in Breaker.objects.order_by("name")],
            "paused": _paused_by_guard(open_alarms),
            "alarms": [one for one in open_alarms if not one.key.startswith(blast.alarm_key(""))],
            "unknown": unknown,
            "dead": dead,
            "blocked": Suppression.objects.count(),
            "form": ReasonForm(),
            "may_stop": request.user.has_perm(STOP_SENDING),
            "may_release": request.user.has_perm(PAUSE_FLOW),
            "may_resolve": request.user.has_perm(RESOLVE_MESSAGE),
            "may_see_people": request.user.has_perm(VIEW_CONTACTS),
            "history": history.of(row) if row is not None else [],
        },
    )


def _paused_by_guard(open_alarms: list[Any]) -> list[tuple[Flow, Any]]:
    told = {one.key: one for one in open_alarms}
    paused = Flow.objects.filter(state=FlowState.PAUSED).order_by("name", "pk")
    return [
        (flow, told[blast.alarm_key(flow.key)])
        for flow in paused
        if blast.alarm_key(flow.key) in told
    ]


@require_POST
@requires(STOP_SENDING)
def stop(request: HttpRequest) -> HttpResponse:
    """Stop all sending before the next hand-over."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _no_reason())
        return redirect("wagtail_triggers:sending")
    reason = form.cleaned_data["reason"]
    now = timezone.now()
    if installation.stop(now, by=request.user, reason=reason):
        history.write(installation.ensure(now), "stop_sending", request.user, reason=reason)
        messages.success(request, pgettext("triggers", "Nothing leaves any more."))
    else:
        messages.error(request, pgettext("triggers", "Sending was stopped already."))
    return redirect("wagtail_triggers:sending")


@require_POST
@requires(STOP_SENDING)
def resume(request: HttpRequest) -> HttpResponse:
    """Let sending go on; what became too late meanwhile is not sent."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _no_reason())
        return redirect("wagtail_triggers:sending")
    now = timezone.now()
    due = resolving.count_due(now)
    if installation.resume(now):
        reason = form.cleaned_data["reason"]
        history.write(installation.ensure(now), "resume_sending", request.user, reason=reason)
        text = pgettext(
            "triggers",
            "Sending goes on. Due now: %(in_time)s, of which the rules may still hold some back. "
            "Too late and not sent: %(too_late)s.",
        )
        messages.success(request, text % vars(due))
    else:
        messages.error(request, pgettext("triggers", "Sending was not stopped."))
    return redirect("wagtail_triggers:sending")


@require_POST
@requires(PAUSE_FLOW)
def release(request: HttpRequest, key: str) -> HttpResponse:
    """Let a flow go on that the guard against floods paused."""
    flow = get_object_or_404(Flow, key=key)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _no_reason())
        return redirect("wagtail_triggers:sending")
    flows.resume(key, timezone.now(), request.user)
    thing = FlowDraft.objects.filter(key=key).first() or flow
    history.write(thing, "release_flow", request.user, reason=form.cleaned_data["reason"])
    text = pgettext("triggers", "“%(flow)s” goes on, and is not paused by the guard again.")
    messages.success(request, text % {"flow": flow.name})
    return redirect("wagtail_triggers:sending")


def _no_reason() -> str:
    return pgettext("triggers", "Nothing was done: write a reason, of at most 200 letters.")


def frame(title: str, *, below: bool = False) -> dict[str, Any]:
    """Return what the head of a page about sending shows."""
    above = (
        [{"url": reverse("wagtail_triggers:sending"), "label": pgettext("triggers", "Sending")}]
        if below
        else []
    )
    return {
        "page_title": title,
        "header_title": title,
        "header_icon": "mail",
        "breadcrumbs_items": [
            {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
            *above,
            {"url": "", "label": title},
        ],
    }
