"""Planning: owing a message, once for each coming to a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..models import Dispatch, Message, MessageItem, MessageState, Stream
from ..models.sql import insert_or_ignore
from ..steps import StepVisit

TRANSACTIONAL_LANE = 0
PROMOTIONAL_LANE = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One message to be owed."""

    visit: StepVisit
    template_id: int
    channel: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str:
        """Name this coming of this enrollment to this step."""
        visit = self.visit
        return f"enrollment:{visit.subject.enrollment_id}:{visit.step_key}:{visit.pass_no}"


def plan_many(plans: Sequence[Plan], now: datetime) -> None:
    """Owe messages, each with its first dispatch; planned again, nothing is added."""
    if not plans:
        return
    insert_or_ignore(
        Message, [_message_row(plan, now) for plan in plans], conflict="idempotency_key"
    )
    ids = dict(
        Message.objects.filter(
            idempotency_key__in=[plan.idempotency_key for plan in plans]
        ).values_list("idempotency_key", "pk")
    )
    insert_or_ignore(
        MessageItem,
        [
            {
                "message_id": ids[plan.idempotency_key],
                "enrollment_id": plan.visit.subject.enrollment_id,
            }
            for plan in plans
        ],
        conflict=("message", "enrollment"),
    )
    insert_or_ignore(
        Dispatch,
        [
            {
                "message_id": ids[plan.idempotency_key],
                "channel": plan.channel,
                "lane": lane_of(plan.visit.stream),
                "due_at": now,
            }
            for plan in plans
        ],
        conflict=("message", "hop"),
    )


def with_messages_on_the_way(enrollment_ids: Sequence[int]) -> set[int]:
    """Return those enrollments whose message is planned and neither sent nor decided against."""
    return set(
        MessageItem.objects.filter(
            enrollment_id__in=enrollment_ids, message__state=MessageState.PLANNED
        ).values_list("enrollment_id", flat=True)
    )


def lane_of(stream: str) -> int:
    """Return the lane of a stream: transactional messages go first."""
    return TRANSACTIONAL_LANE if stream == Stream.TRANSACTIONAL else PROMOTIONAL_LANE


def _message_row(plan: Plan, now: datetime) -> dict[str, Any]:
    visit, subject = plan.visit, plan.visit.subject
    return {
        "idempotency_key": plan.idempotency_key,
        "contact_id": subject.contact_id,
        "flow_id": subject.flow_id,
        "step_key": visit.step_key,
        "template_id": plan.template_id,
        "stream": visit.stream,
        "topic": visit.topic,
        "priority": visit.priority,
        "is_shadow": visit.is_shadow,
        "about_type": subject.about.type,
        "about_id": subject.about.id,
        "site_id": subject.site_id,
        "options": {**plan.options, "on_doubt": visit.on_doubt},
        "planned_at": now,
        "due_at": visit.due_at,
        "not_after": visit.due_at + visit.max_lateness,
    }
