"""Making one contact of two that turned out to be the same person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from .. import events
from ..models import (
    Assignment,
    BasketWatch,
    ConsentEvent,
    Contact,
    ContactPoint,
    ContactTag,
    Dispatch,
    Enrollment,
    EnrollmentState,
    ExitReason,
    JournalEntry,
    Message,
    MessageItem,
    MessageState,
    VoucherGrant,
)
from ..models.sql import database_for
from . import belongings, enrollments

#: Ends that hold for the episode, whichever contact it was.
_DECIDED = (ExitReason.GOAL, ExitReason.CANCELLED)
#: Ends after which nobody begins the same episode again, where they were written to.
_WENT_THROUGH = (ExitReason.COMPLETED, ExitReason.MOVED, ExitReason.MISSED)
_TOLD = (MessageState.PLANNED, MessageState.SENT, MessageState.UNKNOWN)
_FILLED = ("first_name", "last_name", "language", "time_zone", "site_id")
_EPISODE_KEY_LENGTH = 120


def follow(contacts: Iterable[Contact]) -> dict[int, Contact]:
    """Return, by the id of each contact, the contact that it was joined into, or itself."""
    start = {contact.pk: contact for contact in contacts}
    rows = dict(start)
    while missing := {
        contact.joined_into_id
        for contact in rows.values()
        if contact.joined_into_id is not None and contact.joined_into_id not in rows
    }:
        found = Contact.objects.in_bulk(missing)
        if not found:
            break
        rows.update(found)
    ends: dict[int, Contact] = {}
    for pk, contact in start.items():
        seen = {pk}
        while contact.joined_into_id in rows and contact.joined_into_id not in seen:
            contact = rows[contact.joined_into_id]
            seen.add(contact.pk)
        ends[pk] = contact
    return ends


def join(winner_id: int, loser_id: int, now: datetime) -> bool:
    """Move a contact's points, consent, enrollments, messages and things to another one.

    The loser stays as a signpost. Returns False, and changes nothing, where there is nothing to
    join: the same contact, one that was joined already, or two accounts, which are never joined.
    """
    with transaction.atomic(using=database_for(Contact)):
        rows = {
            row.pk: row
            for row in Contact.objects.select_for_update()
            .filter(pk__in=[winner_id, loser_id])
            .order_by("pk")
        }
        winner, loser = rows.get(winner_id), rows.get(loser_id)
        if winner is None or loser is None or winner.pk == loser.pk:
            return False
        if winner.joined_into_id is not None or loser.joined_into_id is not None:
            return False
        if _is_account(winner) and _is_account(loser):
            return False
        if _is_account(loser):
            winner, loser = loser, winner
        _move_points(winner, loser)
        _move_enrollments(winner, loser, now)
        ConsentEvent.objects.filter(contact=loser).update(contact=winner)
        Message.objects.filter(contact=loser).update(contact=winner)
        BasketWatch.objects.filter(contact=loser).update(contact=winner)
        JournalEntry.objects.filter(contact=loser).update(contact=winner)
        VoucherGrant.objects.filter(contact=loser).update(contact=winner)
        _move_tags(winner, loser)
        _move_assignments(winner, loser)
        belongings.move(winner, loser, now)
        # What the one did not tell, the other may have; where both did, the winner's stays.
        winner.fields = {**(loser.fields or {}), **(winner.fields or {})}
        for name in _FILLED:
            if not getattr(winner, name):
                setattr(winner, name, getattr(loser, name))
        winner.created_at = min(winner.created_at, loser.created_at)
        winner.seen_at = max((m for m in (winner.seen_at, loser.seen_at) if m), default=None)
        winner.save(update_fields=[*_FILLED, "fields", "created_at", "seen_at"])
        Contact.objects.filter(joined_into=loser).update(joined_into=winner)
        Contact.objects.filter(pk=loser.pk).update(joined_into=winner, fields={})
    return True


def _is_account(contact: Contact) -> bool:
    return contact.user_id is not None or contact.identity_key.startswith("user:")


def _move_points(winner: Contact, loser: Contact) -> None:
    kept = {(p.channel, p.normalised): p for p in ContactPoint.objects.filter(contact=winner)}
    for point in ContactPoint.objects.filter(contact=loser):
        twin = kept.get((point.channel, point.normalised))
        if twin is None:
            ContactPoint.objects.filter(pk=point.pk).update(contact=winner)
            continue
        if point.verified_at and (not twin.verified_at or twin.verified_at < point.verified_at):
            ContactPoint.objects.filter(pk=twin.pk).update(verified_at=point.verified_at)
        Dispatch.objects.filter(point=point).update(point=twin)
        point.delete()


def _move_tags(winner: Contact, loser: Contact) -> None:
    theirs = ContactTag.objects.filter(contact=loser)
    theirs.filter(tag__in=ContactTag.objects.filter(contact=winner).values("tag")).delete()
    theirs.update(contact=winner)


def _move_assignments(winner: Contact, loser: Contact) -> None:
    """Move the arms of splits and holdouts; of two in one place the earlier stays."""
    mine = {(a.flow_id, a.name): a for a in Assignment.objects.filter(contact=winner)}
    for one in Assignment.objects.filter(contact=loser).order_by("pk"):
        twin = mine.get((one.flow_id, one.name))
        if twin is not None and twin.assigned_at <= one.assigned_at:
            one.delete()
            continue
        if twin is not None:
            twin.delete()
        Assignment.objects.filter(pk=one.pk).update(contact=winner)


def _move_enrollments(winner: Contact, loser: Contact, now: datetime) -> None:
    """Keep the furthest of the running enrollments that stand for one thing; move what is left.

    One thing is a flow where an event is followed one at a time (a left basket), else an episode
    of it: who has two orders is asked about both.
    """
    both = Enrollment.objects.select_for_update(of=("self",)).select_related("flow").order_by("pk")
    mine, theirs = list(both.filter(contact=winner)), list(both.filter(contact=loser))
    ended: dict[ExitReason, list[int]] = defaultdict(list)
    running: dict[tuple[int, str], list[Enrollment]] = defaultdict(list)
    for enrollment in [*mine, *theirs]:
        if enrollment.state != EnrollmentState.ENDED:
            running[_one_thing(enrollment)].append(enrollment)
    things_of_loser = {_one_thing(enrollment) for enrollment in theirs}
    for thing, several in running.items():
        if thing not in things_of_loser or len(several) == 1:
            continue
        furthest = min(several, key=_distance)
        for other in several:
            if other is furthest:
                continue
            same = other.episode_key == furthest.episode_key
            ended[ExitReason.JOINED if same else ExitReason.SUPERSEDED].append(other.pk)
    over = {(row.flow_id, row.episode_key) for row in _who_had_it([*mine, *theirs])}
    gone = {pk for ids in ended.values() for pk in ids}
    ended[ExitReason.JOINED] += [
        row.pk
        for several in running.values()
        for row in several
        if (row.flow_id, row.episode_key) in over and row.pk not in gone
    ]
    for reason, ids in ended.items():
        enrollments.exit_many(
            ids, reason, now, rule="join", compared={"joined": loser.pk, "into": winner.pk}
        )
    gone = {pk for ids in ended.values() for pk in ids}
    by_episode = {(e.flow_id, e.episode_key): e for e in mine}
    for enrollment in theirs:
        twin = by_episode.get((enrollment.flow_id, enrollment.episode_key))
        if twin is not None:
            # One contact has an episode once: the one that is over gets a name of its own.
            renamed = twin if twin.pk in gone else enrollment
            key = f"{renamed.episode_key[: _EPISODE_KEY_LENGTH - 22]}~{renamed.pk}"
            Enrollment.objects.filter(pk=renamed.pk).update(episode_key=key)
        Enrollment.objects.filter(pk=enrollment.pk).update(contact=winner)


def _who_had_it(rows: Iterable[Enrollment]) -> list[Enrollment]:
    """Return those through which the person had an episode already, or was kept from it."""
    over = [row for row in rows if row.state == EnrollmentState.ENDED and not row.is_shadow]
    written_to = set(
        MessageItem.objects.filter(
            enrollment__in=[row.pk for row in over], message__state__in=_TOLD
        ).values_list("enrollment_id", flat=True)
    )
    return [
        row
        for row in over
        if row.exit_reason in _DECIDED
        or (row.exit_reason in _WENT_THROUGH and row.pk in written_to)
    ]


def _one_thing(enrollment: Enrollment) -> tuple[int, str]:
    kind = enrollment.flow.trigger_kind
    one_at_a_time = kind in events.registry and events.registry.get(kind).one_at_a_time
    return enrollment.flow_id, "" if one_at_a_time else enrollment.episode_key


def _distance(enrollment: Enrollment) -> tuple[int, datetime, int]:
    """Order enrollments by how far they came, the furthest first; the older one of two equals."""
    return (-sum(enrollment.passes.values()), enrollment.entered_at, enrollment.pk)
