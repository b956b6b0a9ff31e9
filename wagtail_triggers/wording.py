"""Codes of the engine's log in words that a shop owner understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import is_aware, localtime
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.models import ExitReason

REASONS: dict[str, Any] = {
    **dict(ExitReason.choices),
    "no_point": pgettext_lazy("triggers", "no address is known"),
    "no_consent": pgettext_lazy("triggers", "never agreed to such messages"),
    "withdrawn": pgettext_lazy("triggers", "unsubscribed"),
    "suppressed": pgettext_lazy("triggers", "the address is blocked"),
    "condition": pgettext_lazy("triggers", "no longer met the conditions"),
    "goal": pgettext_lazy("triggers", "reached the goal"),
    "ordered": pgettext_lazy("triggers", "has ordered"),
    "order_placed": pgettext_lazy("triggers", "has ordered"),
    "too_late": pgettext_lazy("triggers", "was too late to be of use"),
    "cannot_compose": pgettext_lazy("triggers", "the letter could not be made"),
    "basket_empty": pgettext_lazy("triggers", "the basket is empty"),
    "basket_gone": pgettext_lazy("triggers", "the basket is gone"),
    "nothing_buyable": pgettext_lazy("triggers", "nothing in the basket can be bought any more"),
    "stale": pgettext_lazy("triggers", "prices or stock changed meanwhile"),
    "crashed": pgettext_lazy("triggers", "the server failed again and again"),
    "refused": pgettext_lazy("triggers", "the mail server refused it"),
    "failed": pgettext_lazy("triggers", "the mail server did not take it"),
    "unknown": pgettext_lazy("triggers", "nobody can tell whether it went out"),
    "gave_up": pgettext_lazy("triggers", "was tried again and again in vain"),
    "no_answer": pgettext_lazy("triggers", "the mail server did not answer"),
    "veto": pgettext_lazy("triggers", "an app of the shop stopped it"),
    "worker_died": pgettext_lazy("triggers", "the server stopped in the middle of it"),
    "basket_changed": pgettext_lazy("triggers", "the basket changed meanwhile"),
    "price_changed": pgettext_lazy("triggers", "a price went up meanwhile"),
    "sold_out": pgettext_lazy("triggers", "something sold out meanwhile"),
    "flow_switched_off": pgettext_lazy("triggers", "the flow was switched off"),
    "switched_off": pgettext_lazy("triggers", "the flow was switched off"),
}

RULES: dict[str, Any] = {
    "consent": pgettext_lazy("triggers", "Consent"),
    "entry": pgettext_lazy("triggers", "Start conditions"),
    "branch": pgettext_lazy("triggers", "Branch"),
    "lateness": pgettext_lazy("triggers", "Time"),
    "content": pgettext_lazy("triggers", "Content"),
    "basket": pgettext_lazy("triggers", "Basket"),
    "join": pgettext_lazy("triggers", "Same person"),
    "send": pgettext_lazy("triggers", "Sending"),
    "step": pgettext_lazy("triggers", "Step"),
    "veto": pgettext_lazy("triggers", "Veto"),
    "order_placed": pgettext_lazy("triggers", "Orders"),
    "policy": pgettext_lazy("triggers", "Rules for sending"),
    "order": pgettext_lazy("triggers", "Orders"),
    "hand_over": pgettext_lazy("triggers", "Hand-over"),
    "switched_off": pgettext_lazy("triggers", "Switched off"),
}

VERDICTS: dict[str, Any] = {
    "entered": pgettext_lazy("triggers", "entered the flow"),
    "not_entered": pgettext_lazy("triggers", "did not enter"),
    "allowed": pgettext_lazy("triggers", "may be sent"),
    "skip": pgettext_lazy("triggers", "not sent"),
    "skipped": pgettext_lazy("triggers", "not sent"),
    "postpone": pgettext_lazy("triggers", "put off"),
    "expired": pgettext_lazy("triggers", "not sent, too late"),
    "cancelled": pgettext_lazy("triggers", "cancelled"),
    "dead": pgettext_lazy("triggers", "failed"),
    "sent": pgettext_lazy("triggers", "sent"),
    "exit": pgettext_lazy("triggers", "left the flow"),
    "advance": pgettext_lazy("triggers", "went on"),
    "stale": pgettext_lazy("triggers", "read and written again"),
    "held": pgettext_lazy("triggers", "held, staff are needed"),
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
        return pgettext("triggers", "yes") if value else pgettext("triggers", "no")
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
