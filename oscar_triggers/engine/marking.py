"""The mark: the one statement that asks everything once more and makes a dispatch `sending`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Exists, F, Q, QuerySet
from django.db.models.expressions import Combinable

from ..conf import triggers_settings
from ..models import Dispatch, DispatchState, Flow, FlowState
from ..models.prepared import MOMENT, NUMBER, TEXT, PreparedUpdate, Slot
from ..models.sql import StatementNow, database_for
from ..policy import consent, guards
from ..snapshots import Subject
from . import installation


@dataclass(frozen=True, kw_only=True)
class _How:
    """What decides how the statement is written, apart from the guards."""

    alias: str
    channel: str
    stream: str
    topic: str
    soft_opt_in: bool
    here: installation.Identity


#: Advisory locks are numbers that a whole database shares: ours begin with "trig".
_OUR_LOCKS = 0x74726967 << 32
#: How many differently written marks a process remembers.
_MOST_KEPT = 256
_kept: OrderedDict[_How, PreparedUpdate] = OrderedDict()


def standing(flow_id: int | Combinable | None) -> QuerySet[Flow]:
    """Return the flow when nothing of it may leave, as in a rehearsal; else nothing."""
    return Flow.objects.filter(pk__in=[flow_id]).exclude(state=FlowState.LIVE)


def contended(subjects: Iterable[Subject]) -> list[int]:
    """Return the numbers for which marks of these subjects contend, in the order to take them."""
    return sorted(
        {
            number
            for subject in subjects
            for guard in guards.guards_for(subject)
            if (number := guard.contends_for(subject)) is not None
        }
    )


def take_turns(numbers: Sequence[int]) -> None:
    """Wait for other workers' marks that contend for the same numbers, until our commit.

    SQLite's writers are one after the other anyway.
    """
    connection = connections[database_for(Dispatch)]
    if not numbers or connection.vendor != "postgresql":
        return
    # Transaction locks: behind PgBouncer, a session's would stay with somebody else's session.
    locks = ", ".join(["pg_advisory_xact_lock(%s)"] * len(numbers))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {locks}", [_OUR_LOCKS + number for number in numbers])


def mark(
    row: Dispatch,
    subject: Subject,
    observed: Mapping[str, Any],
    *,
    point_id: int,
    point_hash: str,
    owner: str,
    leased_until: datetime,
    others: Sequence[tuple[Subject, Mapping[str, Any]]] = (),
) -> bool:
    """Mark a dispatch as `sending` if all still holds in the database; say whether it did.

    Asked, at that statement's own moment: leased by this owner, flow live, consent and
    suppression, and the guards; those of `others` too, for whom the same message speaks.
    """
    message = row.message
    how = _How(
        alias=database_for(Dispatch),
        channel=row.channel,
        stream=message.stream,
        topic=message.topic,
        soft_opt_in=triggers_settings().soft_opt_in,
        here=installation.configured(),
    )
    update = _kept.get(how)
    if update is None:
        update = _kept[how] = _write(how)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    marked = update.run(
        {
            "id": row.pk,
            "owner": owner,
            "flow": message.flow_id,
            "point": point_id,
            "point_hash": point_hash,
            "leased_until": leased_until,
        },
        unless=guards.refusal_of([(subject, observed), *others]),
    )
    return bool(marked)


def _write(how: _How) -> PreparedUpdate:
    rows = Dispatch.objects.using(how.alias).filter(
        consent.allowed_condition(how.channel, Slot("point_hash", TEXT), how.stream, how.topic),
        ~Q(Exists(standing(Slot("flow", NUMBER)))),
        ~Q(Exists(installation.objections())),
        pk=Slot("id", NUMBER),
        state=DispatchState.LEASED,
        lease_owner=Slot("owner", TEXT),
    )
    return PreparedUpdate(
        rows,
        {
            "state": DispatchState.SENDING,
            "attempt": F("attempt") + 1,
            "sending_at": StatementNow(),
            "leased_until": Slot("leased_until", MOMENT),
            "point": Slot("point", NUMBER),
            "point_hash": Slot("point_hash", TEXT),
        },
    )
