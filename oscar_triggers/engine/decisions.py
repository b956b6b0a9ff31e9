"""Keeping why: one explained verdict a row, sent or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import F

from ..kinds import to_json
from ..models import Decision, trips
from ..models.given import GivenInsert, moment
from ..models.prepared import DATA, MOMENT, NUMBER, TEXT
from ..models.sql import database_for
from ..models.trips import Trip

#: What the columns of Decision hold; keys of steps may be longer.
_RULE_LENGTH = 60
_VERDICT_LENGTH = 30
_REASON_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class Note:
    """A verdict on its way into the log."""

    rule: str
    verdict: str
    reason: str = ""
    compared: Mapping[str, Any] = field(default_factory=dict)
    enrollment_id: int | None = None
    message_id: int | None = None
    journal_entry_id: int | None = None
    flow_id: int | None = None


def note_many(notes: Sequence[Note], now: datetime) -> None:
    """Write verdicts in one INSERT."""
    if notes:
        with trips.trip(database_for(Decision)) as trip:
            note_on(trip, notes, now)


def note_on(trip: Trip, notes: Sequence[Note], now: datetime) -> None:
    """Have a trip write verdicts, together with what they explain."""
    if not notes:
        return
    alias = database_for(Decision)
    at = moment(connections[alias], now)
    _insert(alias).run(
        trip,
        [
            {
                "rule": note.rule[:_RULE_LENGTH],
                "verdict": note.verdict[:_VERDICT_LENGTH],
                "reason": note.reason[:_REASON_LENGTH],
                "compared": to_json(note.compared),
                "enrollment_id": note.enrollment_id,
                "message_id": note.message_id,
                "journal_entry_id": note.journal_entry_id,
                "flow_id": note.flow_id,
                "count": 1,
                "decided_at": at,
                "last_seen_at": at,
            }
            for note in notes
        ],
    )


@cache
def _insert(alias: str) -> GivenInsert:
    columns: dict[str, Any] = dict.fromkeys(("rule", "verdict", "reason"), TEXT)
    columns["compared"] = DATA
    columns |= dict.fromkeys(
        ("enrollment_id", "message_id", "journal_entry_id", "flow_id", "count"), NUMBER
    )
    columns |= dict.fromkeys(("decided_at", "last_seen_at"), MOMENT)
    return GivenInsert(Decision, columns, alias)


def note_again(note: Note, now: datetime) -> None:
    """Write a verdict that may repeat: the same one moves count and last_seen_at only."""
    about: dict[str, Any] = {
        "enrollment_id": note.enrollment_id,
        "message_id": note.message_id,
        "journal_entry_id": note.journal_entry_id,
        "flow_id": note.flow_id,
    }
    rule, verdict = note.rule[:_RULE_LENGTH], note.verdict[:_VERDICT_LENGTH]
    latest = Decision.objects.filter(rule=rule, **about).order_by("-pk").first()
    if latest and (latest.verdict, latest.reason) == (verdict, note.reason[:_REASON_LENGTH]):
        Decision.objects.filter(pk=latest.pk).update(
            count=F("count") + 1, last_seen_at=now, compared=to_json(note.compared)
        )
    else:
        note_many([note], now)
