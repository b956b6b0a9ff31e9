"""Holdouts: the share of a flow's people who are kept without messages, to see what it brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.crypto import salted_hmac

from ..models import Assignment
from ..models.sql import insert_or_ignore

HOLDOUT = "holdout"
HELD = "held"
WRITTEN_TO = "in"

#: Shares are drawn in hundredths of a percent.
_LOTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One contact before one flow's first message."""

    flow_id: int
    contact_id: int
    #: From 0 to 100: who draws below it is held.
    percent: int

    @property
    def arm(self) -> str:
        """Return the arm that the keyed hash of flow and contact gives; always the same."""
        digest = salted_hmac(
            "oscar_triggers.holdout", f"{self.flow_id}:{self.contact_id}", algorithm="sha256"
        ).digest()
        return (
            HELD if int.from_bytes(digest[:8], "big") % _LOTS < self.percent * 100 else WRITTEN_TO
        )


def arms_of(draws: Collection[Draw], now: datetime) -> Mapping[tuple[int, int], str]:
    """Return {(flow, contact): arm}; who has no arm gets one for good, in at most three queries.

    A share that is changed later moves nobody who has an arm.
    """
    if not draws:
        return {}
    arms = _read(draws)
    missing = {
        (one.flow_id, one.contact_id): one
        for one in draws
        if (one.flow_id, one.contact_id) not in arms
    }
    if not missing:
        return arms
    insert_or_ignore(
        Assignment,
        [
            {
                "flow_id": one.flow_id,
                "contact_id": one.contact_id,
                "name": HOLDOUT,
                "arm": one.arm,
                "assigned_at": now,
            }
            for one in missing.values()
        ],
        conflict=("flow", "contact", "name"),
    )
    # As they stand now: another worker may have been first.
    return _read(draws)


def _read(draws: Collection[Draw]) -> dict[tuple[int, int], str]:
    rows = Assignment.objects.filter(
        name=HOLDOUT,
        flow_id__in={one.flow_id for one in draws},
        contact_id__in={one.contact_id for one in draws},
    ).values_list("flow_id", "contact_id", "arm")
    return {(flow_id, contact_id): arm for flow_id, contact_id, arm in rows}
