"""Lines: one sentence of a person's story each, and the words that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import pgettext

from .. import events
from ..exceptions import UnknownKind
from ..models import Decision, ExitReason
from .telling import INFO, clock, why
from .words import about_of


@dataclass(frozen=True, kw_only=True)
class Line:
    """One sentence of the story."""

    #: When it happened (UTC).
    moment: datetime
    text: str
    #: "sent", "not_sent", "waiting" or "info".
    tone: str = INFO


def exit_words(one: Decision) -> str:
    """Say why an enrollment ended, to stand after "because"."""
    if one.reason == ExitReason.GOAL and "event" in one.compared:
        return pgettext("triggers", "the goal was reached: %(event)s%(about)s at %(moment)s") % {
            "event": event_words(str(one.compared["event"])),
            "about": about_text(str(one.compared.get("about") or "")),
            "moment": clock(datetime.fromisoformat(str(one.compared["at"])))
            if one.compared.get("at")
            else "–",
        }
    # A guard or a condition says more than the reason for leaving.
    return why(one.rule if one.reason == ExitReason.CONDITION else one.reason, one.compared)


def event_words(kind: str) -> str:
    """Name a kind of event as the editor does."""
    try:
        return str(events.registry.get(kind).label or kind)
    except UnknownKind:
        return kind


def about_words(about_type: str, about_id: str) -> str:
    """Say what something was about, " (order 100017)", "" for nothing."""
    return about_text(f"{about_type}:{about_id}" if about_type else "")


def about_text(about: str) -> str:
    """Say what something was about, from its "order:100017"."""
    about_type, _colon, about_id = about.partition(":")
    return f" ({about_of(about_type, about_id)})" if about else ""
