"""The table of what comes next, by flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from oscar_triggers.insight.upcoming import Waiting


@dataclass(frozen=True, kw_only=True)
class Upcoming:
    """One flow, who waits in it, and what is due within a day."""

    flow_id: int
    flow: str
    people: int
    messages: int
    people_due: int
    messages_due: int
    first_due_at: datetime | None


def upcoming_rows(ahead: Mapping[int, Waiting], names: Mapping[int, str]) -> list[Upcoming]:
    """Return the flows in which anybody waits, what is due first at the top."""
    rows = [
        Upcoming(
            flow_id=pk,
            flow=names.get(pk, "–"),
            people=one.people + one.held,
            messages=one.messages,
            people_due=one.people_due,
            messages_due=one.messages_due,
            first_due_at=one.first_due_at,
        )
        for pk, one in ahead.items()
    ]
    return sorted(
        rows,
        key=lambda row: (
            row.first_due_at is None,
            row.first_due_at.timestamp() if row.first_due_at else 0.0,
            row.flow,
        ),
    )
