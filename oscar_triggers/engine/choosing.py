"""Choosing: who gets a one-off letter, looked for slice by slice when its time has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ..exceptions import TriggersError
from ..models import (
    Enrollment,
    EnrollmentState,
    FlowState,
    LetterState,
    Message,
    MessageState,
    OneOffLetter,
    Pulse,
)
from ..models.sql import database_for, insert_or_ignore
from ..policy import staff, zones
from ..snapshots import Subject
from . import audience, enrollments, faults, one_off, planning, segments, sweeping
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

#: How long one look chooses before the tick has other work done (seconds).
_LONGEST = 1.0


@sweeping.register
class OneOffLetters(sweeping.Sweep):
    """Begins letters whose time has come, goes on with those begun, and ends those that are through."""

    name = "one_off_letters"
    every = timedelta(seconds=4)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Choose people for as long as a tick may be kept busy with it."""
        until = time.monotonic() + _LONGEST
        chosen = 0
        due = OneOffLetter.objects.filter(state__in=one_off.OPEN, start_at__lte=now)
        for pk in due.order_by("start_at", "pk").values_list("pk", flat=True):
            try:
                chosen += _go_on(pk, now, until)
            except Exception as error:  # noqa: BLE001 - one letter's segment must not stop the others
                said = str(error) if isinstance(error, TriggersError) else type(error).__name__
                OneOffLetter.objects.filter(pk=pk).update(problem=said[:300])
                logger.error("The one-off letter %s cannot go on: %s", pk, faults.told(error))
        return {"chosen": chosen}


def _go_on(letter_id: int, now: datetime, until: float) -> int:
    """Choose for one letter until everybody was looked at or time is up; return how many."""
    total = 0
    while True:
        with transaction.atomic(using=database_for(OneOffLetter)):
            letter = one_off.locked(letter_id)
            chosen = _slice(letter, now)
        if chosen is None:
            return total
        total += chosen
        if time.monotonic() >= until:
            return total


def _slice(letter: OneOffLetter, now: datetime) -> int | None:
    """Look at the next people for a locked letter; None: there is nothing more to do now."""
    flow = letter.flow
    if letter.state not in one_off.OPEN or flow is None or flow.state != FlowState.LIVE:
        return None
    if letter.chosen_at is not None:
        _end_when_through(letter, now)
        return None
    if letter.state == LetterState.SCHEDULED:
        if now > _deadline(letter):
            one_off.end(letter, LetterState.MISSED, now)
            return None
        # The blast guard counts from the first message, not from the day it was confirmed.
        type(flow).objects.filter(pk=flow.pk).update(blast_since=now)
        letter.state, letter.started_at = LetterState.SENDING, now
    contacts = [] if now > _deadline(letter) else audience.people(letter.last_contact_id)
    if not contacts:
        letter.chosen_at = now
        letter.save()
        return 0
    subjects = audience.subjects_of(contacts, now)
    belonging = audience.members(segments.get(letter.segment), subjects, now)
    ours = staff.among([one.contact_id for one in belonging])
    meant = [one for one in belonging if one.contact_id not in ours]
    letter.chosen += _enroll(letter, meant, now)
    letter.looked_at += len(contacts)
    letter.last_contact_id = contacts[-1].pk
    letter.problem = ""
    letter.save()
    return len(meant)


def _deadline(letter: OneOffLetter) -> datetime:
    """Return after which moment nobody is chosen any more."""
    assert letter.start_at is not None
    meant = letter.start_at if letter.send_at is None else one_off.last_moment(letter)
    return max(meant, letter.start_at) + letter.max_lateness


def _enroll(letter: OneOffLetter, subjects: Sequence[Subject], now: datetime) -> int:
    """Put people on their way, once each; return how many are new."""
    flow = letter.flow
    assert flow is not None
    assert flow.live_version_id is not None
    if not subjects:
        return 0
    watermarks = enrollments.current_watermarks()
    rows = []
    for one in subjects:
        zone = zones.zone_of(one.time_zone, one.phones, one.site_id)
        due_at = one_off.moment_for(letter, zone, now)
        rows.append(
            {
                "flow_id": flow.pk,
                "version_id": flow.live_version_id,
                "contact_id": one.contact_id,
                "episode_key": f"{one_off.KIND}:{letter.pk}",
                "about_type": "",
                "about_id": "",
                "state": EnrollmentState.ACTIVE,
                "step_key": one_off.STEP,
                "due_at": due_at,
                "arrived_at": due_at,
                "clock_at": due_at,
                "entered_at": now,
                "payload": {},
                "watermarks": watermarks,
                "site_id": one.site_id,
                "lane": planning.BULK_LANE,
                "is_shadow": False,
            }
        )
    insert_or_ignore(Enrollment, rows, conflict=("flow", "contact", "episode_key"))
    begun = list(
        Enrollment.objects.filter(
            flow=flow, contact_id__in=[one.contact_id for one in subjects], entered_at=now
        )
    )
    note_many(
        [
            Note(
                rule="entry",
                verdict="entered",
                compared={"segment": letter.segment},
                enrollment_id=row.pk,
                flow_id=flow.pk,
            )
            for row in begun
        ],
        now,
    )
    for row in begun:
        enrollments.tell_entered(row)
    return len(begun)


def _end_when_through(letter: OneOffLetter, now: datetime) -> None:
    """Close a letter of which nothing waits any more."""
    waiting = Enrollment.objects.filter(flow=letter.flow, state__in=enrollments.UNFINISHED)
    planned = Message.objects.filter(flow=letter.flow, state=MessageState.PLANNED)
    if not waiting.exists() and not planned.exists():
        one_off.end(letter, LetterState.DONE, now)
