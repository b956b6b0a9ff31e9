"""Anymail's tracking signal, turned into reports; its webhook views have authenticated them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import util
from typing import Any

from django.conf import settings
from django.urls import get_resolver

from ..engine import returns
from ..engine.returns import ProviderEvent
from ..models import ProviderReport
from ..models.sql import database_now
from ..policy.bounces import Weight, weigh
from ..policy.points import EMAIL
from .answers import without_addresses

#: Where providers say that a bounce is no final one, under whichever name.
_SOFT = re.compile(r"soft|transient|temporary|undetermined", re.IGNORECASE)
_SOFT_KEYS = frozenset(
    {"bounceType", "Type", "type", "event", "bounce_type", "bounce_category", "RecordType"}
)
_HARD_REASONS = frozenset({"invalid", "bounced"})
_POLICY_REASONS = frozenset({"blocked", "spam", "timed_out"})
_ABOUT_THE_MAILBOX = re.compile(r"(?<![\d.])[45]\.[12]\.\d|\bfull\b|quota", re.IGNORECASE)
_DEEPEST = 3


def connect() -> None:
    """Listen to Anymail where it is installed."""
    if util.find_spec("anymail") is None:
        return
    from anymail.signals import tracking

    tracking.connect(take, dispatch_uid="oscar_triggers.anymail")


def take(sender: Any, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Take one report in; what goes wrong reaches Anymail's view, and the provider tries again."""
    returns.take_many([read(event, esp_name)], database_now(ProviderReport))


def read(event: Any, esp_name: str) -> ProviderEvent:
    """Read an AnymailTrackingEvent; what providers leave out is empty."""
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    said = " ".join(str(part) for part in (event.mta_response, event.description) if part)
    reason = str(event.reject_reason or "")
    return ProviderEvent(
        provider=str(esp_name),
        kind=str(event.event_type),
        occurred_at=event.timestamp,
        event_id=str(event.event_id or ""),
        provider_id=str(event.message_id or "").strip("<>")[:200],
        public_id=str(metadata.get("message", "")),
        channel=EMAIL,
        point=str(event.recipient or ""),
        reason=reason,
        weight=_weight(event, reason, said),
        detail=without_addresses(said),
    )


def webhooks_are_open() -> bool:
    """Say whether providers' reports are taken from anybody: mounted, and no secret is set."""
    if util.find_spec("anymail") is None or "anymail" not in get_resolver().app_dict:
        return False
    told = getattr(settings, "ANYMAIL", {}).get("WEBHOOK_SECRET")
    return not (told or getattr(settings, "ANYMAIL_WEBHOOK_SECRET", ""))


def _weight(event: Any, reason: str, said: str) -> Weight:
    """Weigh a refusal: a provider's own reason counts unless the mail server's code says more."""
    if event.event_type == "deferred":
        # Greylisting and busy servers delay letters to people who get them a minute later.
        full = not said or bool(weigh(said) is Weight.SOFT and _ABOUT_THE_MAILBOX.search(said))
        return Weight.SOFT if full and reason not in _POLICY_REASONS else Weight.NONE
    if event.event_type not in ("bounced", "rejected", "failed"):
        return Weight.NONE
    if reason in _POLICY_REASONS:
        return Weight.POLICY
    by_server = weigh(str(event.mta_response or ""))
    by_words = weigh(said)
    if event.event_type == "bounced" and reason in ("", "other", *_HARD_REASONS):
        if by_server in (Weight.SOFT, Weight.POLICY):
            return by_server
        if any(_SOFT.search(word) for word in _words(event.esp_event, 0)):
            return Weight.POLICY if by_words is Weight.POLICY else Weight.SOFT
        if by_words in (Weight.SOFT, Weight.POLICY):
            return by_words
    if reason in _HARD_REASONS:
        return Weight.HARD
    return by_words


def _words(raw: Any, depth: int) -> Iterator[str]:
    """Yield what a provider calls the kind of a bounce, wherever it stands in its own report."""
    if depth > _DEEPEST or not isinstance(raw, Mapping):
        return
    for key, value in raw.items():
        if key in _SOFT_KEYS and isinstance(value, str):
            yield value
        elif key == "hard_bounce" and value in (False, "", "0", "false"):
            yield "soft"
        elif isinstance(value, Mapping):
            yield from _words(value, depth + 1)
