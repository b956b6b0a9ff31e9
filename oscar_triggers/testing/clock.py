"""A clock that stands still until a test moves it: the engine takes every moment as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..kinds import parse_duration

#: Where a clock starts unless told otherwise: a Monday morning, far from any change of the hour.
MONDAY = datetime(2030, 1, 7, 10, tzinfo=UTC)


class Clock:
    """A moment (UTC) that only moves forward."""

    def __init__(self, start: datetime = MONDAY) -> None:
        self.now = _aware(start)

    def forward(self, duration: str | timedelta) -> datetime:
        """Move on by "2d", "1h 30m" or a timedelta; return the new moment."""
        return self.to(self.now + read_duration(duration))

    def to(self, moment: datetime) -> datetime:
        """Move on to a moment; raises ValueError for one that has passed."""
        moment = _aware(moment)
        if moment < self.now:
            raise ValueError(f"It is {self.now} already; a clock does not go back to {moment}.")
        self.now = moment
        return moment

    def __repr__(self) -> str:
        return f"<Clock {self.now.isoformat()}>"


def travel(start: datetime = MONDAY) -> Clock:
    """Return a clock that starts at a moment with its zone."""
    return Clock(start)


def read_duration(duration: str | timedelta) -> timedelta:
    """Read "8d" or "+8d"; raises ValueError."""
    if isinstance(duration, timedelta):
        return duration
    return parse_duration(duration.strip().removeprefix("+"))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} needs a time zone, as in datetime(2030, 1, 7, tzinfo=UTC).")
    return moment.astimezone(UTC)
