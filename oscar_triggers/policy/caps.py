"""Frequency caps: how many messages a person gets at most, over all flows and channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Coalesce

from ..conf import PROMOTIONAL, triggers_settings
from ..kinds import parse_duration
from ..models import Dispatch, DispatchState, Message, given
from ..snapshots import Subject
from . import guards
from .guards import Consequence, Refused

FREQUENCY_CAP = "frequency_cap"

#: Key of what the guard finds among the observed values: {"message": id, "now": ISO moment}.
ASKED = "asked"
#: What a person got, or may have got, or is getting at this moment.
COUNTED = (DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most so many messages of a stream in any stretch of that length."""

    most: int
    within: timedelta

    def compared(self) -> dict[str, Any]:
        """Return what a decision keeps."""
        return {"most": self.most, "within": self.within}


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message that counts, and when it went (UTC)."""

    message_id: int
    moment: datetime


def caps_for(stream: str) -> tuple[Cap, ...]:
    """Return the caps of a stream, () for none; raises ImproperlyConfigured for what is none."""
    told: Any = triggers_settings().frequency_caps or {}
    if not isinstance(told, Mapping) or set(told) - {PROMOTIONAL}:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['FREQUENCY_CAPS'] is {told!r}; write {{'promotional': "
            "[{'most': 2, 'within': '1d'}]}. What people are owed is never capped."
        )
    return tuple(_read(one) for one in told.get(stream) or ())


def check_setting() -> None:
    """Read all caps; raises ImproperlyConfigured saying what to write instead."""
    caps_for(PROMOTIONAL)


def _read(told: Any) -> Cap:
    try:
        if set(told) != {"most", "within"}:
            raise ValueError("names")
        most, within = told["most"], told["within"]
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ValueError("most")
        if not isinstance(within, timedelta):
            within = parse_duration(str(within))
        if within <= timedelta(0):
            raise ValueError("within")
    except (TypeError, ValueError):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['FREQUENCY_CAPS'] has {told!r}; write a whole number from 1 and a "
            "duration, as in {'most': 2, 'within': '1d'}."
        ) from None
    return Cap(most=most, within=within)


def received_by(
    contact_ids: Collection[int], stream: str, now: datetime
) -> dict[int, list[Received]]:
    """Return what these contacts got of a stream within its longest cap, by one query.

    Oldest first. Rehearsals went to nobody and do not count.
    """
    caps = caps_for(stream)
    if not caps or not contact_ids:
        return {}
    since = now - max(cap.within for cap in caps)
    rows = (
        Dispatch.objects.filter(
            message__contact_id__in=contact_ids,
            message__stream=stream,
            message__is_shadow=False,
            state__in=COUNTED,
        )
        .annotate(moment=Coalesce("settled_at", "sending_at"))
        .filter(moment__gt=since)
        .order_by("moment", "pk")
        .values_list("message__contact_id", "message_id", "moment")
    )
    found: dict[int, list[Received]] = defaultdict(list)
    for contact_id, message_id, moment in rows:
        assert contact_id is not None
        found[contact_id].append(Received(message_id=message_id, moment=moment))
    return found


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a person stands with the caps at a moment."""

    #: How many more may go now.
    room: int
    #: When the next may go (UTC); None when one may go now.
    until: datetime | None = None
    #: The cap that speaks, and how many it counts.
    cap: Cap | None = None
    count: int = 0

    def compared(self) -> dict[str, Any]:
        """Return what a decision keeps."""
        return {"count": self.count, **(self.cap.compared() if self.cap else {})}


def standing_with(
    caps: Sequence[Cap],
    received: Sequence[Received],
    now: datetime,
    *,
    message_id: int | None = None,
) -> Standing:
    """Say how many more a person may get; a message's own earlier tries do not count.

    `until` is the moment at which the oldest message that stands in the way leaves its stretch.
    """
    tightest = Standing(room=len(received) + 1_000)
    for cap in caps:
        moments = [
            one.moment
            for one in received
            if one.moment > now - cap.within and one.message_id != message_id
        ]
        room = cap.most - len(moments)
        until = moments[-room] + cap.within if room <= 0 else None
        one = Standing(room=max(room, 0), until=until, cap=cap, count=len(moments))
        later = until is not None and (tightest.until is None or until > tightest.until)
        if later or (tightest.until is None and one.room < tightest.room):
            tightest = one
    return tightest


