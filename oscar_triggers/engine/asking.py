"""Asking the referee: what the rules of a flow and its reader mean for one message."""

from __future__ import annotations

from ..definitions import FlowDefinition
from ..models import Dispatch
from ..policy.verdicts import SendRequest
from ..snapshots import Subject


def request_of(
    row: Dispatch, subject: Subject, definition: FlowDefinition, *, point_hash: str
) -> SendRequest:
    """Return what the referee is asked about a dispatch that was loaded with its message.

    `definition` is that of the version in which the subject stands; `point_hash` is "" when the
    contact cannot be reached on the channel.
    """
    message = row.message
    return SendRequest(
        message_id=message.pk,
        contact_id=message.contact_id,
        channel=row.channel,
        point_hash=point_hash,
        stream=message.stream,
        topic=message.topic,
        site_id=subject.site_id,
        flow_id=message.flow_id,
        priority=message.priority,
        not_after=message.not_after,
        when_limited=definition.when_limited,
        send_window=definition.send_window,
        holdout=definition.holdout,
        time_zone=subject.time_zone,
        phones=subject.phones,
    )
