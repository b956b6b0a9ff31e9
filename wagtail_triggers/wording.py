"""Codes of the engine's log in words that a shop owner understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import is_aware, localtime
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.models import ExitReason

CTX = "triggers"

REASONS: dict[str, Any] = {
    **dict(ExitReason.choices),
    "no_point": pgettext_lazy(CTX, "no address is known"),
    "no_consent": pgettext_lazy(CTX, "never agreed to such messages"),
    "withdrawn": pgettext_lazy(CTX, "unsubscribed"),
    "suppressed": pgettext_lazy(CTX, "the address is blocked"),
    "condition": pgettext_lazy(CTX, "no longer met the conditions"),
    "goal": pgettext_lazy(CTX, "reached the goal"),
    "ordered": pgettext_lazy(CTX, "has ordered"),
    "order_placed": pgettext_lazy(CTX, "has ordered"),
    "too_late": pgettext_lazy(CTX, "was too late to be of use"),
    "cannot_compose": pgettext_lazy(CTX, "the letter could not be made"),
    "basket_empty": pgettext_lazy(CTX, "the basket is empty"),
    "basket_gone": pgettext_lazy(CTX, "the basket is gone"),
    "nothing_buyable": pgettext_lazy(CTX, "nothing in the basket can be bought any more"),
    "stale": pgettext_lazy(CTX, "prices or stock changed meanwhile"),
    "crashed": pgettext_lazy(CTX, "the server failed again and again"),
    "refused": pgettext_lazy(CTX, "the mail server refused it"),
    "failed": pgettext_lazy(CTX, "the mail server did not take it"),
    "unknown": pgettext_lazy(CTX, "nobody can tell whether it went out"),
    "gave_up": pgettext_lazy(CTX, "was tried again and again in vain"),
    "no_answer": pgettext_lazy(CTX, "the mail server did not answer"),
    "veto": pgettext_lazy(CTX, "an app of the shop stopped it"),
    "worker_died": pgettext_lazy(CTX, "the server stopped in the middle of it"),
    "basket_changed": pgettext_lazy(CTX, "the basket changed meanwhile"),
    "price_changed": pgettext_lazy(CTX, "a price went up meanwhile"),
    "sold_out": pgettext_lazy(CTX, "something sold out meanwhile"),
    "flow_switched_off": pgettext_lazy(CTX, "the flow was switched off"),
    "switched_off": pgettext_lazy(CTX, "the flow was switched off"),
}

RULES: dict[str, Any] = {
    "consent": pgettext_lazy(CTX, "Consent"),
    "entry": pgettext_lazy(CTX, "Start conditions"),
    "branch": pgettext_lazy(CTX, "Branch"),
    "lateness": pgettext_lazy(CTX, "Time"),
    "content": pgettext_lazy(CTX, "Content"),
    "basket": pgettext_lazy(CTX, "Basket"),
    "join": pgettext_lazy(CTX, "Same person"),
    "send": pgettext_lazy(CTX, "Sending"),
    "step": pgettext_lazy(CTX, "Step"),
    "veto": pgettext_lazy(CTX, "Veto"),
    "order_placed": pgettext_lazy(CTX, "Orders"),
    "policy": pgettext_lazy(CTX, "Rules for sending"),
    "order": pgettext_lazy(CTX, "Orders"),
    "hand_over": pgettext_lazy(CTX, "Hand-over"),
    "switched_off": pgettext_lazy(CTX, "Switched off"),
}

VERDICTS: dict[str, Any] = {
    "entered": pgettext_lazy(CTX, "entered the flow"),
    "not_entered": pgettext_lazy(CTX, "did not enter"),
    "allowed": pgettext_lazy(CTX, "may be sent"),
    "skip": pgettext_lazy(CTX, "not sent"),
    "skipped": pgettext_lazy(CTX, "not sent"),
    "postpone": pgettext_lazy(CTX, "put off"),
    "expired": pgettext_lazy(CTX, "not sent, too late"),
    "cancelled": pgettext_lazy(CTX, "cancelled"),
    "dead": pgettext_lazy(CTX, "failed"),
    "sent": pgettext_lazy(CTX, "sent"),
    "exit": pgettext_lazy(CTX, "left the flow"),
    "advance": pgettext_lazy(CTX, "went on"),
    "stale": pgettext_lazy(CTX, "read and written again"),
    "held": pgettext_lazy(CTX, "held, staff are needed"),
}


def in_words(code: str, known: Mapping[str, Any] = REASONS) -> str:
    """Return the words of a code; one that an extension brought reads as it is written."""
    if not code:
        return ""
    return str(known.get(code) or code.replace("_", " ").replace(":", ": "))


def compared_rows(compared: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return compared values as names and texts; what belongs together stands in one line."""
    rows: list[tuple[str, str]] = []
    for name, value in compared.items():
        label = f"{prefix}{_name(name)}"
        if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
            rows += compared_rows(value, f"{label} › ")
        elif isinstance(value, Mapping):
            parts = [f"{_name(inner)} {_value(one)}" for inner, one in value.items()]
            rows.append((label, ", ".join(parts) or "–"))
        else:
            rows.append((label, _value(value)))
    return rows


def _name(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    """Return one value as staff read it; moments in their time zone."""
    if isinstance(value, bool):
        return pgettext(CTX, "yes") if value else pgettext(CTX, "no")
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value) or "–"
    if value is None or value == "":
        return "–"
    if isinstance(value, str) and len(value) >= len("2026-01-01T00:00"):
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is not None and is_aware(moment):
            return date_format(localtime(moment), "DATETIME_FORMAT")
    return str(value)
