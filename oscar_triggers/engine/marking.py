"""The mark: the one statement that asks everything once more and makes dispatches `sending`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Exists, F, Q, QuerySet
from django.db.models.expressions import Combinable

from ..conf import triggers_settings
from ..models import Dispatch, DispatchState, Flow, FlowState
from ..models.given import Given, GivenUpdate
from ..models.prepared import DATA, MOMENT, NUMBER, TEXT, Slot, condition_sql
from ..models.sql import StatementNow, database_for
from ..models.trips import Trip
from ..policy import consent, guards
from ..snapshots import Subject
from . import installation


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A composed message that is about to be marked."""

    row: Dispatch
    point_id: int
    point_hash: str
    #: Those for whom it speaks, each with what was observed for it; several in a bundle.
    members: Sequence[tuple[Subject, Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class _How:
    """What decides how the statement is written, apart from the guards' own words."""

    alias: str
    stream: str
    soft_opt_in: bool
    here: installation.Identity
    #: How many columns of facts it has.
    facts: int


_COLUMNS: dict[str, Any] = {
    "id": NUMBER,
    "flow": NUMBER,
    "channel": TEXT,
    "topic": TEXT,
    "point": NUMBER,
    "point_hash": TEXT,
}
#: Marks which contend for a number wait for each other under locks of this family.
_LOCKS = 0x7472_6967 << 32

#: How many differently written marks a process remembers.
_MOST_KEPT = 256
_kept: OrderedDict[_How, GivenUpdate] = OrderedDict()


def standing(flow_id: int | Combinable | None) -> QuerySet[Flow]:
    """Return the flow when nothing of it may leave, as in a rehearsal; else nothing."""
    return Flow.objects.filter(pk__in=[flow_id]).exclude(state=FlowState.LIVE)


def contended(members: Sequence[tuple[Subject, Mapping[str, Any]]]) -> frozenset[int]:
    """Return the numbers of what only one mark at a time may take."""
    numbers = (
        guard.contends_for(subject)
        for subject, _observed in members
        for guard in guards.guards_for(subject)
    )
    return frozenset(number for number in numbers if number is not None)


def mark_many(
    trip: Trip, asked: Sequence[Asked], *, owner: str, leased_until: datetime
) -> set[int]:
    """Mark as `sending` those dispatches for which all still holds; return their ids.

    Asked, at that statement's own moment: leased by this owner, flow live, consent and
    suppression, and the guards of all for whom a message speaks. All are of one stream, and no
    two contend for the same number. It is the trip's last statement.
    """
    alias = database_for(Dispatch)
    connection = connections[alias]
    _take_turns(trip, connection, asked)
    rows = [_row(one) for one in asked]
    written, columns = _facts(connection, asked, rows)
    how = _How(
        alias=alias,
        stream=asked[0].row.message.stream,
        soft_opt_in=triggers_settings().soft_opt_in,
        here=installation.configured(),
        facts=len(columns),
    )
    update = _kept.get(how)
    if update is None:
        update = _kept[how] = _write(how)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    values = {"owner": owner, "leased_until": leased_until}
    return update.run_last(trip, rows, values, unless=[*written, *_single(alias, asked)])


def _take_turns(trip: Trip, connection: Any, asked: Sequence[Asked]) -> None:
    """Wait for marks elsewhere that contend for the same; SQLite's writers take turns anyway."""
    if connection.vendor != "postgresql":
        return
    numbers = sorted({number for one in asked for number in contended(one.members)})
    if numbers:
        locks = [_LOCKS | (number & 0xFFFF_FFFF) for number in numbers]
        trip.add("SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) number", [locks])


def _row(one: Asked) -> dict[str, Any]:
    message = one.row.message
    return {
        "id": one.row.pk,
        "flow": message.flow_id,
        "channel": one.row.channel,
        "topic": message.topic,
        "point": one.point_id,
        "point_hash": one.point_hash,
    }


def _facts(
    connection: Any, asked: Sequence[Asked], rows: Sequence[dict[str, Any]]
) -> tuple[list[tuple[str, Sequence[Any]]], list[str]]:
    """Put into the rows what guards compare that ask for a group at once; return their SQL.

    The members of a bundle have columns of their own.
    """
    written: list[tuple[str, Sequence[Any]]] = []
    columns: list[str] = []
    for guard in guards.registry.values():
        if not guard.asks_at_once:
            continue
        found = [
            [
                facts
                for subject, observed in one.members
                if not guard.about_types or subject.about.type in guard.about_types
                if (facts := guard.facts(subject, observed, connection)) is not None
            ]
            for one in asked
        ]
        for position in range(max(map(len, found), default=0)):
            name = f"facts_{len(columns)}"
            columns.append(name)
            of_column = []
            for row, mine in zip(rows, found, strict=True):
                row[name] = mine[position] if position < len(mine) else None
                of_column += mine[position : position + 1]
            written.append(guard.condition(connection, f"given.{name}", of_column))
    return written, columns


def _single(alias: str, asked: Sequence[Asked]) -> list[tuple[str, Sequence[Any]]]:
    """Return what the other guards have against each message, as conditions of the ORM."""
    written: list[tuple[str, Sequence[Any]]] = []
    for one in asked:
        refused = guards.refusal_of(one.members)
        if refused is not None:
            written.append(condition_sql(Dispatch, alias, Q(refused, pk=one.row.pk)))
    return written


def _write(how: _How) -> GivenUpdate:
    rows = Dispatch.objects.using(how.alias).filter(
        consent.allowed_condition(
            Given("channel", TEXT), Given("point_hash", TEXT), how.stream, Given("topic", TEXT)
        ),
        ~Q(Exists(standing(Given("flow", NUMBER)))),
        ~Q(Exists(installation.objections())),
        pk=Given("id", NUMBER),
        state=DispatchState.LEASED,
        lease_owner=Slot("owner", TEXT),
    )
    return GivenUpdate(
        rows,
        {
            "state": DispatchState.SENDING,
            # A token that was booked for it is used up.
            "reason": "",
            "attempt": F("attempt") + 1,
            "sending_at": StatementNow(),
            "leased_until": Slot("leased_until", MOMENT),
            "point": Given("point", NUMBER),
            "point_hash": Given("point_hash", TEXT),
        },
        {**_COLUMNS, **{f"facts_{number}": DATA for number in range(how.facts)}},
    )
