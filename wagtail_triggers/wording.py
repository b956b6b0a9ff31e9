"""Codes of the engine's log in words that a shop owner understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import is_aware, localtime
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers import channels, conditions, events
from oscar_triggers.conf import triggers_settings
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ExitReason,
    Stream,
    SuppressionReason,
)

#: UUIDs, and the short hashes of the editor's blocks.
_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

REASONS: dict[str, Any] = {
    **dict(ExitReason.choices),
    "no_point": pgettext_lazy("triggers", "no address is known"),
    "no_consent": pgettext_lazy("triggers", "never agreed to such messages"),
    "withdrawn": pgettext_lazy("triggers", "unsubscribed"),
    "suppressed": pgettext_lazy("triggers", "the address is blocked"),
    "condition": pgettext_lazy("triggers", "no longer met the conditions"),
    "already_in": pgettext_lazy("triggers", "was in the flow already"),
    "before_activation": pgettext_lazy("triggers", "happened before the flow was switched on"),
    "unknown_person": pgettext_lazy("triggers", "nobody knows who it was"),
    "broken_flow": pgettext_lazy("triggers", "the flow cannot be read any more"),
    "broken_condition": pgettext_lazy("triggers", "a condition could not be checked"),
    "broken_guard": pgettext_lazy("triggers", "a last check could not be made"),
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
    "stay": pgettext_lazy("triggers", "Conditions on the way"),
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
    "yes": pgettext_lazy("triggers", "yes"),
    "no": pgettext_lazy("triggers", "no"),
    "unknown": pgettext_lazy("triggers", "handed over, no answer"),
}


#: What decisions compare; extensions bring others, which read as they are written.
NAMES: dict[str, Any] = {
    "about": pgettext_lazy("triggers value", "about"),
    "action": pgettext_lazy("triggers value", "action"),
    "active_since": pgettext_lazy("triggers value", "active since"),
    "age": pgettext_lazy("triggers value", "age"),
    "at": pgettext_lazy("triggers value", "at"),
    "at_least": pgettext_lazy("triggers value", "at least"),
    "basis": pgettext_lazy("triggers value", "basis"),
    "basket": pgettext_lazy("triggers value", "basket"),
    "basket_id": pgettext_lazy("triggers value", "basket"),
    "channel": pgettext_lazy("triggers value", "channel"),
    "comparison": pgettext_lazy("triggers value", "comparison"),
    "condition": pgettext_lazy("triggers value", "condition"),
    "consent": pgettext_lazy("triggers value", "consent"),
    "consent_event": pgettext_lazy("triggers value", "consent event"),
    "consent_topic": pgettext_lazy("triggers value", "consent topic"),
    "currency": pgettext_lazy("triggers value", "currency"),
    "due_at": pgettext_lazy("triggers value", "due at"),
    "episode": pgettext_lazy("triggers value", "episode"),
    "error": pgettext_lazy("triggers value", "error"),
    "event": pgettext_lazy("triggers value", "event"),
    "field": pgettext_lazy("triggers value", "field"),
    "flow": pgettext_lazy("triggers value", "flow"),
    "found": pgettext_lazy("triggers value", "found"),
    "happened_at": pgettext_lazy("triggers value", "happened at"),
    "has_account": pgettext_lazy("triggers value", "has account"),
    "idle": pgettext_lazy("triggers value", "idle"),
    "into": pgettext_lazy("triggers value", "into"),
    "joined": pgettext_lazy("triggers value", "joined"),
    "language": pgettext_lazy("triggers value", "language"),
    "left": pgettext_lazy("triggers value", "left"),
    "left_at": pgettext_lazy("triggers value", "left at"),
    "line_count": pgettext_lazy("triggers value", "line count"),
    "lines": pgettext_lazy("triggers value", "lines"),
    "member": pgettext_lazy("triggers value", "member"),
    "newer_enrollment": pgettext_lazy("triggers value", "newer enrollment"),
    "not_after": pgettext_lazy("triggers value", "not after"),
    "now": pgettext_lazy("triggers value", "now"),
    "occurred_at": pgettext_lazy("triggers value", "occurred at"),
    "order": pgettext_lazy("triggers value", "order"),
    "orders": pgettext_lazy("triggers value", "orders"),
    "placed_at": pgettext_lazy("triggers value", "placed at"),
    "matched_by": pgettext_lazy("triggers value", "matched by"),
    "price": pgettext_lazy("triggers value", "price"),
    "quantities": pgettext_lazy("triggers value", "quantities"),
    "quantity": pgettext_lazy("triggers value", "quantity"),
    "said": pgettext_lazy("triggers value", "said"),
    "source": pgettext_lazy("triggers value", "source"),
    "status": pgettext_lazy("triggers value", "status"),
    "still_true": pgettext_lazy("triggers value", "still true"),
    "stock": pgettext_lazy("triggers value", "stock"),
    "stock_record": pgettext_lazy("triggers value", "stock record"),
    "stream": pgettext_lazy("triggers value", "stream"),
    "suppression": pgettext_lazy("triggers value", "suppression"),
    "topic": pgettext_lazy("triggers value", "topic"),
    "tracked": pgettext_lazy("triggers value", "tracked"),
    "until": pgettext_lazy("triggers value", "until"),
    "value": pgettext_lazy("triggers value", "value"),
    "wanted": pgettext_lazy("triggers value", "wanted"),
    "worth": pgettext_lazy("triggers value", "worth"),
    "written": pgettext_lazy("triggers value", "written"),
}

_CHOICES: dict[str, dict[Any, Any]] = {
    "action": dict(ConsentAction.choices),
    "basis": dict(ConsentBasis.choices),
    "stream": dict(Stream.choices),
    "suppression": dict(SuppressionReason.choices),
}

_KINDS: dict[str, Any] = {
    "channel": channels.registry,
    "condition": conditions.registry,
    "event": events.registry,
}

#: Types of what a message is about.
ABOUT: dict[str, Any] = {
    "basket": pgettext_lazy("triggers", "Basket %(id)s"),
    "order": pgettext_lazy("triggers", "Order %(id)s"),
    "customer": pgettext_lazy("triggers", "Customer %(id)s"),
}


def in_words(code: str, known: Mapping[str, Any] = REASONS) -> str:
    """Return the words of a code; one that an extension brought reads as it is written."""
    if not code:
        return ""
    return str(known.get(code) or code.replace("_", " ").replace(":", ": "))


def rule_in_words(code: str) -> str:
    """Return the words of a rule: one of RULES, a condition, an event, or a step of the flow."""
    for registry in (conditions.registry, events.registry):
        if code not in RULES and code in registry:
            return str(capfirst(registry.get(code).label or code))
    # The editor gives steps random keys.
    return str(RULES["step"]) if _RANDOM.fullmatch(code) else str(capfirst(in_words(code, RULES)))


def about_in_words(about_type: str, about_id: str) -> str:
    """Return what a message is about, as in "Basket 7"."""
    if about_type not in ABOUT:
        return f"{about_type} {about_id}"
    return str(ABOUT[about_type] % {"id": about_id})


def compared_rows(compared: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return compared values as names and texts; what belongs together stands in one line."""
    rows: list[tuple[str, str]] = []
    for name, value in compared.items():
        label = f"{prefix}{_name(name)}"
        if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
            rows += compared_rows(value, f"{label} › ")
        elif isinstance(value, Mapping):
            parts = [f"{_name(inner)} {_value(one, inner)}" for inner, one in value.items()]
            rows.append((label, ", ".join(parts) or "–"))
        else:
            rows.append((label, _value(value, name)))
    return rows


def _name(name: str) -> str:
    return str(NAMES.get(name) or name.replace("_", " "))


def _value(value: Any, name: str = "") -> str:
    """Return one value as staff read it; moments in their time zone."""
    if isinstance(value, bool):
        return pgettext("triggers", "yes") if value else pgettext("triggers", "no")
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value) or "–"
    if value is None or value == "":
        return "–"
    if name in _CHOICES:
        return str(_CHOICES[name].get(value, value))
    if name in ("topic", "consent_topic"):
        return str(triggers_settings().topics.get(value, value))
    if name in _KINDS and value in _KINDS[name]:
        return str(_KINDS[name].get(value).label or value)
    if isinstance(value, str) and len(value) >= len("2026-01-01T00:00"):
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is not None and is_aware(moment):
            return date_format(localtime(moment), "DATETIME_FORMAT")
    return str(value)
