"""Sending again: a message that was settled is owed once more, as a new one, by the same policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from ..models import (
    Contact,
    Dispatch,
    DispatchState,
    Enrollment,
    Message,
    MessageItem,
    MessageState,
)
from ..models.sql import database_for
from ..policy import verdicts
from . import asking, contacts, enrollments, planning, plans, preparing, resolving
from .decisions import Note, note_many
from .resolving import OPEN, STAFF, Answer

#: It was never decided about yet, or sent again already and still waits.
ON_ITS_WAY = "on_its_way"
#: Nobody can tell whether it arrived: that is decided first.
IN_DOUBT = "in_doubt"
#: A test, a confirmation: no flow owes it.
NO_FLOW = "no_flow"
#: Keys of messages that are owed again: "again:<number of the first>:<how often>".
_AGAIN = "again"


@dataclass(frozen=True, kw_only=True)
class Again:
    """What became of it: the new message, or why there is none."""

    message_id: int | None = None
    reason: str = ""
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: When a limit lets it go, if not at once.
    until: datetime | None = None


def send_again(message_id: int, now: datetime, *, by: Any) -> Again:
    """Owe a message once more, now: everything is asked anew, here and before it leaves.

    It is written anew, so it says what is true now; a voucher that it promises is a new one.
    """
    with transaction.atomic(using=database_for(Message)):
        message = (
            Message.objects.select_for_update(of=("self",))
            .select_related("flow", "contact")
            .filter(pk=message_id)
            .first()
        )
        if message is None or message.contact is None:
            return Again(reason="no_point")
        contacts.hold({message.contact.pk})
        refused = _refused(message, now)
        if refused is not None:
            return refused
        return _owe(message, message.contact, now, by)


def _refused(message: Message, now: datetime) -> Again | None:
    if message.flow is None:
        return Again(reason=NO_FLOW)
    if message.state == MessageState.PLANNED:
        return Again(reason=ON_ITS_WAY)
    if message.dispatches.filter(state__in=OPEN).exists():
        return Again(reason=IN_DOUBT)
    if _copies(message).filter(state=MessageState.PLANNED).exists():
        return Again(reason=ON_ITS_WAY)
    why = resolving.why_not_again(message, now, late=True)
    return None if why is None else Again(reason=_WORDS[why])


#: What `resolving` answers, as reasons of decisions.
_WORDS = {
    Answer.SWITCHED_OFF: "switched_off",
    Answer.NOT_WANTED: "not_wanted",
    Answer.TOO_LATE: "too_late",
    Answer.NOT_OPEN: ON_ITS_WAY,
}


def _copies(message: Message) -> Any:
    return Message.objects.filter(idempotency_key__startswith=f"{_AGAIN}:{message.pk}:")


def _owe(message: Message, contact: Contact, now: datetime, by: Any) -> Again:
    first = message.dispatches.order_by("hop").first()
    copy = Message(
        idempotency_key=f"{_AGAIN}:{message.pk}:{_copies(message).count() + 1}",
        contact=contact,
        flow=message.flow,
        step_key=message.step_key,
        template_id=message.template_id,
        stream=message.stream,
        topic=message.topic,
        priority=message.priority,
        variants=message.variants,
        about_type=message.about_type,
        about_id=message.about_id,
        site_id=message.site_id,
        options=message.options,
        planned_at=now,
        due_at=now,
        not_after=now + (message.not_after - message.due_at),
    )
    dispatch = Dispatch(
        message=copy,
        channel=first.channel if first is not None else "email",
        lane=planning.lane_of(message.stream),
        due_at=now,
        state=DispatchState.PLANNED,
    )
    items = list(message.items.order_by("pk").values_list("enrollment_id", flat=True))
    judgement = _judge(copy, dispatch, items[0], now)
    if isinstance(judgement, verdicts.Skip):
        return Again(reason=judgement.reason, compared=judgement.compared)
    copy.save()
    dispatch.save()
    MessageItem.objects.bulk_create(
        [MessageItem(message=copy, enrollment_id=enrollment_id) for enrollment_id in items]
    )
    note_many(
        [
            Note(
                rule=STAFF,
                verdict="planned",
                compared={"message": message.pk, "user": getattr(by, "pk", None)},
                message_id=copy.pk,
                flow_id=copy.flow_id,
            )
        ],
        now,
    )
    return Again(
        message_id=copy.pk,
        until=judgement.until if isinstance(judgement, verdicts.Postpone) else None,
    )


def _judge(
    copy: Message, dispatch: Dispatch, enrollment_id: int, now: datetime
) -> verdicts.Judgement:
    """Ask the referee before anything is written, so that a refusal leaves nothing behind."""
    row = Enrollment.objects.select_related("contact", "flow", "version").get(pk=enrollment_id)
    point = preparing.points_of([dispatch]).get((copy.contact_id, dispatch.channel))
    request = asking.request_of(
        # The referee knows messages by number; a new one has none yet.
        dispatch,
        enrollments.snapshots_of([row])[row.pk],
        plans.plan_of(row.version).definition,
        point_hash=point.point_hash if point is not None else "",
    )
    (judgement,) = verdicts.judge_many([replace(request, message_id=0)], now)
    return judgement
