"""A draft's rules as the engine's, and back."""

from __future__ import annotations

from typing import Any

from oscar_triggers import limits
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.kinds import format_duration
from oscar_triggers.limits import AFTER, Reentry, SendWindow

#: Columns that are called the same and hold the same on both sides.
_SAME = (
    "max_age",
    "priority",
    "when_limited",
    "bundle",
    "holdout",
    "blast_limit",
    "attribution_window",
    "sender",
)
FIELDS = (
    "reentry",
    "reentry_after",
    "window_from",
    "window_until",
    "window_days",
    *_SAME,
)


def to_rules(draft: Any) -> dict[str, Any]:
    """Return a draft's rules as fields of a FlowDefinition."""
    found = {name: getattr(draft, name) for name in _SAME}
    found["reentry"] = draft.reentry
    if draft.reentry == AFTER:
        after = draft.reentry_after
        found["reentry"] = f"after {format_duration(after)}" if after else limits.EVERY_EPISODE
    found["send_window"] = _window(draft)
    return found


def _window(draft: Any) -> SendWindow | None:
    days = tuple(day for day in limits.WEEKDAYS if day in (draft.window_days or ()))
    if draft.window_from is None and draft.window_until is None and not days:
        return None
    whole = SendWindow()
    return SendWindow(
        from_=draft.window_from or whole.from_,
        until=draft.window_until or whole.until,
        days=days or whole.days,
    )


def from_rules(definition: FlowDefinition) -> dict[str, Any]:
    """Return a definition's rules as the values of a draft's columns."""
    found = {name: getattr(definition, name) for name in _SAME}
    reentry = Reentry.read(definition.reentry)
    window = definition.send_window
    return {
        **found,
        "reentry": reentry.rule,
        "reentry_after": reentry.after,
        "window_from": window.from_ if window else None,
        "window_until": window.until if window else None,
        "window_days": list(window.days) if window and window.days != limits.WEEKDAYS else [],
    }
