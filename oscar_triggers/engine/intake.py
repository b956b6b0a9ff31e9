"""The front door: every event is one INSERT here, and the next tick routes it to flows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from .. import signals
from ..events import Event
from ..kinds import clean_text, shortened, to_json
from ..models import Contact, JournalEntry, point_hash
from ..models.sql import database_for, insert_or_ignore
from ..snapshots import About, Person


@dataclass(frozen=True, kw_only=True)
class Record:
    """One event on its way into the journal."""

    event: Event
    contact: Contact | int | None = None
    about: About | models.Model | None = None
    person: Person | None = None
    #: When it happened (UTC); now when it is not given.
    occurred_at: datetime | None = None
    site_id: int | None = None
    #: Says which act it is, instead of the event's own `act_key`.
    key: str | None = None
    #: Routed not before this moment (UTC): what may still be taken back waits so long.
    not_before: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Routed:
    """A journal entry as listeners see it."""

    entry_id: int
    event: Event
    about: About | None
    contact_id: int | None
    person: Person
    site_id: int | None
    occurred_at: datetime


Listener = Callable[[Sequence[Routed], datetime], None]
_listeners: dict[str, list[Listener]] = defaultdict(list)
Completer = Callable[[Sequence[Routed], datetime], Sequence[Event]]
_completers: dict[str, Completer] = {}
_KEY_LENGTH = 200
#: JournalEntry.about_type and about_id.
_ABOUT_LENGTHS = (40, 120)


def listener(kind: str) -> Callable[[Listener], Listener]:
    """Have a function called with the routed events of a kind, in batches, in the tick."""

    def add(function: Listener) -> Listener:
        if function not in _listeners[kind]:
            _listeners[kind].append(function)
        return function

    return add


def listeners(kind: str) -> Sequence[Listener]:
    """Return the functions that listen to a kind."""
    return tuple(_listeners.get(kind, ()))


def completer(kind: str) -> Callable[[Completer], Completer]:
    """Have a function add to events of a kind what nobody could know when they were recorded.

    It is called in the tick, where the contacts are known, and returns the events in their order.
    """

    def add(function: Completer) -> Completer:
        _completers[kind] = function
        return function

    return add


def is_completed(kind: str) -> bool:
    """Say whether events of a kind are completed when they are routed."""
    return kind in _completers


def completed(routed: Sequence[Routed], now: datetime) -> list[Routed]:
    """Return routed events with what can be known of them now; in constant queries for a batch."""
    result = list(routed)
    for kind, complete in _completers.items():
        places = [place for place, one in enumerate(routed) if one.event.kind == kind]
        if not places:
            continue
        said = complete([routed[place] for place in places], now)
        for place, event in zip(places, said, strict=True):
            result[place] = replace(routed[place], event=event)
    return result


def record(
    event: Event,
    *,
    contact: Contact | int | None = None,
    about: About | models.Model | None = None,
    person: Person | None = None,
    occurred_at: datetime | None = None,
    site_id: int | None = None,
    key: str | None = None,
) -> None:
    """Write an event to the journal by one INSERT; reported again, the same act changes nothing.

    Never reads, never talks to a broker, opens no transaction. `about` may be a model instance:
    its model name and primary key are taken.
    """
    record_many(
        [
            Record(
                event=event,
                contact=contact,
                about=about,
                person=person,
                occurred_at=occurred_at,
                site_id=site_id,
                key=key,
            )
        ]
    )


def record_many(records: Sequence[Record]) -> None:
    """Write events to the journal by one INSERT."""
    if not records:
        return
    recorded_at = timezone.now()
    rows = [_row(one, recorded_at) for one in records]
    written = insert_or_ignore(JournalEntry, rows, conflict="dedup_key")
    if written:
        transaction.on_commit(
            lambda: _tell_recorded(rows), using=database_for(JournalEntry), robust=True
        )


def about_of(about: About | models.Model | None) -> About | None:
    """Return the type and id of what an event is about."""
    if about is None:
        return None
    if not isinstance(about, About):
        about = About(type=str(about._meta.model_name), id=str(about.pk))
    type_length, id_length = _ABOUT_LENGTHS
    return About(
        type=shortened(clean_text(about.type), type_length),
        id=shortened(clean_text(about.id), id_length),
    )


def _tell_recorded(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        signals.event_recorded.send_robust(
            sender=None, kind=row["kind"], dedup_key=row["dedup_key"]
        )


def _row(one: Record, recorded_at: datetime) -> dict[str, Any]:
    about = about_of(one.about)
    contact_id = one.contact.pk if isinstance(one.contact, Contact) else one.contact
    person = one.person or Person()
    if contact_id is not None and not person.contact_id:
        person = replace(person, contact_id=contact_id)
    occurred_at = one.occurred_at or recorded_at
    act = one.key if one.key is not None else one.event.act_key(about)
    return {
        "kind": one.event.kind,
        "dedup_key": dedup_key(one.event, act, about, person, occurred_at),
        "contact_id": contact_id,
        "about_type": about.type if about else "",
        "about_id": about.id if about else "",
        "payload": one.event.to_options(),
        "person": to_json(person.to_json()),
        "site_id": one.site_id,
        "occurred_at": occurred_at,
        "recorded_at": recorded_at,
        "leased_until": one.not_before,
    }


def dedup_key(
    event: Event, act: str, about: About | None, person: Person, occurred_at: datetime
) -> str:
    """Return the unique key of an act: the kind, and what tells this act from others.

    The person is a keyed hash: the key outlives the erasure of the person.
    """
    if act:
        key = f"{event.kind}:{act}"
    else:
        who = person.user_id or person.contact_id or person.email.lower() or person.phone
        day = occurred_at.astimezone(UTC).date()
        key = f"{event.kind}:{about or day}:{point_hash('person', clean_text(str(who)))[:24]}"
    return shortened(clean_text(key), _KEY_LENGTH)