def standing_of(
    contact_id: int, stream: str, now: datetime, *, message_id: int | None = None
) -> Standing:
    """Read how one contact stands with the caps of a stream."""
    received = received_by([contact_id], stream, now).get(contact_id, [])
    return standing_with(caps_for(stream), received, now, message_id=message_id)


@guards.register
class FrequencyCap(guards.SendGuard):
    """Counts once more in the statement that marks: two workers never send one too many."""

    name = FREQUENCY_CAP

    def contends_for(self, subject: Subject) -> int | None:
        """Let marks for one person wait for each other, so that each counts the others."""
        return subject.contact_id if caps_for(subject.stream) else None

    asks_at_once = True

    def facts(
        self, subject: Subject, observed: Mapping[str, Any], connection: Any
    ) -> Mapping[str, Any] | None:
        """Return who is written to, and since when each cap counts."""
        caps = caps_for(subject.stream)
        if not caps:
            return None
        asked = observed.get(ASKED) or {}
        moment = asked.get("now")
        now = datetime.fromisoformat(moment) if moment else None
        return {
            "contact": subject.contact_id,
            "stream": subject.stream,
            "message": asked.get("message") or 0,
            "caps": [
                {
                    "most": cap.most,
                    # Without a moment the database's own clock counts.
                    "since": given.moment(connection, now and now - cap.within),
                    "seconds": cap.within.total_seconds(),
                }
                for cap in caps
            ],
        }

    def condition(
        self, connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
    ) -> tuple[str, Sequence[Any]]:
        """Return what is true in the database while a cap is used up."""
        quote = connection.ops.quote_name
        dispatch, message = quote(Dispatch._meta.db_table), quote(Message._meta.db_table)
        states = ", ".join(f"'{state.value}'" for state in COUNTED)
        if connection.vendor == "postgresql":
            caps = (
                f"(SELECT * FROM jsonb_to_recordset({column}->'caps') "  # noqa: S608 - our own names
                "AS x(most bigint, since timestamptz, seconds float))"
            )
            value = f"({column}->>'{{}}')::{{}}"
            since = "COALESCE(cap.since, STATEMENT_TIMESTAMP() - cap.seconds * INTERVAL '1 second')"
        else:
            caps = (
                "(SELECT json_extract(value, '$.most') AS most, "  # noqa: S608 - our own names
                "json_extract(value, '$.since') AS since, "
                "json_extract(value, '$.seconds') AS seconds "
                f"FROM json_each({column}, '$.caps'))"
            )
            value = f"json_extract({column}, '$.{{}}')"
            since = (
                "COALESCE(cap.since, strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', "
                "'-' || cap.seconds || ' seconds'))"
            )
        return (
            f"EXISTS (SELECT 1 FROM {caps} cap WHERE (SELECT COUNT(*) FROM {message} cm "  # noqa: S608 - our own tables, values are parameters
            f"JOIN {dispatch} cd ON cd.message_id = cm.id "
            f"WHERE cm.contact_id = {value.format('contact', 'bigint')} "
            f"AND cm.stream = {value.format('stream', 'text')} AND NOT cm.is_shadow "
            f"AND cm.id <> {value.format('message', 'bigint')} AND cd.state IN ({states}) "
            f"AND COALESCE(cd.settled_at, cd.sending_at) > {since}) >= cap.most)",
            [],
        )

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say which cap is used up, and until when."""
        message_id = (observed.get(ASKED) or {}).get("message")
        standing = standing_of(subject.contact_id, subject.stream, now, message_id=message_id)
        if standing.until is None:
            return None
        return Refused(
            reason=FREQUENCY_CAP,
            consequence=Consequence.POSTPONE,
            compared=standing.compared(),
            until=standing.until,
        )
