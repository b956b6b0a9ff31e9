"""Why nothing is sent at all, said on each of our pages for as long as it is so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import pgettext
from wagtail.admin import messages

from oscar_triggers.conf import triggers_settings
from oscar_triggers.engine import installation
from oscar_triggers.models import INSTALLATION_ID, Installation

from .known import known_already
from .permissions import STOP_SENDING, VIEW_MESSAGES

#: Namespaces of addresses below Wagtail's admin that are ours begin so.
OURS = (
    "wagtail_triggers",
    "triggers_",
    "wagtailsnippets_wagtail_triggers",
    "wagtailsnippetchoosers_wagtail_triggers",
)
SEEING_SENDING = (VIEW_MESSAGES, STOP_SENDING)


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Why nothing is sent, and what to do about it."""

    #: One of engine.installation's reasons.
    code: str
    text: str
    advice: str
    since: datetime | None = None
    by: str = ""
    reason: str = ""


def current() -> Halt | None:
    """Return why nothing is sent; None where all is well. Reads one row."""
    row = Installation.objects.select_related("stopped_by").filter(pk=INSTALLATION_ID).first()
    if row is not None and installation.identity_of(row) != installation.configured():
        return Halt(
            code=installation.FOREIGN,
            text=pgettext(
                "triggers",
                "Nothing is sent, and nobody is moved on: this database belongs to another "
                "installation.",
            ),
            advice=pgettext(
                "triggers",
                "A copy for tests may stay so. If this shop is the one to send from now on, have "
                "'manage.py triggers_adopt' run on its server: it shows what differs and how many "
                "messages are due.",
            ),
        )
    if not triggers_settings().sending:
        return Halt(
            code=installation.SENDING_OFF,
            text=pgettext("triggers", "Nothing is sent: sending is off in the settings."),
            advice=pgettext(
                "triggers", "OSCAR_TRIGGERS['SENDING'] is False; set it to True, or remove it."
            ),
        )
    if row is not None and row.stopped_at is not None:
        return Halt(
            code=installation.STOPPED,
            text=pgettext("triggers", "All sending is stopped."),
            advice=pgettext("triggers", "People move on; their messages wait."),
            since=row.stopped_at,
            by=str(row.stopped_by or ""),
            reason=row.stop_reason,
        )
    return None


def is_ours(request: HttpRequest) -> bool:
    """Say whether a request asks for one of our pages."""
    match = request.resolver_match
    return match is not None and any(name.startswith(OURS) for name in match.namespaces)


def warn(request: HttpRequest, _items: Any) -> None:
    """Say above each of our pages that nothing is sent.

    Called while Wagtail builds its menu, which it does before it shows the page's messages, and
    for whole pages only.
    """
    if request.method not in ("GET", "POST") or not is_ours(request):
        return
    known = known_already(request)
    if known is not None and known.is_held_up is False and triggers_settings().sending:
        # The list of flows has asked the same row with each flow.
        return
    halt = current()
    if halt is None:
        return
    may_see = any(request.user.has_perm(name) for name in SEEING_SENDING)
    url = reverse("wagtail_triggers:sending")
    buttons = (
        [messages.button(url, pgettext("triggers", "See why"))]
        if may_see and request.path != url
        else []
    )
    messages.warning(request, f"{halt.text} {halt.advice}", buttons=buttons)
