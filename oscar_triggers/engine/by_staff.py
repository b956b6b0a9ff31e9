"""By hand: what staff do for one person, by the same verbs as everything else.

The reasons that staff give stand in the history of the face that they used: they may name people,
and decisions hold no names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from ..models import (
    ALL_TOPICS,
    ConsentAction,
    Contact,
    ContactPoint,
    Enrollment,
    ExitReason,
    Message,
    MessageState,
    Suppression,
    SuppressionReason,
)
from ..models.sql import database_for
from ..policy import consent, suppressions
from . import consents, contacts, enrollments, suppressing
from .decisions import Note, note_many
from .resolving import STAFF

#: Where the ledger says that staff wrote a line.
SOURCE = "admin"
#: What staff may lift: their own blocks, and addresses that were mended. Who complained or asked
#: to be forgotten is never written to again.
LIFTABLE = (SuppressionReason.MANUAL, SuppressionReason.BOUNCE)

Stopper = Callable[[int, datetime], int]
_stoppers: list[Stopper] = []


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What was stopped for one person."""

    ways: int
    messages: int
    #: What other rooms stopped: requests to be told, as far as they go.
    requests: int
    #: Points that were blocked.
    blocked: int


def also_stops(stopper: Stopper) -> Stopper:
    """Have something more end when everything is stopped for a contact; it returns how many."""
    if stopper not in _stoppers:
        _stoppers.append(stopper)
    return stopper


def stop_everything(
    contact_id: int, now: datetime, *, by: Any, block: bool = False, note: str = ""
) -> Stopped:
    """End every way of a contact, cancel what is planned, and withdraw every consent.

    With `block`, their points are suppressed too: then not even letters about orders go.
    """
    with transaction.atomic(using=database_for(Enrollment)):
        contacts.hold({contact_id})
        running = Enrollment.objects.filter(
            contact_id=contact_id, state__in=enrollments.UNFINISHED
        ).values_list("pk", flat=True)
        planned = list(
            Message.objects.filter(contact_id=contact_id, state=MessageState.PLANNED).values_list(
                "pk", flat=True
            )
        )
        ways = enrollments.exit_many(
            list(running), ExitReason.CANCELLED, now, rule=STAFF, compared=_by(by)
        )
        enrollments.cancel_planned(planned, ExitReason.CANCELLED.value, now)
        _note_cancelled(planned, now, by)
        requests = sum(stopper(contact_id, now) for stopper in _stoppers)
        points = list(ContactPoint.objects.filter(contact_id=contact_id))
        for point in points:
            withdraw(point, topic=ALL_TOPICS, now=now, by=by)
        blocked = (
            suppressing.suppress(
                [(point.channel, point.point_hash) for point in points],
                SuppressionReason.MANUAL,
                now,
                note=note,
            )
            if block
            else 0
        )
    return Stopped(ways=ways, messages=len(planned), requests=requests, blocked=blocked)


def _note_cancelled(message_ids: list[int], now: datetime, by: Any) -> None:
    note_many(
        [
            Note(
                rule=STAFF,
                verdict="cancelled",
                reason=ExitReason.CANCELLED.value,
                compared=_by(by),
                message_id=pk,
            )
            for pk in message_ids
        ],
        now,
    )


def withdraw(point: ContactPoint, *, topic: str, now: datetime, by: Any) -> bool:
    """Write down that a person refused a mailing; False when the ledger says so already."""
    standing = consent.state(point.channel, point.point_hash, topic)
    if (
        standing is not None
        and standing.action == ConsentAction.WITHDRAW
        and standing.topic in (topic, ALL_TOPICS)
    ):
        return False
    consents.withdraw(point, topic=topic, source=SOURCE, now=now, actor_id=_pk(by))
    return True


def lift(channel: str, point_hash: str) -> bool:
    """Let a point be written to again that staff blocked, or that did not exist for a while.

    Consent is not given back by it. False where there is no such block, or it must stay.
    """
    reasons = Suppression.objects.filter(channel=channel, point_hash=point_hash)
    reason = reasons.values_list("reason", flat=True).first()
    return reason in LIFTABLE and suppressions.lift(channel, point_hash)


def take_out(contact: Contact, enrollment_id: int, now: datetime, *, by: Any) -> bool:
    """Let a contact out of a flow; what was planned is cancelled. False when they had left."""
    mine = Enrollment.objects.filter(pk=enrollment_id, contact=contact)
    if not mine.exists():
        return False
    return bool(
        enrollments.exit_many(
            [enrollment_id], ExitReason.CANCELLED, now, rule=STAFF, compared=_by(by)
        )
    )


def _pk(by: Any) -> Any:
    return getattr(by, "pk", None)


def _by(by: Any) -> dict[str, Any]:
    return {"user": _pk(by)}
