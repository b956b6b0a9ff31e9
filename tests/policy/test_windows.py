"""When a message may leave: every clock of the world, and every hour that is struck twice."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from oscar_triggers.limits import WEEKDAYS, SendWindow
from oscar_triggers.policy import windows, zones
from oscar_triggers.policy.windows import Rules, next_open
from tests.examples import examples

NIGHT = Rules(quiet=(time(22), time(6)))
OFFICE = Rules(window=SendWindow(from_=time(9), until=time(18), days=WEEKDAYS[:5]))
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
        "Africa/Casablanca", "Africa/Cairo", "Asia/Gaza", "Asia/Beirut", "Pacific/Kiritimati",
        "Pacific/Chatham", "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo",
        "Europe/Dublin", "Antarctica/Troll", "America/Scoresbysund", "Asia/Tehran", "UTC",
    )
]  # fmt: skip
HOUR = timedelta(hours=1)


def at(zone: str, year: int, month: int, day: int, *clock: int, fold: int = 0) -> datetime:
    """Return what a wall clock shows (hour, minute, second) as a moment in UTC."""
    shown = time(*clock, fold=fold)
    return datetime.combine(date(year, month, day), shown, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _transitions() -> list[tuple[ZoneInfo, datetime]]:
    found = []
    for zone in ZONES:
        moment, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
        while moment < end:
            following = moment + HOUR / 2
            if moment.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
                found.append((zone, following))
            moment = following
    return found


TRANSITIONS = _transitions()
FIRST, LAST = 1_704_067_200, 1_924_992_000  # The years 2024 to 2030.
moments = st.one_of(
    st.tuples(
        st.sampled_from(ZONES),
        st.integers(FIRST, LAST).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    ),
    st.tuples(st.sampled_from(TRANSITIONS), st.integers(-36 * 3600, 36 * 3600)).map(
        lambda drawn: (drawn[0][0], drawn[0][1] + timedelta(seconds=drawn[1]))
    ),
)
times = st.integers(0, 24 * 4 - 1).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
quiet = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1])
send_windows = st.builds(
    SendWindow,
    from_=times,
    until=times,
    days=st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(
        lambda days: tuple(day for day in WEEKDAYS if day in days)
    ),
)


def shown_quiet(local: datetime, pair: tuple[time, time]) -> bool:
    """Say it again in other words than the code: minutes since quiet began, on the wall."""
    minutes = local.hour * 60 + local.minute + local.second / 60
    start, end = (edge.hour * 60 + edge.minute for edge in pair)
    return (minutes - start) % 1440 < (end - start) % 1440


@settings(max_examples=examples(4_000), deadline=None)
@given(where=moments, pair=quiet)
def test_nothing_leaves_in_quiet_hours_and_nothing_waits_longer_than_they_last(
    where: tuple[ZoneInfo, datetime], pair: tuple[time, time]
) -> None:
    obey_quiet_hours(*where, pair)


def test_fifty_thousand_nights_around_every_transition_from_2024_to_2030() -> None:
    chance = random.Random(2024)
    for count in range(50_000):
        zone, transition = TRANSITIONS[count % len(TRANSITIONS)]
        start = chance.randrange(96)
        end = (start + 1 + chance.randrange(95)) % 96
        obey_quiet_hours(
            zone,
            transition + timedelta(seconds=chance.randint(-36 * 3600, 36 * 3600)),
            (time(start // 4, start % 4 * 15), time(end // 4, end % 4 * 15)),
        )


def obey_quiet_hours(zone: ZoneInfo, now: datetime, pair: tuple[time, time]) -> None:
    """Find when quiet hours end, and check that it is neither quiet nor too late then."""
    opens = next_open(now, [zone], Rules(quiet=pair))
    assert opens is not None
    assert opens >= now
    assert not shown_quiet(opens.astimezone(zone), pair)
    if opens > now:
        assert shown_quiet(now.astimezone(zone), pair)
        # Not a second too late: the second before was quiet.
        assert shown_quiet((opens - timedelta(seconds=1)).astimezone(zone), pair)
        start, end = (edge.hour * 60 + edge.minute for edge in pair)
        length = timedelta(minutes=(end - start) % 1440)
        # A fold may strike them twice, never longer than the clocks go back (2 h in Antarctica);
        # and a gap may swallow the whole of a day that is open for minutes only.
        if length <= timedelta(hours=21):
            assert opens - now <= min(length * 2, length + 2 * HOUR)


@settings(max_examples=examples(3_000), deadline=None)
@given(where=moments, window=send_windows)
def test_a_weekly_window_opens_at_its_first_moment(
    where: tuple[ZoneInfo, datetime], window: SendWindow
) -> None:
    zone, now = where
    rules = Rules(window=window)
    opens = next_open(now, [zone], rules)
    assert opens is not None
    local = opens.astimezone(zone)
    assert any(
        WEEKDAYS[begun.weekday()] in window.days
        and _begins(begun, window) <= local.replace(tzinfo=None) < _ends(begun, window)
        for begun in (local.date(), local.date() - timedelta(days=1))
    )
    if opens > now:
        for earlier in (now, opens - timedelta(seconds=1), now + (opens - now) / 2):
            assert not rules.is_open(earlier, zone)


def _begins(day: Any, window: SendWindow) -> datetime:
    return datetime.combine(day, window.from_)


def _ends(day: Any, window: SendWindow) -> datetime:
    over = timedelta(days=0 if window.from_ < window.until else 1)
    return datetime.combine(day, window.until) + over


@settings(max_examples=examples(1_500), deadline=None)
@given(where=moments, pair=quiet, others=st.lists(st.sampled_from(ZONES), max_size=3))
def test_several_zones_must_all_be_open(
    where: tuple[ZoneInfo, datetime], pair: tuple[time, time], others: list[ZoneInfo]
) -> None:
    zone, now = where
    rules = Rules(quiet=pair)
    opens = next_open(now, [zone, *others], rules)
    if opens is None:
        # Then not a quarter of an hour in a day is open in all of them.
        assert not any(
            all(rules.is_open(now + quarter * HOUR / 4, one) for one in (zone, *others))
            for quarter in range(24 * 4)
        )
        return
    assert all(rules.is_open(opens, one) for one in (zone, *others))
    if opens > now:
        assert not all(rules.is_open(opens - timedelta(seconds=1), one) for one in (zone, *others))


@pytest.mark.parametrize(
    ("zone", "now", "opens"),
    [
        ("Europe/Berlin", (2026, 6, 1, 23, 30), (2026, 6, 2, 6)),
        ("Europe/Berlin", (2026, 6, 1, 5, 59, 59), (2026, 6, 1, 6)),
        ("Europe/Berlin", (2026, 6, 1, 6), (2026, 6, 1, 6)),
        ("Europe/Berlin", (2026, 6, 1, 21, 59), (2026, 6, 1, 21, 59)),
        # The night of 29 March 2026 is an hour shorter, that of 25 October an hour longer.
        ("Europe/Berlin", (2026, 3, 28, 22), (2026, 3, 29, 6)),
        ("Europe/Berlin", (2026, 10, 24, 22), (2026, 10, 25, 6)),
        ("Australia/Lord_Howe", (2026, 4, 4, 23), (2026, 4, 5, 6)),
        ("Australia/Lord_Howe", (2026, 10, 3, 23), (2026, 10, 4, 6)),
        ("Asia/Kathmandu", (2026, 1, 1, 0), (2026, 1, 1, 6)),
        ("Pacific/Kiritimati", (2026, 1, 1, 23), (2026, 1, 2, 6)),
        # Samoa had no 30 December 2011.
        ("Pacific/Apia", (2011, 12, 29, 22, 30), (2011, 12, 31, 6)),
    ],
)
def test_a_night_ends_at_six_by_the_readers_clock(
    zone: str, now: tuple[int, int, int, int], opens: tuple[int, int, int, int]
) -> None:
    expected = at(zone, *opens)
    found = next_open(at(zone, *now), [ZoneInfo(zone)], NIGHT)
    assert found is not None
    assert found == expected


def test_quiet_hours_that_end_inside_a_gap_end_with_it() -> None:
    rules = Rules(quiet=(time(22), time(2, 30)))
    found = next_open(at("Europe/Berlin", 2026, 3, 29, 1), [ZoneInfo("Europe/Berlin")], rules)
    assert found == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00, when the clock jumps there.


def test_quiet_hours_that_are_struck_twice_are_quiet_twice() -> None:
    rules = Rules(quiet=(time(22), time(2, 30)))
    berlin = [ZoneInfo("Europe/Berlin")]
    first = at("Europe/Berlin", 2026, 10, 25, 2, 30)
    assert next_open(first - HOUR, berlin, rules) == first
    again = at("Europe/Berlin", 2026, 10, 25, 2, 10, fold=1)
    assert next_open(again, berlin, rules) == at("Europe/Berlin", 2026, 10, 25, 2, 30, fold=1)


def test_a_window_waits_for_monday() -> None:
    friday_evening = at("Europe/Berlin", 2026, 3, 27, 18)
    assert next_open(friday_evening, [ZoneInfo("Europe/Berlin")], OFFICE) == at(
        "Europe/Berlin", 2026, 3, 30, 9
    )


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    rules = Rules(window=SendWindow(from_=time(20), until=time(2), days=("fri",)))
    paris = ZoneInfo("Europe/Paris")
    assert rules.is_open(at("Europe/Paris", 2026, 6, 6, 1, 59), paris)
    assert not rules.is_open(at("Europe/Paris", 2026, 6, 6, 2), paris)
    assert not rules.is_open(at("Europe/Paris", 2026, 6, 5, 1), paris)


def test_rules_without_a_common_moment_end_the_search() -> None:
    night_shift = SendWindow(from_=time(23), until=time(5))
    assert not windows.leaves_a_moment(Rules(quiet=NIGHT.quiet, window=night_shift))
    assert windows.leaves_a_moment(Rules(quiet=NIGHT.quiet, window=OFFICE.window))
    # Eleven in the morning in Kiritimati and in Pago Pago are never at once.
    short = Rules(window=SendWindow(from_=time(11), until=time(12), days=("mon",)))
    far = [ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]
    assert next_open(datetime(2026, 1, 1, tzinfo=UTC), far, short) is None


# ── Whose clock ──────────────────────────────────────────────────────────────────────────────────


def names(*found: ZoneInfo) -> list[str]:
    """Return what zones are called."""
    return [zone.key for zone in found]


def test_a_persons_own_zone_counts_before_the_phones() -> None:
    assert names(*zones.zones_of("Asia/Kathmandu", ["+4930123456"], None)) == ["Asia/Kathmandu"]


def test_a_phone_number_tells_every_zone_it_may_be_in() -> None:
    assert names(*zones.zones_of("", ["+4930123456"], None)) == ["Europe/Berlin"]
    assert {"Australia/Perth", "Australia/Sydney"} <= set(
        names(*zones.zones_of("", ["+61491570156"], None))
    )


@pytest.mark.parametrize("broken", ["", "Mars/Olympus", "../../etc/passwd", "Europe", "\x00"])
def test_broken_names_and_numbers_leave_the_shops_zone(broken: str, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    assert names(zones.zone_of(broken, ["+881612345678", "tea"], None)) == ["Europe/Paris"]


def test_a_site_may_stand_in_another_zone(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SITES": {7: {"time_zone": "Asia/Tokyo"}, 8: {"time_zone": "Nowhere"}},
    }
    settings.TIME_ZONE = "Europe/Paris"
    assert names(zones.zone_of("", [], 7)) == ["Asia/Tokyo"]
    assert names(zones.zone_of("", [], 8)) == ["Europe/Paris"]


# ── The setting ──────────────────────────────────────────────────────────────────────────────────


def test_a_channel_without_hours_of_its_own_takes_those_of_all(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "QUIET_HOURS": {"sms": ["21:00", "08:00"], "push": None, "*": ("22:00", "07:00")},
    }
    assert windows.quiet_hours("sms") == (time(21), time(8))
    assert windows.quiet_hours("email") == (time(22), time(7))
    assert windows.quiet_hours("push") is None
    assert not windows.rules_for("email", None, promotional=False)


@pytest.mark.parametrize(
    "told",
    [{"sms": "21:00"}, {"sms": ("21:00", "25:00")}, {"sms": ("9", "10", "11")}, ("21", "8"),
     {"*": ("08:00", "08:00")}, {"sms": 5}],
)  # fmt: skip
def test_hours_that_are_none_are_refused_by_name(told: Any, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "QUIET_HOURS": told}
    with pytest.raises(ImproperlyConfigured, match="QUIET_HOURS"):
        windows.check_setting()
