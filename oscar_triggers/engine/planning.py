"""Planning: owing a message, once for each coming to a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ..models import Dispatch, Message, MessageItem, MessageState, Stream
from ..models.sql import database_for, insert_or_ignore
from ..steps import StepVisit
from . import bundling

TRANSACTIONAL_LANE = 0
PROMOTIONAL_LANE = 1
#: One-off letters to many: behind everything that somebody's act or silence began.
BULK_LANE = 2

#: A message that is leased just when it is joined gives way to a new one; that again and again
#: is no accident any more.
_MOST_TRIES = 5


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

    @property
    def bundle_key(self) -> str | None:
        """Name what may become one message with it; None when it goes alone."""
        visit, subject = self.visit, self.visit.subject
        if not visit.bundle:
            return None
        parts = (
            subject.flow_id,
            visit.step_key,
            subject.contact_id,
            subject.site_id or "",
            subject.about.type,
            self.template_id,
            self.channel,
            "shadow" if visit.is_shadow else "",
        )
        return "bundle:" + ":".join(str(part) for part in parts)


def plan_many(plans: Sequence[Plan], now: datetime) -> None:
    """Owe messages, each with its first dispatch; planned again, nothing is added.

    What a flow bundles joins a message that waits for more of its kind, or begins one.
    """
    _owe([plan for plan in plans if plan.bundle_key is None], now)
    gathered = [plan for plan in plans if plan.bundle_key is not None]
    if gathered:
        with transaction.atomic(using=database_for(Message)):
            _gather(gathered, now)


def _owe(plans: Sequence[Plan], now: datetime) -> None:
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
    _speak_for(plans, [ids[plan.idempotency_key] for plan in plans])
    _dispatch(plans, [ids[plan.idempotency_key] for plan in plans], now)


def _gather(plans: Sequence[Plan], now: datetime) -> None:
    keys = [plan.idempotency_key for plan in plans]
    known = set(
        MessageItem.objects.filter(idempotency_key__in=keys).values_list(
            "idempotency_key", flat=True
        )
    ) | set(
        Message.objects.filter(idempotency_key__in=keys).values_list("idempotency_key", flat=True)
    )
    waiting = [plan for plan in plans if plan.idempotency_key not in known]
    for _try in range(_MOST_TRIES):
        if not waiting:
            return
        waiting = _join_or_begin(waiting, now)
    _owe(waiting, now)


def _join_or_begin(plans: Sequence[Plan], now: datetime) -> list[Plan]:
    """Join or begin a message for each; return those whose message was leased meanwhile."""
    first: dict[str, Plan] = {}
    for plan in plans:
        first.setdefault(plan.bundle_key or "", plan)
    # What was settled while it gathered gathers no more.
    Message.objects.filter(bundle_key__in=first).exclude(state=MessageState.PLANNED).update(
        bundle_key=None
    )
    insert_or_ignore(
        Message,
        [
            {
                **_message_row(plan, now, later=plan.visit.bundle or timedelta(0)),
                "bundle_key": key,
                "options": {**_options(plan), bundling.OPTION: key},
            }
            for key, plan in sorted(first.items())
        ],
        conflict=(),
    )
    # Held until we commit: whoever leases the message waits for its new item.
    held = dict(
        Message.objects.select_for_update()
        .filter(bundle_key__in=first, state=MessageState.PLANNED)
        .order_by("pk")
        .values_list("bundle_key", "pk")
    )
    joining = [plan for plan in plans if plan.bundle_key in held]
    _speak_for(joining, [held[plan.bundle_key] for plan in joining])
    begun = [first[key] for key in held if key]
    _dispatch(begun, [held[plan.bundle_key] for plan in begun], now)
    return [plan for plan in plans if plan.bundle_key not in held]


def _speak_for(plans: Sequence[Plan], message_ids: Sequence[int]) -> None:
    insert_or_ignore(
        MessageItem,
        [
            {
                "message_id": message_id,
                "enrollment_id": plan.visit.subject.enrollment_id,
                "idempotency_key": plan.idempotency_key,
            }
            for plan, message_id in zip(plans, message_ids, strict=True)
        ],
        conflict=(),
    )


def _dispatch(plans: Sequence[Plan], message_ids: Sequence[int], now: datetime) -> None:
    insert_or_ignore(
        Dispatch,
        [
            {
                "message_id": message_id,
                "channel": plan.channel,
                "lane": (
                    plan.visit.lane if plan.visit.lane is not None else lane_of(plan.visit.stream)
                ),
                "due_at": now + (plan.visit.bundle or timedelta(0)),
            }
            for plan, message_id in zip(plans, message_ids, strict=True)
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


def _options(plan: Plan) -> dict[str, Any]:
    return {**plan.options, "on_doubt": plan.visit.on_doubt}


def _message_row(plan: Plan, now: datetime, *, later: timedelta = timedelta(0)) -> dict[str, Any]:
    """Return a message's values; `later` is how long it waits to be joined."""
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
        "variants": dict(visit.variants),
        "about_type": subject.about.type,
        "about_id": subject.about.id,
        "site_id": subject.site_id,
        "options": _options(plan),
        "planned_at": now,
        "due_at": visit.due_at + later,
        "not_after": visit.due_at + later + visit.max_lateness,
    }
