"""The list of messages in doubt and of those that failed for good, decided about one or many."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import npgettext, pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from oscar_triggers.engine import resolving
from oscar_triggers.engine.resolving import Answer
from oscar_triggers.models import DispatchState, Flow

from ..contacts.ledger import channel_name
from ..permissions import RESOLVE_MESSAGE, VIEW_MESSAGES
from ..wording import reason_in_words
from .access import requires
from .doubts import REFUSED, VERBS
from .sending import frame

PAGE = 50
_STATES = [
    (DispatchState.UNKNOWN.value, pgettext_lazy("triggers", "nobody can tell whether it arrived")),
    (DispatchState.DEAD.value, pgettext_lazy("triggers", "failed for good")),
]


class DoubtsForm(forms.Form):
    """Narrows the list."""

    state = forms.ChoiceField(
        label=pgettext_lazy("triggers", "State"),
        choices=[("", pgettext_lazy("triggers", "All")), *_STATES],
        required=False,
    )
    flow = forms.ModelChoiceField(
        label=pgettext_lazy("triggers", "Flow"),
        queryset=Flow.objects.order_by("name", "pk"),
        to_field_name="key",
        empty_label=pgettext_lazy("triggers", "All"),
        required=False,
    )


@require_GET
@requires(VIEW_MESSAGES, RESOLVE_MESSAGE)
def doubts(request: HttpRequest) -> HttpResponse:
    """Show what waits for somebody's decision, the oldest first."""
    form = DoubtsForm(request.GET or None)
    chosen: dict[str, Any] = form.cleaned_data if form.is_bound and form.is_valid() else {}
    states = [chosen["state"]] if chosen.get("state") else resolving.OPEN
    flow = chosen.get("flow")
    rows = resolving.open_dispatches(states, flow_key=flow.key if flow else "")
    page = Paginator(rows.select_related("message__flow", "message__template"), PAGE).get_page(
        request.GET.get("p")
    )
    now = timezone.now()
    return TemplateResponse(
        request,
        "wagtail_triggers/doubts.html",
        {
            **frame(pgettext("triggers", "In doubt and failed"), below=True),
            "form": form,
            "page": page,
            "filtered": bool(chosen.get("state") or flow),
            "query": urlencode(
                {"state": chosen.get("state") or "", "flow": flow.key if flow else ""}
            ),
            "rows": [
                {
                    "row": one,
                    "channel": channel_name(one.channel),
                    "why": reason_in_words(one.reason),
                    "is_late": now > one.message.not_after,
                }
                for one in page.object_list
            ],
        },
    )


@require_POST
@requires(VIEW_MESSAGES, RESOLVE_MESSAGE)
def resolve_many(request: HttpRequest) -> HttpResponse:
    """Do with each marked one what staff decided, and say of how many it was done."""
    verb = VERBS.get(request.POST.get("verb", ""))
    if verb is None:
        raise Http404
    numbers = [int(one) for one in request.POST.getlist("try") if one.isdecimal()][:PAGE]
    back = f"{reverse('wagtail_triggers:doubts')}?{_filters(request)}"
    if not numbers:
        messages.error(request, pgettext("triggers", "Mark at least one message first."))
        return redirect(back)
    now = timezone.now()
    answers = Counter(verb(pk, now, request.user) for pk in numbers)
    if done := answers.pop(Answer.DONE, 0):
        text = npgettext("triggers", "Decided about %(count)d.", "Decided about %(count)d.", done)
        messages.success(request, text % {"count": done})
    for answer, count in answers.items():
        messages.error(request, f"{count} × {REFUSED[answer]}")
    return redirect(back)


def _filters(request: HttpRequest) -> str:
    return urlencode({name: request.POST.get(name, "") for name in ("state", "flow")})
