"""Asking the referee: what the rules of a flow and its reader mean for one message."""

from __future__ import annotations

from django.utils.translation import pgettext

from .. import channels
from ..conf import PROMOTIONAL
from ..definitions import FlowDefinition
from ..exceptions import Problem
from ..models import Dispatch
from ..policy import windows
from ..policy.verdicts import SendRequest
from ..snapshots import Subject
from . import checking


@checking.register
def hours_leave_a_moment(definition: FlowDefinition) -> list[Problem]:
    """Name the channels on which a flow's own hours lie wholly within quiet hours."""
    window = definition.send_window
    if window is None:
        return []
    used = {str(step.options.get("channel", "")) for step, *_rest in definition.walk()}
    return [
        Problem(
            where="send_window",
            message=pgettext(
                "triggers",
                "leaves no moment outside the quiet hours of the channel '%(channel)s': nothing "
                "would ever be sent; choose other hours",
            )
            % {"channel": channel},
        )
        for channel in sorted((used & set(channels.registry)) or {"email"})
        if not windows.leaves_a_moment(
            windows.rules_for(channel, window, promotional=definition.stream == PROMOTIONAL)
        )
    ]


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
