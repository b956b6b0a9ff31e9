"""What was looked at, in plain words: the shape in which every part of the doctor answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.timesince import timesince

#: How late something may be before it is said.
PATIENCE = timedelta(minutes=5)
#: How far back failures are counted.
LOOK_BACK = timedelta(days=7)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: Worth a look; the engine runs.
    WARNING = "warning"
    #: Messages do not go out as they should.
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at, in plain words."""

    level: Level
    text: str
    #: What to do next; "" when nothing is to be done.
    advice: str = ""


Look = Callable[[datetime], Iterable[Finding]]
_looks: list[Look] = []


def examiner(look: Look) -> Look:
    """Have a function of a higher room asked by the doctor too (a decorator)."""
    if look not in _looks:
        _looks.append(look)
    return look


def looks() -> tuple[Look, ...]:
    """Return what other rooms look at."""
    return tuple(_looks)


def count_of(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def minutes_of(length: timedelta) -> str:
    """Return a length of time in minutes."""
    return count_of(int(length.total_seconds() // 60), "minute", "minutes")


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    seconds = max(0, int((now - moment).total_seconds()))
    return f"{seconds} s ago" if seconds < 120 else f"{timesince(moment, now)} ago"
