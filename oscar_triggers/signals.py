"""What other apps may listen to; all but one are sent after the commit, with send_robust."""

from django.dispatch import Signal

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
