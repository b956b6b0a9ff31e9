"""Deciding about a message of which nobody can tell whether it arrived, or that failed for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from oscar_triggers.engine import resolving
from oscar_triggers.engine.resolving import STAFF, Answer
from oscar_triggers.models import Dispatch

from ..permissions import RESOLVE_MESSAGE, VIEW_MESSAGES
from .access import requires

#: What staff can decide about one try, by its name in the address.
VERBS: dict[str, Callable[..., Answer]] = {
    "arrived": lambda pk, now, by: resolving.mark_arrived(pk, now, by=by, rule=STAFF),
    "again": lambda pk, now, by: resolving.resend(pk, now, by=by),
    "again-late": lambda pk, now, by: resolving.resend(pk, now, by=by, late=True),
    "drop": lambda pk, now, by: resolving.drop(pk, now, by=by),
}
_DONE: dict[str, Any] = {
    "arrived": pgettext_lazy("triggers", "It counts as sent."),
    "again": pgettext_lazy(
        "triggers", "It is sent again, unless something speaks against it by then."
    ),
    "again-late": pgettext_lazy(
        "triggers", "It is sent again, unless something speaks against it by then."
    ),
    "drop": pgettext_lazy("triggers", "It is left as it is, and is not sent."),
}
REFUSED: dict[Answer, Any] = {
    Answer.NOT_OPEN: pgettext_lazy("triggers", "It was decided already, here or by the provider."),
    Answer.TOO_LATE: pgettext_lazy(
        "triggers", "Its last moment has passed. Press “Send it although it is late” to do so."
    ),
    Answer.NOT_WANTED: pgettext_lazy(
        "triggers", "The person has left the flow meanwhile, so it is not sent."
    ),
    Answer.SWITCHED_OFF: pgettext_lazy("triggers", "Its flow is switched off."),
}


@require_POST
@requires(VIEW_MESSAGES, RESOLVE_MESSAGE)
def resolve(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do what staff decided about one try, and say what became of it."""
    dispatch = get_object_or_404(Dispatch, pk=pk)
    if verb not in VERBS:
        raise Http404
    answer = VERBS[verb](dispatch.pk, timezone.now(), request.user)
    if answer is Answer.DONE:
        messages.success(request, _DONE[verb])
    else:
        messages.error(request, REFUSED[answer])
    return redirect("triggers_messages:inspect", dispatch.message_id)
