"""After a backup was restored: the database does not know what was sent since it was taken.

Whatever was due in the lost time may have been sent. It is held until staff decide about it
(`engine.resolving`), rather than sent a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from ..models import (
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    JournalEntry,
    Message,
    MessageState,
    Pulse,
)
from ..models.sql import database_for
from . import resolving
from .decisions import Note, note_many

_MOST_AT_ONCE = 500
_MAY_HAVE_LEFT = (
    DispatchState.PLANNED,
    DispatchState.RETRY,
    DispatchState.LEASED,
    DispatchState.SENDING,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the lost time may have done, by ids; never by names or addresses."""

    dispatch_ids: Sequence[int] = ()
    enrollment_ids: Sequence[int] = ()
    #: Events that the backup had not yet brought to flows.
    journal_ids: Sequence[int] = ()
    flow_ids: Sequence[int] = ()
    #: When the clockwork last ran, if that was after the backup: it may have sent already.
    ticked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One message or person in doubt."""

    what: str
    id: int
    flow_key: str
    step_key: str
    contact_id: int | None
    due_at: datetime | None


def find(since: datetime, now: datetime) -> Found:
    """Return what was due up to now in a database as it was at `since` (both UTC)."""
    dispatches = Dispatch.objects.filter(
        state__in=_MAY_HAVE_LEFT, due_at__lte=now, message__is_shadow=False
    )
    people = Enrollment.objects.filter(
        state=EnrollmentState.ACTIVE, due_at__lte=now, is_shadow=False
    )
    # Also who waits for an event that the lost time may have brought.
    people |= Enrollment.objects.filter(state=EnrollmentState.ACTIVE, is_shadow=False).exclude(
        awaits=""
    )
    running = Flow.objects.exclude(state=FlowState.ARCHIVED)
    tick = Pulse.objects.filter(name="tick", ran_at__gt=since).first()
    return Found(
        dispatch_ids=list(dispatches.order_by("pk").values_list("pk", flat=True)),
        enrollment_ids=list(people.order_by("pk").values_list("pk", flat=True)),
        journal_ids=list(
            JournalEntry.objects.filter(routed_at=None).order_by("pk").values_list("pk", flat=True)
        ),
        flow_ids=list(
            running.filter(Q(active_since=None) | Q(active_since__lt=now)).values_list(
                "pk", flat=True
            )
        ),
        ticked_at=tick.ran_at if tick is not None else None,
    )


def lines(found: Found) -> Iterator[Line]:
    """Yield what is in doubt, message by message, then person by person."""
    for ids in _portions(found.dispatch_ids):
        rows = Dispatch.objects.filter(pk__in=ids).select_related("message__flow").order_by("pk")
        for row in rows:
            flow = row.message.flow
            yield Line(
                what="message",
                id=row.pk,
                flow_key=flow.key if flow is not None else "",
                step_key=row.message.step_key,
                contact_id=row.message.contact_id,
                due_at=row.due_at,
            )
    for ids in _portions(found.enrollment_ids):
        for person in Enrollment.objects.filter(pk__in=ids).select_related("flow").order_by("pk"):
            yield Line(
                what="person",
                id=person.pk,
                flow_key=person.flow.key,
                step_key=person.step_key,
                contact_id=person.contact_id,
                due_at=person.due_at,
            )


def hold(found: Found, since: datetime, now: datetime) -> None:
    """Hold everything that was found; flows take nobody in for what happened before now.

    May be run again: what is held already is left as it is.
    """
    Flow.objects.filter(pk__in=found.flow_ids).update(active_since=now)
    compared = {"since": since, "until": now}
    for ids in _portions(found.dispatch_ids):
        _hold_dispatches(ids, compared, now)
    for ids in _portions(found.enrollment_ids):
        _hold_people(ids, compared, now)


def _hold_dispatches(ids: Sequence[int], compared: dict[str, datetime], now: datetime) -> None:
    with transaction.atomic(using=database_for(Dispatch)):
        rows = list(
            Dispatch.objects.select_for_update(of=("self",))
            .select_related("message")
            .filter(pk__in=ids, state__in=_MAY_HAVE_LEFT)
            .order_by("pk")
        )
        Dispatch.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=DispatchState.UNKNOWN,
            reason=resolving.RESTORED,
            settled_at=now,
            lease_owner="",
            leased_until=None,
        )
        Message.objects.filter(pk__in=[row.message_id for row in rows]).update(
            state=MessageState.UNKNOWN, reason=resolving.RESTORED, settled_at=now
        )
        note_many(
            [
                Note(
                    rule="after_restore",
                    verdict=DispatchState.UNKNOWN.value,
                    reason=resolving.RESTORED,
                    compared=compared,
                    message_id=row.message_id,
                    flow_id=row.message.flow_id,
                )
                for row in rows
            ],
            now,
        )


def _hold_people(ids: Sequence[int], compared: dict[str, datetime], now: datetime) -> None:
    with transaction.atomic(using=database_for(Enrollment)):
        rows = list(
            Enrollment.objects.select_for_update(of=("self",))
            .filter(pk__in=ids, state=EnrollmentState.ACTIVE)
            .order_by("pk")
        )
        Enrollment.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=EnrollmentState.HELD, lease_owner="", leased_until=None
        )
        note_many(
            [
                Note(
                    rule="after_restore",
                    verdict=EnrollmentState.HELD.value,
                    reason=resolving.RESTORED,
                    compared={**compared, "step": row.step_key},
                    enrollment_id=row.pk,
                    flow_id=row.flow_id,
                )
                for row in rows
            ],
            now,
        )


def count_held() -> int:
    """Count the people whom staff have yet to decide about."""
    held = resolving.held_enrollments()
    return held.count() - resolving.except_restored(held).count()


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _MOST_AT_ONCE):
        yield ids[start : start + _MOST_AT_ONCE]
