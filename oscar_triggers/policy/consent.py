"""The consent ledger: append-only lines, and what they add up to.

The newest line that a person spoke decides: a grant allows, a withdrawal forbids. Lines of a
weaker basis (a sale, legitimate interest) count only where the person never spoke, so that they
cannot undo a withdrawal; a sale counts only while OSCAR_TRIGGERS["SOFT_OPT_IN"] is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.lookups import Exact

from .. import signals
from ..conf import TRANSACTIONAL, triggers_settings
from ..models import ALL_TOPICS, ConsentAction, ConsentBasis, ConsentEvent, Suppression
from ..models.prepared import TEXT
from ..models.questions import Among, Question
from ..models.sql import database_for, insert_or_ignore

#: Grants that the person did not speak.
WEAK_BASES = (ConsentBasis.SOFT_OPT_IN, ConsentBasis.LEGITIMATE_INTEREST)
_UNSPOKEN = Q(action=ConsentAction.GRANT, basis__in=WEAK_BASES)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line on its way into the ledger."""

    channel: str
    point_hash: str
    #: A key of OSCAR_TRIGGERS["TOPICS"], or models.ALL_TOPICS.
    topic: str
    action: ConsentAction
    basis: ConsentBasis = ConsentBasis.CONSENT
    contact_id: int | None = None
    #: The words the person saw, whole.
    text: str = ""
    text_version: str = ""
    language: str = ""
    source: str
    source_detail: str = ""
    actor_id: int | str | None = None
    occurred_at: datetime
    #: Makes an act reported twice one line; None where every report counts.
    dedup_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class TopicPoint:
    """What is asked about: one point, one mailing group."""

    channel: str
    point_hash: str
    topic: str


@dataclass(frozen=True, kw_only=True)
class State:
    """What the ledger adds up to for one point and topic, and the line that decides."""

    allowed: bool
    event_id: int
    action: str
    basis: str
    source: str
    topic: str
    occurred_at: datetime

    def compared(self) -> dict[str, Any]:
        """Return what a decision keeps."""
        return {
            "consent_event": self.event_id,
            "action": self.action,
            "basis": self.basis,
            "source": self.source,
            "consent_topic": self.topic,
            "occurred_at": self.occurred_at.isoformat(),
        }


def write_many(lines: Sequence[Line], now: datetime) -> int:
    """Append lines by one INSERT and return how many are new.

    A line from the future is dated `now`: it would outlive every withdrawal until then.
    """
    if not lines:
        return 0
    rows = [
        {
            "contact_id": line.contact_id,
            "channel": line.channel,
            "point_hash": line.point_hash,
            "topic": line.topic,
            "action": line.action.value,
            "basis": line.basis.value,
            "text": line.text,
            "text_version": line.text_version,
            "language": line.language,
            "source": line.source,
            "source_detail": line.source_detail,
            "actor_id": line.actor_id,
            "occurred_at": min(line.occurred_at, now),
            "recorded_at": now,
            "dedup_key": line.dedup_key,
        }
        for line in lines
    ]
    written = insert_or_ignore(ConsentEvent, rows, conflict="dedup_key")
    if written:
        transaction.on_commit(lambda: _tell(lines), using=database_for(ConsentEvent), robust=True)
    return written


def _tell(lines: Sequence[Line]) -> None:
    for line in lines:
        signals.consent_changed.send_robust(
            sender=None,
            contact_id=line.contact_id,
            channel=line.channel,
            point_hash=line.point_hash,
            topic=line.topic,
            action=line.action.value,
        )


def state_many(asked: Sequence[TopicPoint]) -> list[State | None]:
    """Return what the ledger says for each, in order, by one query; None where it is silent."""
    if not asked:
        return []
    rows = _LINES.ask(
        {
            "channels": {one.channel for one in asked},
            "hashes": {one.point_hash for one in asked},
            "topics": {one.topic for one in asked} | {ALL_TOPICS},
        }
    )
    spoken: dict[tuple[str, str, str], State] = {}
    unspoken: dict[tuple[str, str, str], State] = {}
    for channel, point_hash, topic, pk, action, basis, source, occurred_at in rows:
        weak = action == ConsentAction.GRANT and basis in WEAK_BASES
        if weak and not _counts(basis):
            continue
        (unspoken if weak else spoken)[channel, point_hash, topic] = State(
            allowed=action == ConsentAction.GRANT,
            event_id=pk,
            action=action,
            basis=basis,
            source=source,
            topic=topic,
            occurred_at=occurred_at,
        )
    return [_newest(one, spoken) or _newest(one, unspoken) for one in asked]


_LINES = Question(
    lambda: ConsentEvent,
    lambda rows: (
        rows.filter(
            Among("channel", "channels", TEXT),
            Among("point_hash", "hashes", TEXT),
            Among("topic", "topics", TEXT),
        )
        .order_by("occurred_at", "id")
        .values_list(
            "channel", "point_hash", "topic", "id", "action", "basis", "source", "occurred_at"
        )
    ),
)


def _counts(basis: str) -> bool:
    return basis != ConsentBasis.SOFT_OPT_IN or triggers_settings().soft_opt_in


def _newest(one: TopicPoint, states: dict[tuple[str, str, str], State]) -> State | None:
    found = [
        states[key]
        for topic in {one.topic, ALL_TOPICS}
        if (key := (one.channel, one.point_hash, topic)) in states
    ]
    return max(found, key=lambda state: (state.occurred_at, state.event_id), default=None)


def state(channel: str, point_hash: str, topic: str) -> State | None:
    """Return what the ledger says for one point and topic; None where it is silent."""
    return state_many([TopicPoint(channel=channel, point_hash=point_hash, topic=topic)])[0]


def allowed_condition(
    channel: str | Combinable, point_hash: str | Combinable, stream: str, topic: str | Combinable
) -> Q:
    """Return what is true in the database while consent and suppression allow a message.

    For the very statement that marks a message as handed over; the same answer as state_many
    and the suppressions give. Arguments may be values or OuterRef(...) of the filtered row.
    """
    free = ~Exists(Suppression.objects.filter(channel=channel, point_hash=point_hash))
    if stream == TRANSACTIONAL:
        return Q(free)
    lines = ConsentEvent.objects.filter(
        Q(topic=topic) | Q(topic=ALL_TOPICS), channel=channel, point_hash=point_hash
    )
    spoken = lines.exclude(_UNSPOKEN)
    bases = [basis for basis in WEAK_BASES if _counts(basis)]
    unspoken = lines.filter(action=ConsentAction.GRANT, basis__in=bases)
    granted = Exact(Subquery(_newest_first(spoken).values("action")[:1]), Value("grant"))
    return Q(free) & (Q(granted) | (Q(~Exists(spoken)) & Q(Exists(unspoken))))


def _newest_first(lines: QuerySet[ConsentEvent]) -> QuerySet[ConsentEvent]:
    return lines.order_by(F("occurred_at").desc(), F("id").desc())
