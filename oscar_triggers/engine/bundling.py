"""Bundling: several things of one kind become one message, while it still waits.

A message that may be joined carries a `bundle_key`, of which there is one at a time. Who joins
holds the message's row; who leases it takes the key away first, and so waits for those who are
just joining: nothing joins a letter that is already being written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from ..models import Dispatch, DispatchState, Enrollment, Message, MessageItem, MessageState
from ..models.questions import Among, Question
from ..models.sql import database_for
from .decisions import Note, note_many

#: Among a message's options: the key under which it may be joined again while it is put off.
OPTION = "bundle"


def close(dispatch_ids: Collection[int]) -> None:
    """Let nothing more join the messages of leased dispatches; waits for who is joining."""
    ids = [pk for (pk,) in _OPEN.ask({"dispatches": dispatch_ids})]
    if not ids:
        return  # Only who has leased a message makes it one that may be joined again.
    with transaction.atomic(using=database_for(Message)):
        # One after the other in the order of their numbers, as those who join take them.
        locked = Message.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        Message.objects.filter(pk__in=[row.pk for row in locked.only("pk")]).update(bundle_key=None)


_OPEN = Question(
    lambda: Message,
    lambda rows: (
        rows.filter(Among("dispatches__id", "dispatches"), bundle_key__isnull=False)
        .order_by("pk")
        .values_list("pk")
    ),
)


def open_again(message: Message) -> None:
    """Let more join a message that was put off, unless a younger one is gathering already."""
    key = message.options.get(OPTION)
    if not key:
        return
    try:
        with transaction.atomic(using=database_for(Message)):
            Message.objects.filter(pk=message.pk, state=MessageState.PLANNED).update(bundle_key=key)
    except IntegrityError:
        return  # The younger one goes on gathering.


def detach(enrollment_ids: Collection[int], now: datetime) -> None:
    """Take enrollments out of messages that speak for others too; these stay owed to the others.

    What is being written at this moment is written anew without them.
    """
    with transaction.atomic(using=database_for(Message)):
        shared = _shared(enrollment_ids)
        if not shared:
            return
        list(Message.objects.select_for_update().filter(pk__in=shared).order_by("pk").only("pk"))
        # As it stands now that nobody else can change it.
        shared = _shared(enrollment_ids)
        MessageItem.objects.filter(
            message_id__in=shared, enrollment_id__in=list(enrollment_ids)
        ).delete()
        _speak_for_the_first(shared)
        Dispatch.objects.filter(message_id__in=shared, state=DispatchState.LEASED).update(
            state=DispatchState.PLANNED, due_at=now, lease_owner="", leased_until=None
        )


def _shared(enrollment_ids: Collection[int]) -> list[int]:
    """Return the waiting messages of these enrollments that speak for others too."""
    mine = (
        MessageItem.objects.filter(
            enrollment_id__in=list(enrollment_ids), message__state=MessageState.PLANNED
        )
        .exclude(message__dispatches__state=DispatchState.SENDING)
        .values("message_id")
    )
    return list(
        MessageItem.objects.filter(message_id__in=mine)
        .exclude(enrollment_id__in=list(enrollment_ids))
        .values_list("message_id", flat=True)
        .distinct()
    )


def _speak_for_the_first(message_ids: Sequence[int]) -> None:
    """Let each message be about what the first of those is about who are left in it."""
    first: dict[int, Enrollment] = {}
    for item in (
        MessageItem.objects.filter(message_id__in=message_ids)
        .select_related("enrollment", "message")
        .order_by("pk")
    ):
        first.setdefault(item.message_id, item.enrollment)
    by_about: dict[tuple[str, str], list[int]] = defaultdict(list)
    for message_id, enrollment in first.items():
        by_about[enrollment.about_type, enrollment.about_id].append(message_id)
    for (about_type, about_id), ids in by_about.items():
        Message.objects.filter(pk__in=ids).exclude(about_id=about_id).update(
            about_type=about_type, about_id=about_id
        )


def leave(
    row: Dispatch,
    enrollment_id: int,
    now: datetime,
    *,
    rule: str,
    reason: str,
    compared: Mapping[str, Any],
) -> None:
    """Take one enrollment out of a bundle that a guard held back, and say why."""
    detach([enrollment_id], now)
    note_many(
        [
            Note(
                rule=rule,
                verdict="left_out",
                reason=reason,
                compared=compared,
                message_id=row.message_id,
                enrollment_id=enrollment_id,
                flow_id=row.message.flow_id,
            )
        ],
        now,
    )
