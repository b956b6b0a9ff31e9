"""Rivals: other messages that want to go to the same person now, when not all of them may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from ..models import Breaker, BreakerState, Dispatch, DispatchState, FlowState, MessageState

PRIORITY = "priority"

_WAITING = (DispatchState.PLANNED, DispatchState.RETRY, DispatchState.LEASED)


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A message that is due, and how much its flow matters."""

    message_id: int
    priority: int

    def goes_before(self, message_id: int, priority: int) -> bool:
        """Say whether it goes first: by priority, then the older one, so that nobody starves."""
        return self.priority > priority or (
            self.priority == priority and self.message_id < message_id
        )


def due_for(contact_ids: Collection[int], stream: str, now: datetime) -> dict[int, list[Rival]]:
    """Return what is due for these contacts in a stream, by one query.

    What cannot go now stands in nobody's way: flows that are paused, rehearsals, messages that
    are too late, and channels whose provider is left alone.
    """
    if not contact_ids:
        return {}
    left_alone = Breaker.objects.filter(state=BreakerState.OPEN, retry_at__gt=now).values("name")
    rows = (
        Dispatch.objects.filter(
            Q(message__flow=None) | Q(message__flow__state=FlowState.LIVE),
            message__contact_id__in=contact_ids,
            message__stream=stream,
            message__is_shadow=False,
            message__state=MessageState.PLANNED,
            message__not_after__gte=now,
            state__in=_WAITING,
            due_at__lte=now,
        )
        .exclude(channel__in=left_alone)
        .values_list("message__contact_id", "message_id", "message__priority")
        .distinct()
    )
    found: dict[int, list[Rival]] = defaultdict(list)
    for contact_id, message_id, priority in rows:
        assert contact_id is not None
        found[contact_id].append(Rival(message_id=message_id, priority=priority))
    return found


def ahead_of(message_id: int, priority: int, rivals: Sequence[Rival]) -> list[Rival]:
    """Return those that go before a message."""
    return [
        one
        for one in rivals
        if one.message_id != message_id and one.goes_before(message_id, priority)
    ]
