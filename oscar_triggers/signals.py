"""What other apps may listen to; all but one are sent after the commit, with send_robust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django import dispatch

_muted: ContextVar[bool] = ContextVar("oscar_triggers_signals_muted", default=False)


class Signal(dispatch.Signal):
    """A signal that is not sent while something is only simulated."""

    def has_listeners(self, sender: Any = None) -> bool:
        """Say whether anybody would hear it now."""
        # No receivers at all, as nearly always: asked for each letter.
        return bool(self.receivers) and not _muted.get() and super().has_listeners(sender)

    def send(self, sender: Any, **named: Any) -> list[Any]:
        """Send it, unless signals are muted."""
        return [] if _muted.get() else super().send(sender, **named)

    def send_robust(self, sender: Any, **named: Any) -> list[Any]:
        """Send it and keep what receivers raise, unless signals are muted."""
        return [] if _muted.get() else super().send_robust(sender, **named)


@contextmanager
def muted() -> Iterator[None]:
    """Let nobody hear the signals that are sent inside the block, as in a simulation."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


event_recorded = Signal()
"""An event was written to the journal. Arguments: `kind`, `dedup_key`."""

flow_published = Signal()
"""A flow has a new live version. Arguments: `flow_id`, `version_id`."""

enrollment_entered = Signal()
"""A contact entered a flow. Arguments: `enrollment_id`, `flow_id`, `contact_id`."""

enrollment_ended = Signal()
"""A contact left a flow. Arguments: `enrollment_id`, `flow_id`, `contact_id`, `exit_reason`."""

message_sending = Signal()
"""A message is about to be handed over; the one veto.

Sent plainly, before the hand-over: a receiver may raise `exceptions.CancelMessage(reason)`.
Any other exception is logged and does not stop the message.
Arguments: `dispatch_id`, `message_id`, `contact_id`, `channel`.
"""

message_sent = Signal()
"""A provider took a message over. Arguments: `dispatch_id`, `message_id`, `contact_id`, `channel`."""

message_skipped = Signal()
"""A message was decided against. Arguments: `message_id`, `contact_id`, `reason`."""

message_clicked = Signal()
"""A person followed a link of a message for the first time; machines do not count.

Arguments: `message_id`, `contact_id`, `link_no` (from 0; -1 for the link back to the basket).
"""

feedback_received = Signal()
"""A provider reported something new about a message that it took over.

Arguments: `dispatch_id`, `message_id`, `contact_id`, `kind` (`models.Feedback`), `reason`,
`occurred_at`.
"""

point_suppressed = Signal()
"""A point is never written to again. Arguments: `channel`, `point_hash`, `reason`."""

consent_changed = Signal()
"""A consent was given or withdrawn.

Arguments: `contact_id`, `channel`, `point_hash`, `topic`, `action`.
"""

staff_notified = Signal()
"""A contact came to a step that tells staff.

Arguments: `enrollment_id`, `flow_id`, `contact_id`, `step_key`, `text` (which names no personal data).
"""
