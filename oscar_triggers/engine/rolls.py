"""Rolls: people of a segment are counted into a table, slice by slice, for lists to be narrowed by.

Conditions answer in Python, so a segment cannot be part of a statement; a roll can. Readers see the
last roll that was counted to its end, never one that is still being written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.signals import post_delete
from django.dispatch import receiver

from ..exceptions import TriggersError
from ..models import Pulse, SavedSegment, SegmentMember, SegmentRoll
from ..models.sql import database_for, insert_or_ignore
from . import audience, faults, segments, sweeping

logger = logging.getLogger(__name__)

#: How long one look counts before the tick has other work done (seconds).
_LONGEST = 1.0
#: How long a roll stays after a newer one came: whoever began to read it reads it to the end.
_READ_FOR = timedelta(minutes=10)
#: So many rows of an old roll are deleted at once.
_BATCH = 5_000
#: Rows about so few people are found by way of the people; of more, every other row is one of theirs.
FEW = 10_000

R = TypeVar("R", bound=models.Model)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known of who belongs to a segment."""

    #: The last count that was finished.
    roll: SegmentRoll | None
    #: One that is going on.
    counting: SegmentRoll | None
    #: Whether the segment's conditions are not those any more by which the roll was counted.
    is_outdated: bool = False


def standing(key: str) -> Standing:
    """Return the last roll of a segment and one that is being counted, in one query."""
    rows = list(SegmentRoll.objects.filter(segment=key).order_by("pk"))
    counted = [one for one in rows if one.counted_at is not None]
    roll = counted[-1] if counted else None
    counting = next((one for one in rows if one.counted_at is None), None)
    is_outdated = roll is not None and roll.content_hash != segments.content_hash(key)
    return Standing(roll=roll, counting=counting, is_outdated=is_outdated)


def only(rows: QuerySet[R], roll: SegmentRoll, column: str = "contact_id") -> QuerySet[R]:
    """Keep the rows about people on a roll.

    Of few people the rows are looked up and sorted; of many, rows are asked in the list's order
    until a page is full. SQLite takes a statement as it is written, so it is written both ways.
    """
    members = SegmentMember.objects.filter(roll=roll)
    if roll.people <= FEW:
        return rows.filter(**{f"{column}__in": members.values("contact_id")})
    return rows.filter(Exists(members.filter(contact_id=OuterRef(column))))


def begin(key: str, now: datetime) -> SegmentRoll:
    """Begin to count a segment, or return the count that began already; raises InvalidOptions."""
    segments.get(key)
    row = {"segment": key, "content_hash": segments.content_hash(key), "started_at": now}
    insert_or_ignore(SegmentRoll, [row], conflict="")
    return SegmentRoll.objects.filter(segment=key).latest("pk")


def go_on(roll_id: int, now: datetime, *, within: float = _LONGEST) -> bool:
    """Count for so many seconds; return whether everybody was looked at."""
    until = time.monotonic() + within
    while True:
        try:
            with transaction.atomic(using=database_for(SegmentRoll)):
                is_over = _slice(roll_id, now)
        except Exception as error:  # noqa: BLE001 - one segment's question must not stop the others
            said = str(error) if isinstance(error, TriggersError) else type(error).__name__
            SegmentRoll.objects.filter(pk=roll_id).update(problem=said[:300])
            logger.error("Segment count %s cannot go on: %s", roll_id, faults.told(error))
            return False
        if is_over or time.monotonic() >= until:
            return is_over


def _slice(roll_id: int, now: datetime) -> bool:
    """Look at the next people; return whether nobody was left."""
    roll = SegmentRoll.objects.select_for_update().filter(pk=roll_id).first()
    if roll is None or roll.counted_at is not None:
        return True
    segment = segments.get(roll.segment)
    meant = segments.content_hash(roll.segment)
    if roll.content_hash != meant:
        # Somebody changed the segment: half by the old text and half by the new is neither.
        SegmentMember.objects.filter(roll=roll).delete()
        roll.content_hash, roll.started_at = meant, now
        roll.last_contact_id = roll.looked_at = roll.people = 0
    contacts = audience.people(roll.last_contact_id)
    if contacts:
        subjects = audience.subjects_of(contacts, roll.started_at)
        belonging = audience.members(segment, subjects, roll.started_at)
        SegmentMember.objects.bulk_create(
            [SegmentMember(roll=roll, contact_id=one.contact_id) for one in belonging]
        )
        roll.last_contact_id = contacts[-1].pk
        roll.looked_at += len(contacts)
        roll.people += len(belonging)
    else:
        roll.counted_at = now
    roll.problem = ""
    roll.save()
    return not contacts


@receiver(post_delete, sender=SavedSegment)
def _deleted(*, instance: SavedSegment, **kwargs: object) -> None:
    SegmentRoll.objects.filter(segment=instance.key).delete()


@sweeping.register
class SegmentRolls(sweeping.Sweep):
    """Goes on with counts that were begun, and clears those that newer ones replaced."""

    name = "segment_rolls"
    every = timedelta(seconds=4)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Count for as long as a tick may be kept busy with it."""
        until = time.monotonic() + _LONGEST
        known = segments.known()
        rows = list(SegmentRoll.objects.order_by("-pk").values("pk", "segment", "counted_at"))
        for row in reversed(rows):
            if row["counted_at"] is None and row["segment"] in known:
                go_on(row["pk"], now, within=max(0.0, until - time.monotonic()))
        _clear(_replaced(rows, known, now), until)
        return {"counts": sum(row["counted_at"] is None for row in rows)}


def _replaced(rows: Sequence[Any], known: Any, now: datetime) -> list[int]:
    """Return the counts that nobody reads: a newer one is there, or their segment is gone."""
    newest: dict[str, datetime] = {}
    found = []
    for row in rows:
        newer = newest.get(row["segment"])
        if row["segment"] not in known or (newer is not None and newer < now - _READ_FOR):
            found.append(row["pk"])
        if row["counted_at"] is not None:
            newest.setdefault(row["segment"], row["counted_at"])
    return found


def _clear(roll_ids: Sequence[int], until: float) -> None:
    """Delete counts a little at a time: other writers need not wait for it."""
    for roll_id in roll_ids:
        theirs = SegmentMember.objects.filter(roll_id=roll_id).order_by("contact_id")
        while some := list(theirs.values_list("pk", flat=True)[:_BATCH]):
            SegmentMember.objects.filter(pk__in=some).delete()
            if time.monotonic() >= until:
                return
        SegmentRoll.objects.filter(pk=roll_id).delete()
