"""Quiet hours and sending windows: when a message may leave, by the clocks of its reader.

A moment is judged by what a clock on the reader's wall shows, so that a gap or a fold of daylight
saving time needs no rule of its own: where the clock shows quiet hours twice, both are quiet, and
where it jumps over their end, they end with the jump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured

from ..conf import triggers_settings
from ..limits import WEEKDAYS, SendWindow, read_time

#: Channels that QUIET_HOURS does not name.
ANY_CHANNEL = "*"
#: A window comes again within a week, and once daylight saving time or a skipped day may eat it.
_LONGEST_SEARCH_DAYS = 16
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What one message has to keep to, in local times."""

    #: From when until when nothing leaves; may reach over midnight.
    quiet: tuple[time, time] | None = None
    #: When a flow's messages leave; None: at any time that is not quiet.
    window: SendWindow | None = None

    def __bool__(self) -> bool:
        return self.quiet is not None or self.window is not None

    def is_open(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Say whether a message may leave at a moment (UTC), by the clocks of one zone."""
        local = moment.astimezone(zone)
        return not self.is_quiet(local.time()) and self.is_in_window(local)

    def is_quiet(self, shown: time) -> bool:
        """Say whether quiet hours hold when a clock shows this; they end when it shows `until`."""
        return self.quiet is not None and _within(shown, *self.quiet)

    def is_in_window(self, local: datetime) -> bool:
        """Say whether the flow's window is open at a local time."""
        window = self.window
        if window is None:
            return True
        shown, today = local.time(), local.date()
        if window.from_ < window.until:
            return window.from_ <= shown < window.until and _is_day(today, window)
        # Over midnight, it belongs to the day on which it begins.
        return (shown >= window.from_ and _is_day(today, window)) or (
            shown < window.until and _is_day(today - _DAY, window)
        )

    def edges(self) -> tuple[time, ...]:
        """Return the times of day at which it may open."""
        found = {time(0)}
        if self.quiet is not None:
            found.add(self.quiet[1])
        if self.window is not None:
            found |= {self.window.from_, self.window.until}
        return tuple(found)


def _within(shown: time, start: time, end: time) -> bool:
    if start < end:
        return start <= shown < end
    return shown >= start or shown < end


def _is_day(day: date, window: SendWindow) -> bool:
    return WEEKDAYS[day.weekday()] in window.days


def rules_for(channel: str, window: SendWindow | None, *, promotional: bool) -> Rules:
    """Return what a message on a channel keeps to; only promotional ones mind quiet hours."""
    return Rules(quiet=quiet_hours(channel) if promotional else None, window=window)


def quiet_hours(channel: str) -> tuple[time, time] | None:
    """Return a channel's quiet hours; raises ImproperlyConfigured for what is none."""
    told = triggers_settings().quiet_hours
    if not isinstance(told, Mapping):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['QUIET_HOURS'] is {told!r}; write a mapping from channels to times, "
            "as in {'*': ('22:00', '07:00')}."
        )
    return _read_quiet(channel if channel in told else ANY_CHANNEL, told)


def check_setting() -> None:
    """Read all quiet hours; raises ImproperlyConfigured saying what to write instead."""
    quiet_hours(ANY_CHANNEL)
    for channel in triggers_settings().quiet_hours:
        quiet_hours(channel)


def _read_quiet(name: str, told: Mapping[str, Any]) -> tuple[time, time] | None:
    pair = told.get(name)
    if not pair:
        return None
    try:
        if isinstance(pair, str):
            raise ValueError(pair)
        first, second = pair
        start, end = read_time(first), read_time(second)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['QUIET_HOURS'][{name!r}] is {pair!r}; "
            "write two local times, as in ('22:00', '07:00')."
        ) from None
    if start == end:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['QUIET_HOURS'][{name!r}] begins and ends at {start:%H:%M}: nothing "
            f"would ever leave. Write other times, or None for no quiet hours on {name!r}."
        )
    return start, end


def next_open(now: datetime, zones: Sequence[ZoneInfo], rules: Rules) -> datetime | None:
    """Return the first moment from `now` on (UTC) at which all zones are open.

    None where there is none for two weeks: the rules leave no moment, or the zones are so far
    apart that one of them is always closed.
    """
    if not rules or all(rules.is_open(now, zone) for zone in zones):
        return now
    for start in (now + _DAY * count for count in range(_LONGEST_SEARCH_DAYS)):
        for moment in sorted(set(_openings(start, zones, rules.edges()))):
            if moment > now and all(rules.is_open(moment, zone) for zone in zones):
                return moment
    return None


def _openings(
    start: datetime, zones: Sequence[ZoneInfo], edges: Sequence[time]
) -> Iterator[datetime]:
    """Yield every moment of one day from `start` (UTC) at which a closed zone may open."""
    end = start + _DAY
    for zone in zones:
        first, last = start.astimezone(zone), end.astimezone(zone)
        for day in {first.date(), last.date(), (start + _DAY / 2).astimezone(zone).date()}:
            for edge in edges:
                for fold in (0, 1):
                    wall = datetime.combine(day, edge, tzinfo=zone).replace(fold=fold)
                    moment = wall.astimezone(UTC)
                    if start <= moment <= end:
                        yield moment
        if first.utcoffset() != last.utcoffset():
            yield _transition(start, end, zone)


def _transition(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second at which a zone's clocks show what they show at the end."""
    offset = end.astimezone(zone).utcoffset()
    low, high = int(start.timestamp()), int(end.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def leaves_a_moment(rules: Rules) -> bool:
    """Say whether a week has any moment that rules allow, for a reader in one zone."""
    # A week without transitions: any Monday of UTC's.
    monday = datetime(2024, 1, 1, tzinfo=UTC)
    return next_open(monday, [ZoneInfo("UTC")], rules) is not None
