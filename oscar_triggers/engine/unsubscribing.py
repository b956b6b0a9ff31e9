"""Leaving: what an unsubscription stops at once, and the way back."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction

from ..conf import PROMOTIONAL
from ..models import (
    ALL_TOPICS,
    ConsentAction,
    ConsentEvent,
    Contact,
    ContactPoint,
    Dispatch,
    Enrollment,
    ExitReason,
    Message,
    MessageState,
)
from ..models.sql import database_for
from ..policy import consent
from ..policy.points import EMAIL
from . import enrollments, joining, wording

_PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{22}")


def unsubscribe(public_id: str, now: datetime, *, source: str) -> bool:
    """Stop all promotional messages to the point that a message went to; safe to repeat.

    The withdrawal, the exits and the cancelled messages are one transaction. Returns False for
    an id that names no message to a contact; callers answer the same.
    """
    found = _point_of(public_id)
    if found is None:
        return False
    channel, hash_, contact_id = found
    with transaction.atomic(using=database_for(ConsentEvent)):
        _withdraw_once(channel, hash_, contact_id, now, source=source)
        stop_promotion(channel, hash_, contact_id, now)
    return True


def unsubscribe_point(
    channel: str, hash_: str, contact_id: int | None, now: datetime, *, source: str
) -> None:
    """Stop all promotional messages to a point, as a provider told; safe to repeat."""
    with transaction.atomic(using=database_for(ConsentEvent)):
        _withdraw_once(channel, hash_, contact_id, now, source=source)
        stop_promotion(channel, hash_, contact_id, now)


def subscribe_again(public_id: str, now: datetime, *, shown: str) -> bool:
    """Append a new consent for the point that a message went to, in the words on the page.

    Only someone who unsubscribed can take it back here. Returns False for an id that names no
    message, and where nothing was withdrawn; callers answer the same.
    """
    found = _point_of(public_id)
    if found is None:
        return False
    channel, hash_, contact_id = found
    words = wording.subscribe_again(shown)
    newest = _newest_spoken(channel, hash_)
    if words is None or newest is None or newest.action != ConsentAction.WITHDRAW:
        return False
    moment = max(now, newest.occurred_at)
    consent.write_many(
        [
            consent.Line(
                channel=channel,
                point_hash=hash_,
                topic=ALL_TOPICS,
                action=ConsentAction.GRANT,
                contact_id=contact_id,
                text=words.text,
                text_version=words.version,
                language=words.language,
                source="unsubscribe_page",
                occurred_at=moment,
                dedup_key=f"again:{newest.pk}",
            )
        ],
        moment,
    )
    return True


def reader_of(public_id: str) -> int | None:
    """Return the contact to whom a message went, None for an id that names none."""
    found = _point_of(public_id)
    return None if found is None else found[2]


def _point_of(public_id: str) -> tuple[str, str, int] | None:
    if not _PUBLIC_ID.fullmatch(public_id):
        return None
    row = (
        Dispatch.objects.filter(message__public_id=public_id, message__contact__isnull=False)
        .exclude(point_hash="")
        .order_by("hop")
        .values_list("channel", "point_hash", "message__contact")
    )
    rows = list(row)
    if not rows:
        return None
    # The link stands in a letter; other hops of a cascade have their own ways to say stop.
    channel, hash_, contact_id = next((r for r in rows if r[0] == EMAIL), rows[0])
    ends = joining.follow(Contact.objects.filter(pk=contact_id))
    return channel, hash_, ends[contact_id].pk


def _newest_spoken(channel: str, hash_: str) -> ConsentEvent | None:
    return (
        ConsentEvent.objects.filter(channel=channel, point_hash=hash_)
        .exclude(action=ConsentAction.GRANT, basis__in=consent.WEAK_BASES)
        .order_by("-occurred_at", "-id")
        .first()
    )


def _withdraw_once(
    channel: str, hash_: str, contact_id: int | None, now: datetime, *, source: str
) -> None:
    newest = _newest_spoken(channel, hash_)
    if (
        newest is not None
        and newest.action == ConsentAction.WITHDRAW
        and newest.topic == ALL_TOPICS
    ):
        return
    # Clocks of two servers differ: a withdrawal is never older than what it withdraws.
    moment = max(now, newest.occurred_at) if newest is not None else now
    consent.write_many(
        [
            consent.Line(
                channel=channel,
                point_hash=hash_,
                topic=ALL_TOPICS,
                action=ConsentAction.WITHDRAW,
                contact_id=contact_id,
                source=source,
                occurred_at=moment,
                # Two clicks at once are one withdrawal.
                dedup_key=f"unsubscribe:{hash_}:{newest.pk if newest else 0}",
            )
        ],
        moment,
    )


def stop_promotion(
    channel: str, hash_: str, contact_id: int | None, now: datetime, *, topic: str = ALL_TOPICS
) -> None:
    """End promotional enrollments and cancel promotional messages of whoever has a point."""
    people = set(
        ContactPoint.objects.filter(channel=channel, point_hash=hash_).values_list(
            "contact_id", flat=True
        )
    )
    if contact_id is not None:
        people.add(contact_id)
    running = Enrollment.objects.filter(
        contact_id__in=people,
        state__in=enrollments.UNFINISHED,
        version__definition__stream=PROMOTIONAL,
    )
    waiting = Message.objects.filter(
        contact_id__in=people,
        stream=PROMOTIONAL,
        state=MessageState.PLANNED,
        dispatches__channel=channel,
    )
    if topic != ALL_TOPICS:
        running = running.filter(version__definition__topic=topic)
        waiting = waiting.filter(topic=topic)
    enrollments.exit_many(
        list(running.values_list("pk", flat=True)),
        ExitReason.UNSUBSCRIBED,
        now,
        rule="consent",
        compared={"channel": channel, "action": ConsentAction.WITHDRAW.value, "topic": topic},
    )
    enrollments.cancel_planned(
        list(waiting.values_list("pk", flat=True)), ExitReason.UNSUBSCRIBED.value, now
    )
