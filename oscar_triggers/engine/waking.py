"""Waking: what an event means to people on their way: a goal, a reason to leave, a wait that ends."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Q, Value, When

from .. import events
from ..definitions import FlowDefinition
from ..events import Event
from ..models import (
    Enrollment,
    EnrollmentState,
    ExitReason,
    FlowVersion,
    JournalEntry,
    MessageState,
)
from ..models.sql import database_for
from ..snapshots import About
from . import contacts, enrollments, faults, plans
from .enrollments import Leaving
from .intake import Routed

logger = logging.getLogger(__name__)

#: Enrollment.awaits of who waits for whatever the person does.
ANYTHING = "*"
#: SQLite takes 32,766 values in one statement.
_AT_ONCE = 1_000
#: So many events are written with a statement of their own, more with one for all.
_FEW = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class _Concerned:
    """An enrollment that one or more of the events concern, in the order of the events."""

    row: Enrollment
    definition: FlowDefinition
    events: list[Routed]


def arrive(routed: Sequence[Routed], now: datetime) -> None:
    """Let events act on the enrollments of the same person or thing, in the order of what ends.

    A goal ends them; a condition to stay that holds no longer ends them; a wait for such an event
    is over. All of it at once, in the middle of whatever they wait for, in a number of statements
    that does not grow with the number of events. Goals and conditions are those of the version
    that someone is in.
    """
    concerned = _concerned(routed)
    if not concerned:
        return
    reached = _goals(concerned)
    enrollments.exit_each(reached, now)
    staying = [
        one
        for one in concerned
        if one.row.pk not in reached and one.row.state == EnrollmentState.ACTIVE
    ]
    left = _leave_at_once([one for one in staying if one.definition.stay], now)
    _wake([one for one in staying if one.row.awaits and one.row.pk not in left], now)


def catch_up(begun: Sequence[Enrollment], routed: Sequence[Routed], now: datetime) -> None:
    """Let those leave again whose goal came after the event that just brought them in.

    Both were routed together, as after an outage or by somebody who is quick, or the goal was
    routed first: when `arrive` asked, nobody was on the way yet. `begun` is loaded with version
    and journal entry; two queries for all.
    """
    goals = {row.pk: frozenset(plans.plan_of(row.version).definition.goals) for row in begun}
    rows = [row for row in begun if goals[row.pk] and row.journal_entry_id is not None]
    if not rows:
        return
    kinds = frozenset().union(*goals.values())
    told = [*_told_just_now(rows, routed), *_told_before(rows, kinds, now)]
    reached: dict[int, Leaving] = {}
    for row, entry_id, kind, about, occurred_at in sorted(told, key=lambda one: (one[4], one[1])):
        entry = row.journal_entry
        assert entry is not None
        came_after = (occurred_at, entry_id) > (entry.occurred_at, entry.pk)
        if kind in goals[row.pk] and came_after and row.pk not in reached:
            reached[row.pk] = Leaving(
                reason=ExitReason.GOAL.value,
                rule=kind,
                compared={"event": kind, "about": about, "at": occurred_at},
            )
    enrollments.exit_each(reached, now)


#: An enrollment, and what happened to its person or thing: journal id, kind, about what, when.
_Told = tuple[Enrollment, int, str, str, datetime]


def _told_just_now(rows: Sequence[Enrollment], routed: Sequence[Routed]) -> Iterator[_Told]:
    """Yield what is being routed at this moment; the journal does not know its contacts yet."""
    by_contact, by_about = _by_place(rows)
    for one in routed:
        told = (one.entry_id, one.event.kind, str(one.about or ""), one.occurred_at)
        for row in by_contact.get(one.contact_id or 0, ()):
            if one.event.speaks_of(one.about, About(type=row.about_type, id=row.about_id)):
                yield row, *told
        for about in _abouts(one):
            for row in by_about.get((about.type, about.id), ()):
                yield row, *told


def _told_before(
    rows: Sequence[Enrollment], kinds: Collection[str], now: datetime
) -> Iterator[_Told]:
    """Yield what was routed already; a simulation of the past does not know what came later."""
    by_contact, by_about = _by_place(rows)
    since = min(row.journal_entry.occurred_at for row in rows if row.journal_entry is not None)
    for pk, kind, contact_id, about_type, about_id, occurred_at in JournalEntry.objects.filter(
        _is_about(by_contact, by_about), kind__in=kinds, occurred_at__range=(since, now)
    ).values_list("pk", "kind", "contact_id", "about_type", "about_id", "occurred_at"):
        about = About(type=about_type, id=about_id) if about_id else None
        event = events.registry.get(kind) if kind in events.registry else Event
        for row in (*by_contact.get(contact_id, ()), *by_about.get((about_type, about_id), ())):
            if event.speaks_of(about, About(type=row.about_type, id=row.about_id)):
                yield row, pk, kind, str(about or ""), occurred_at


def _by_place(
    rows: Sequence[Enrollment],
) -> tuple[dict[int, list[Enrollment]], dict[tuple[str, str], list[Enrollment]]]:
    by_contact: dict[int, list[Enrollment]] = defaultdict(list)
    by_about: dict[tuple[str, str], list[Enrollment]] = defaultdict(list)
    for row in rows:
        by_contact[row.contact_id].append(row)
        if row.about_id:
            by_about[row.about_type, row.about_id].append(row)
    return by_contact, by_about


def _concerned(routed: Sequence[Routed]) -> list[_Concerned]:
    people = contacts.same_people_ids([one.person for one in routed])
    by_contact: dict[int, list[Routed]] = defaultdict(list)
    by_about: dict[tuple[str, str], list[Routed]] = defaultdict(list)
    for one, same in zip(routed, people, strict=True):
        for contact_id in same | ({one.contact_id} if one.contact_id is not None else set()):
            by_contact[contact_id].append(one)
        for about in _abouts(one):
            by_about[about.type, about.id].append(one)
    # Who went through but whose last letter still waits can reach the goal too.
    unfinished = Q(state__in=enrollments.UNFINISHED) | Q(
        message_items__message__state=MessageState.PLANNED
    )
    rows = Enrollment.objects.filter(_is_about(by_contact, by_about), unfinished).distinct()
    found = list(
        rows.only(
            "pk", "version_id", "state", "contact_id", "about_type", "about_id",
            "awaits", "arrived_at", "entered_at",
        )
    )  # fmt: skip
    versions = FlowVersion.objects.defer("definition").in_bulk({row.version_id for row in found})
    order = {one.entry_id: index for index, one in enumerate(routed)}
    concerned = []
    for row in found:
        its = {
            one.entry_id: one
            for one in (
                *_meant_for(row, by_contact.get(row.contact_id, ())),
                *by_about.get((row.about_type, row.about_id), ()),
            )
        }
        if not its:
            continue
        concerned.append(
            _Concerned(
                row=row,
                definition=plans.plan_of(versions[row.version_id]).definition,
                events=sorted(its.values(), key=lambda one: order[one.entry_id]),
            )
        )
    return concerned


def _meant_for(row: Enrollment, told: Iterable[Routed]) -> Iterable[Routed]:
    """Leave out what happened to another thing of the person, where it speaks of that alone."""
    mine = About(type=row.about_type, id=row.about_id)
    return (one for one in told if one.event.speaks_of(one.about, mine))


def _abouts(one: Routed) -> Iterable[About]:
    return (about for about in (one.about, *one.event.concerns()) if about is not None)


def _is_about(by_contact: dict[int, Any], by_about: dict[tuple[str, str], Any]) -> Q:
    concerned = Q(contact_id__in=list(by_contact))
    by_type: dict[str, list[str]] = defaultdict(list)
    for about_type, about_id in by_about:
        by_type[about_type].append(about_id)
    for about_type, ids in by_type.items():
        concerned |= Q(about_type=about_type, about_id__in=ids)
    return concerned


def _goals(concerned: Sequence[_Concerned]) -> dict[int, Leaving]:
    reached = {}
    for one in concerned:
        event = next((e for e in one.events if e.event.kind in one.definition.goals), None)
        if event is not None:
            reached[one.row.pk] = Leaving(
                reason=ExitReason.GOAL.value,
                rule=event.event.kind,
                compared={
                    "event": event.event.kind,
                    "about": str(event.about or ""),
                    "at": event.occurred_at,
                },
            )
    return reached


def _leave_at_once(concerned: Sequence[_Concerned], now: datetime) -> set[int]:
    by_version: dict[int, list[int]] = defaultdict(list)
    for one in concerned:
        by_version[one.row.version_id].append(one.row.pk)
    leaving: dict[int, Leaving] = {}
    for ids in (chunk for pks in by_version.values() for chunk in _chunks(pks)):
        try:
            # A savepoint: what fails in the database must not spoil the routing of the others.
            with transaction.atomic(using=database_for(Enrollment)):
                rows = Enrollment.objects.select_related("contact", "flow", "version").filter(
                    pk__in=ids
                )
                leaving.update(enrollments.who_may_not_stay(list(rows), now))
        except Exception as error:  # noqa: BLE001 - they are asked again before their next step
            logger.error("Conditions to stay could not be asked: %s", faults.told(error))
    enrollments.exit_each(leaving, now)
    return set(leaving)


def _wake(concerned: Sequence[_Concerned], now: datetime) -> None:
    woken: dict[str, dict[int, int]] = defaultdict(dict)
    for one in concerned:
        since = one.row.arrived_at or one.row.entered_at
        for event in one.events:
            if one.row.awaits == ANYTHING or (
                one.row.awaits == event.event.kind and event.occurred_at >= since
            ):
                woken[one.row.awaits][one.row.pk] = event.entry_id
                break
    if not woken:
        return
    # In the order in which `advancing` locks.
    for ids in _chunks(sorted(pk for entries in woken.values() for pk in entries)):
        list(
            Enrollment.objects.select_for_update()
            .filter(pk__in=ids)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
    for awaits, entries in woken.items():
        by_entry: dict[int, list[int]] = defaultdict(list)
        for pk, entry in entries.items():
            by_entry[entry].append(pk)
        # Many wait for one event about a thing, or few for events of their own.
        groups = by_entry if len(by_entry) <= _FEW else {None: list(entries)}
        for entry_id, pks in groups.items():
            for ids in _chunks(pks):
                # Asked once more under the lock: it may have gone on, or another was quicker.
                waiting = Enrollment.objects.filter(
                    pk__in=ids, state=EnrollmentState.ACTIVE, awaits=awaits, woken_by=None
                )
                if awaits == ANYTHING:
                    waiting.update(due_at=now)
                    continue
                woken_by: Any = entry_id or Case(
                    *(When(pk=pk, then=Value(entries[pk])) for pk in ids), default=None
                )
                waiting.update(due_at=now, woken_by_id=woken_by)


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
