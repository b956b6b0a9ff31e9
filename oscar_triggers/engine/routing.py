"""Routing: what was recorded reaches listeners, goals and flows, in the tick."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from .. import events
from ..conf import triggers_settings
from ..events import Event
from ..exceptions import TriggersError
from ..models import JournalEntry
from ..models.bulk import update_each
from ..models.sql import database_for, lease
from ..snapshots import About, Person
from . import attribution, contacts, entering, faults, intake, waking, worker
from .intake import Routed, listeners

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = timedelta(minutes=1)


def route(now: datetime, *, limit: int | None = None) -> int:
    """Route a batch of unrouted journal entries to listeners and flows; return their number.

    An entry whose event cannot be read any more is set aside with an error, never dropped. A
    batch that fails whole is tried entry by entry, and so is one whose worker died, so that one
    bad entry spares the others.
    """
    ids = _lease(now, "crashes = 0", limit or triggers_settings().batch_size)
    ids = ids or _lease(now, "crashes > 0", 1)
    if not ids:
        return 0
    entries = list(JournalEntry.objects.filter(pk__in=ids).order_by("pk"))
    try:
        _route_entries(entries, now)
    except Exception as error:  # noqa: BLE001 - one entry's trouble must not stop the others
        said = faults.told(error)
        logger.error("Routing %d journal entries failed; trying each: %s", len(entries), said)
        for entry in entries:
            _route_alone(entry, now)
    return len(entries)


def _lease(now: datetime, crashes: str, limit: int) -> list[int]:
    return lease(
        JournalEntry,
        where="routed_at IS NULL AND crashes < %s AND (leased_until IS NULL OR leased_until < %s) "
        f"AND {crashes}",
        params=[triggers_settings().max_crashes, now],
        order_by="id",
        owner=worker.name(),
        until=now + triggers_settings().lease_for,
        limit=limit,
        # Counted before the work: an entry that kills its worker is set aside in the end.
        assignments="crashes = crashes + 1",
    )


def _route_alone(entry: JournalEntry, now: datetime) -> None:
    try:
        _route_entries([entry], now)
    except Exception as error:  # noqa: BLE001 - as above
        logger.error("Journal entry %s cannot be routed: %s", entry.pk, faults.told(error))
        JournalEntry.objects.filter(pk=entry.pk).update(
            error=type(error).__name__,
            # Locks and full disks pass; three tries must not be over before they do.
            leased_until=now + _PAUSE_AFTER_ERROR * (entry.crashes + 1),
        )


def route_entries(entries: Sequence[JournalEntry], now: datetime) -> None:
    """Route just these entries and raise what fails; a simulation plays one act by it."""
    _route_entries(entries, now)


def _route_entries(entries: Sequence[JournalEntry], now: datetime) -> None:
    with transaction.atomic(using=database_for(JournalEntry)):
        readable: list[tuple[JournalEntry, Event]] = []
        for entry in entries:
            try:
                readable.append((entry, events.from_payload(entry.kind, entry.payload)))
            except TriggersError as error:
                JournalEntry.objects.filter(pk=entry.pk).update(error=str(error)[:500])
        people = [(Person.from_json(entry.person), entry.site_id) for entry, _event in readable]
        seen = [event.is_visit for _entry, event in readable]
        contact_ids = contacts.resolve_many(people, now, seen=seen)
        # What two acts of one person mean is decided one after the other: a goal that comes while
        # somebody else lets the person in would else find nobody to end.
        contacts.hold(pk for pk in contact_ids if pk is not None)
        routed = [
            Routed(
                entry_id=entry.pk,
                event=event,
                about=About(type=entry.about_type, id=entry.about_id) if entry.about_id else None,
                contact_id=contact_id,
                person=person,
                site_id=entry.site_id,
                occurred_at=entry.occurred_at,
            )
            for (entry, event), (person, _site), contact_id in zip(
                readable, people, contact_ids, strict=True
            )
        ]
        routed = intake.completed(routed, now)
        for kind, group in _by_kind(routed).items():
            for function in listeners(kind):
                function(group, now)
        waking.arrive(routed, now)
        attribution.attribute(routed, now)
        entering.enter_flows(routed, now)
        _write_routed(entries, routed, now)


def _write_routed(entries: Sequence[JournalEntry], routed: Sequence[Routed], now: datetime) -> None:
    by_id = {entry.pk: entry for entry in entries}
    done = [by_id[one.entry_id] for one in routed]
    for entry, one in zip(done, routed, strict=True):
        entry.routed_at = now
        entry.contact_id = one.contact_id
        entry.leased_until = None
        entry.crashes = 0
        entry.error = ""
    update_each(done, ("routed_at", "contact", "leased_until", "crashes", "error"))
    told = [one for one in routed if intake.is_completed(one.event.kind)]
    for one in told:
        by_id[one.entry_id].payload = one.event.to_options()
    update_each([by_id[one.entry_id] for one in told], ("payload",))


def _by_kind(routed: Sequence[Routed]) -> dict[str, list[Routed]]:
    groups: dict[str, list[Routed]] = defaultdict(list)
    for one in routed:
        groups[one.event.kind].append(one)
    return groups
