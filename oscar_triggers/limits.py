"""The rules of a flow beside its steps: who may come again, when messages may leave, how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from django.utils.translation import pgettext

from .kinds import format_duration, parse_duration
from .kinds import read_time as read_time

EVERY_EPISODE = "every_episode"
NEVER = "never"
ONCE_A_YEAR = "once_a_year"
#: The rule whose time stands behind it: "after 30d".
AFTER = "after"

POSTPONE = "postpone"
DROP = "drop"

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: More than half of the people without messages is no control group any more.
MOST_HOLDOUT = 50


@dataclass(frozen=True, kw_only=True)
class Reentry:
    """When someone who was in a flow before may come in again."""

    rule: str = EVERY_EPISODE
    #: For the rule "after": how long after the last entry.
    after: timedelta | None = None

    @classmethod
    def read(cls, text: str) -> Reentry:
        """Read "never", "once_a_year", "every_episode" or "after 30d"; raises ValueError."""
        if text in (EVERY_EPISODE, NEVER, ONCE_A_YEAR):
            return cls(rule=text)
        word, _space, duration = text.partition(" ")
        if word == AFTER and duration:
            return cls(rule=AFTER, after=parse_duration(duration))
        raise ValueError(
            pgettext(
                "triggers",
                "must be 'every_episode', 'never', 'once_a_year' or 'after 30d', not '%(found)s'",
            )
            % {"found": text}
        )


@dataclass(frozen=True, kw_only=True)
class SendWindow:
    """The part of the reader's own week in which messages may leave."""

    #: Local times; `until` at or before `from_` reaches over midnight, equal ones mean all day.
    from_: time = time(0)
    until: time = time(0)
    #: Of WEEKDAYS; a window over midnight belongs to the day on which it begins.
    days: tuple[str, ...] = WEEKDAYS

    def to_dict(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {
            "from": f"{self.from_:%H:%M}",
            "until": f"{self.until:%H:%M}",
            "days": list(self.days),
        }

    @classmethod
    def read(cls, data: Any) -> SendWindow:
        """Read {"from": "09:00", "until": "20:00", "days": ["mon", …]}; raises ValueError."""
        if not isinstance(data, Mapping):
            raise ValueError(pgettext("triggers", "must be a mapping with 'from' and 'until'"))
        unknown = sorted(set(map(str, data)) - {"from", "until", "days"})
        if unknown:
            raise ValueError(
                pgettext("triggers", "has unknown entries: %(unknown)s (known: from, until, days)")
                % {"unknown": ", ".join(unknown)}
            )
        days = data.get("days") or WEEKDAYS
        if not isinstance(days, list | tuple) or not all(day in WEEKDAYS for day in days):
            raise ValueError(
                pgettext("triggers", "'days' must be a list of %(known)s")
                % {"known": ", ".join(WEEKDAYS)}
            )
        return cls(
            from_=read_time(data.get("from", "00:00")),
            until=read_time(data.get("until", "00:00")),
            days=tuple(day for day in WEEKDAYS if day in days),
        )


def _whole_number(lowest: int, highest: int | None) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(
                pgettext("triggers", "expected a whole number, got %(value)r") % {"value": value}
            )
        number = int(value)
        if number < lowest or (highest is not None and number > highest):
            raise ValueError(
                pgettext("triggers", "must be from %(lowest)s to %(highest)s")
                % {"lowest": lowest, "highest": "…" if highest is None else highest}
            )
        return number

    return read


def _duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(str(value))


def _reentry(value: Any) -> str:
    Reentry.read(str(value))
    return str(value)


def _when_limited(value: Any) -> str:
    if value not in (POSTPONE, DROP):
        raise ValueError(
            pgettext("triggers", "must be '%(one)s' or '%(other)s'")
            % {"one": POSTPONE, "other": DROP}
        )
    return str(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "reentry": _reentry,
    "max_age": _duration,
    "priority": _whole_number(0, 100),
    "when_limited": _when_limited,
    "send_window": SendWindow.read,
    "bundle": _duration,
    "holdout": _whole_number(0, MOST_HOLDOUT),
    "blast_limit": _whole_number(1, None),
    "attribution_window": _duration,
    "sender": str,
}
#: Names of the rules, as fields of a FlowDefinition and as entries of a flow file.
NAMES = tuple(_READERS)


def read(name: str, value: Any) -> Any:
    """Turn an author's value of one rule into a field's; raises ValueError when it is none."""
    return _READERS[name](value)


def write(value: Any) -> Any:
    """Turn a field's value into what `read` reads."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, SendWindow):
        return value.to_dict()
    return value
