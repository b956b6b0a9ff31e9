"""Suppressing: a point that is never written to again, and what was to go there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from .. import signals
from ..models import ContactPoint, Enrollment, ExitReason, Message, MessageState, SuppressionReason
from ..models.sql import database_for
from ..policy import suppressions
from . import enrollments


def suppress(
    points: Iterable[tuple[str, str]],
    reason: SuppressionReason,
    now: datetime,
    *,
    note: str = "",
) -> int:
    """Never write to these (channel, point hash) again; return how many are new.

    Who cannot be reached by the channel any more leaves the flows at once, and what was planned
    for there is cancelled. The number of queries does not depend on the number of points.
    """
    wanted = {(channel, hash_) for channel, hash_ in points if hash_}
    if not wanted:
        return 0
    with transaction.atomic(using=database_for(Enrollment)):
        present = suppressions.suppressed_among(wanted)
        new = sorted(wanted - set(present))
        suppressions.suppress_many(new, reason, now, note=note)
        for channel in sorted({channel for channel, _hash in new}):
            _let_go(channel, {hash_ for kind, hash_ in new if kind == channel}, reason, now)
        for channel, hash_ in new:
            _tell_after_commit(channel, hash_, reason)
    return len(new)


def _let_go(channel: str, hashes: set[str], reason: SuppressionReason, now: datetime) -> None:
    people = _unreachable(channel, hashes)
    if not people:
        return
    compared = {"channel": channel, "suppression": reason.value}
    running = Enrollment.objects.filter(contact_id__in=people, state__in=enrollments.UNFINISHED)
    enrollments.exit_many(
        list(running.values_list("pk", flat=True)),
        ExitReason.UNSUBSCRIBED,
        now,
        rule="consent",
        compared=compared,
    )
    waiting = Message.objects.filter(
        contact_id__in=people, state=MessageState.PLANNED, dispatches__channel=channel
    )
    enrollments.cancel_planned(
        list(waiting.values_list("pk", flat=True)), ExitReason.UNSUBSCRIBED.value, now
    )


def _unreachable(channel: str, hashes: set[str]) -> set[int]:
    """Return the contacts who had one of these points and have no other on the channel."""
    people = set(
        ContactPoint.objects.filter(channel=channel, point_hash__in=hashes).values_list(
            "contact_id", flat=True
        )
    )
    theirs = ContactPoint.objects.filter(channel=channel, contact_id__in=people).values_list(
        "contact_id", "point_hash"
    )
    rows = list(theirs)
    gone = suppressions.suppressed_among((channel, hash_) for _contact, hash_ in rows)
    return people - {contact for contact, hash_ in rows if (channel, hash_) not in gone}


def _tell_after_commit(channel: str, hash_: str, reason: SuppressionReason) -> None:
    def tell() -> None:
        signals.point_suppressed.send_robust(
            sender=None, channel=channel, point_hash=hash_, reason=reason.value
        )

    transaction.on_commit(tell, using=database_for(Enrollment), robust=True)
