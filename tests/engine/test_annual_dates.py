"""Days that come back each year: once a year, in each contact's own zone, whatever happens."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oscar_triggers.builtin.dates import AnnualDateOptions, years_due
from oscar_triggers.engine import contacts, fields, flows
from oscar_triggers.models import Contact, Decision, Enrollment, JournalEntry
from oscar_triggers.snapshots import Person
from tests.examples import examples

from .conftest import wait

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Etc/GMT+12",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Pacific/Chatham",
    "America/Santiago",
)


def utc(text: str) -> datetime:
    """Read a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_at(stored: str, zone: str, since: str, until: str, **options: Any) -> list[datetime]:
    """Return the minutes between two moments at which the day falls due."""
    wanted = AnnualDateOptions.from_options(options)
    moment, end, found = utc(since), utc(until), []
    while moment < end:
        after = moment + timedelta(minutes=15)
        if years_due(stored, wanted, ZoneInfo(zone), moment, after):
            found.append(after)
        moment = after
    return found


@pytest.mark.parametrize(
    ("stored", "zone", "options", "moment"),
    [
        ("1990-03-01", "UTC", {}, "2027-03-01 09:00"),
        ("1990-03-01", "Asia/Kathmandu", {}, "2027-03-01 03:15"),
        ("1990-03-01", "Australia/Lord_Howe", {}, "2027-02-28 22:00"),
        ("1990-03-01", "Pacific/Kiritimati", {}, "2027-02-28 19:00"),
        ("1990-03-01", "Etc/GMT+12", {}, "2027-03-01 21:00"),
        ("1990-03-01", "UTC", {"at": "21:30", "days_before": 2}, "2027-02-27 21:30"),
        ("--03-01", "UTC", {}, "2027-03-01 09:00"),
        # No year without 29 February goes by without a letter.
        ("1992-02-29", "UTC", {}, "2027-02-28 09:00"),
        ("1992-02-29", "UTC", {"feb_29": "mar_1"}, "2027-03-01 09:00"),
        ("1992-02-29", "UTC", {"days_before": 1, "feb_29": "mar_1"}, "2027-02-28 09:00"),
        # Somebody wrote a day that year did not have: it is meant for the other years.
        ("1990-02-29", "UTC", {}, "2027-02-28 09:00"),
        # At 02:15 on 28 March 2027 no clock in Berlin says so: an hour later it is.
        ("1990-03-28", "Europe/Berlin", {"at": "02:15"}, "2027-03-28 01:15"),
        # On Lord Howe 02:00 becomes 02:30 on 3 October 2027.
        ("1990-10-03", "Australia/Lord_Howe", {"at": "02:15"}, "2027-10-02 15:45"),
        # 02:15 comes twice on 31 October: the first time counts.
        ("1990-10-31", "Europe/Berlin", {"at": "02:15"}, "2027-10-31 00:15"),
    ],
)
def test_the_day_is_the_contacts_own(
    stored: str, zone: str, options: dict[str, Any], moment: str
) -> None:
    assert due_at(stored, zone, "2027-01-15", "2028-01-10", **options) == [utc(moment)]


def test_in_a_leap_year_the_29th_is_the_29th() -> None:
    for feb_29 in ("feb_28", "mar_1"):
        found = due_at("1992-02-29", "UTC", "2028-02-20", "2028-03-10", feb_29=feb_29)
        assert found == [utc("2028-02-29 09:00")]


def test_days_before_reach_over_new_year_and_belong_to_the_days_own_year() -> None:
    options = AnnualDateOptions(days_before=14)
    years = years_due(
        "1990-01-05", options, ZoneInfo("UTC"), utc("2026-12-22 08:59"), utc("2026-12-22 09:00")
    )
    assert years == [2027]


@pytest.mark.parametrize("stored", ["", None, "soon", "1990-13-01", "1990-02-30", "01.03.1990", 5])
def test_what_is_no_date_is_never_due(stored: Any) -> None:
    assert (
        years_due(
            stored, AnnualDateOptions(), ZoneInfo("UTC"), utc("2026-01-01"), utc("2027-12-31")
        )
        == []
    )


def test_a_day_does_not_come_back_before_it_came() -> None:
    assert due_at("2030-03-01", "UTC", "2027-02-25", "2027-03-05") == []


@hypothesis_settings(max_examples=examples(200), deadline=None)
@given(
    born=st.dates(date(1930, 1, 1), date(2020, 12, 31)),
    zone=st.sampled_from(ZONES),
    days_before=st.integers(0, 60),
    at=st.sampled_from(["00:00", "00:30", "02:15", "09:00", "23:59"]),
    feb_29=st.sampled_from(["feb_28", "mar_1"]),
    gaps=st.lists(st.integers(6 * 60, 3 * 24 * 60), min_size=1, max_size=40),
    year=st.integers(2024, 2031),
)
def test_once_a_year_for_any_day_zone_and_any_ticks(
    born: date,
    zone: str,
    days_before: int,
    at: str,
    feb_29: str,
    gaps: list[int],
    year: int,
) -> None:
    """Whatever the ticks, as long as none is later than the flow is patient."""
    patience = timedelta(days=3)
    options = AnnualDateOptions(days_before=days_before, at=time.fromisoformat(at), feb_29=feb_29)
    found: set[int] = set()
    now = datetime(year - 1, 10, 1, tzinfo=UTC)
    for gap in itertools.cycle(gaps):
        # A year that is due at two ticks is one act to the journal.
        found |= set(years_due(born.isoformat(), options, ZoneInfo(zone), now - patience, now))
        if now > datetime(year + 1, 1, 3, tzinfo=UTC):
            break
        now += timedelta(minutes=gap)
    assert year in found
    # Who is born in the first days of the year after may be due already, and so may December's.
    assert found <= {year - 1, year, year + 1}


# ── With the engine ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def greet(publish_flow: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that publishes a flow about birthdays, switched on long ago."""

    def publish(key: str = "birthdays", *, at: str = "09:00", **rest: Any) -> Any:
        return publish_flow(
            wait("a", "1h"), key=key, trigger={"kind": "annual_date", "at": at},
            include_waiting=True, **rest,
        )  # fmt: skip

    return publish


def born(contact_id: int, day: str, zone: str = "UTC") -> None:
    """Say when and where a contact was born."""
    Contact.objects.filter(pk=contact_id).update(fields={"birthday": day}, time_zone=zone)


def greeted() -> list[str]:
    """Return the episodes that people entered, oldest first."""
    return list(Enrollment.objects.order_by("pk").values_list("episode_key", flat=True))


def test_many_ticks_greet_once_a_year(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any]
) -> None:
    greet()
    born(agreed, "1992-02-29", "Asia/Kathmandu")
    for minutes in (-1, 0, 1, 30, 90, 600, 719):
        tick(utc("2027-02-28 03:15") + timedelta(minutes=minutes))
    assert greeted() == ["annual_date:birthday:2027"]
    for minutes in (0, 5):
        tick(utc("2028-02-29 03:15") + timedelta(minutes=minutes))
    assert greeted() == ["annual_date:birthday:2027", "annual_date:birthday:2028"]


def test_a_corrected_birth_date_greets_nobody_twice_a_year(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any]
) -> None:
    greet()
    born(agreed, "1990-03-05")
    tick(utc("2027-03-05 09:10"))
    born(agreed, "1990-06-05")
    tick(utc("2027-06-05 09:10"))
    assert greeted() == ["annual_date:birthday:2027"]
    # Nor when the flow asks for another time meanwhile.
    greet(at="10:00")
    born(agreed, "1990-08-05")
    tick(utc("2027-08-05 10:10"))
    assert greeted() == ["annual_date:birthday:2027"]
    tick(utc("2028-08-05 10:10"))
    assert len(greeted()) == 2


def test_an_outage_is_caught_up_as_far_as_each_flow_is_patient(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any]
) -> None:
    greet("patient", max_lateness="3d")
    greet("hasty", max_lateness="12h")
    born(agreed, "1990-03-05")
    tick(utc("2027-03-07 09:00"))
    assert list(Enrollment.objects.values_list("flow__key", flat=True)) == ["patient"]
    refused = Decision.objects.get(flow__key="hasty", verdict="not_entered")
    assert refused.reason == "too_late"
    Enrollment.objects.all().delete()
    born(agreed, "1990-09-05")
    JournalEntry.objects.all().delete()
    tick(utc("2027-09-08 09:01"))
    assert greeted() == []


def test_a_flow_that_was_paused_over_the_day_greets_late_or_not_at_all(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any], now: datetime
) -> None:
    greet()
    born(agreed, "1990-03-05")
    flows.pause("birthdays", utc("2027-03-01 00:00"))
    tick(utc("2027-03-05 09:10"))
    flows.resume("birthdays", utc("2027-03-11 09:10"))
    tick(utc("2027-03-11 09:10"))
    assert greeted() == []


def test_nobody_is_greeted_for_a_day_before_the_flow_was_there(
    agreed: int, publish_flow: Callable[..., Any], tick: Callable[..., Any], now: datetime
) -> None:
    today = now - timedelta(hours=1)
    born(agreed, f"1990-{today:%m-%d}")
    publish_flow(wait("a", "1h"), trigger={"kind": "annual_date", "at": f"{today:%H:%M}"})
    tick(now + timedelta(minutes=2))
    assert greeted() == []
    assert Decision.objects.filter(reason="before_activation").exists()


def test_people_without_a_date_or_with_a_wrong_one_stop_nobody(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any], now: datetime
) -> None:
    greet()
    others = contacts.resolve_many(
        [(Person(email=f"p{number}@example.com"), None) for number in range(6)], now
    )
    values: list[Any] = ["1990-03-05", "??-03-05", 305, True, None, {"day": "03-05"}]
    for pk, value in zip(others, values, strict=True):
        Contact.objects.filter(pk=pk).update(fields={"birthday": value}, time_zone="UTC")
    born(agreed, "1980-03-05")
    tick(utc("2027-03-05 09:00"))
    assert set(Enrollment.objects.values_list("contact_id", flat=True)) == {agreed, others[0]}


def test_the_day_itself_stands_in_no_payload(
    agreed: int, greet: Callable[..., Any], tick: Callable[..., Any]
) -> None:
    greet()
    born(agreed, "1990-03-05")
    tick(utc("2027-03-05 09:00"))
    entry = JournalEntry.objects.get(kind="annual_date")
    assert "1990" not in str(entry.payload)
    assert "03-05" not in str(entry.payload)
    assert fields.check_name("birthday") == "birthday"


def test_sixty_birthdays_cost_the_queries_of_one(
    db: None, greet: Callable[..., Any], now: datetime
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from oscar_triggers.builtin.dates import AnnualDateSweep
    from oscar_triggers.models import Pulse

    greet()
    ids = contacts.resolve_many(
        [(Person(email=f"p{number}@example.com"), None) for number in range(60)], now
    )

    def statements(some: list[Any], moment: datetime) -> int:
        for pk in some:
            born(pk, f"1990-{moment:%m-%d}")
        with CaptureQueriesContext(connection) as captured:
            AnnualDateSweep().run(moment, Pulse(name="sweep:annual_dates"))
        return len(captured)

    # The flow itself is read once a process.
    statements([], utc("2027-01-05 09:00"))
    one = statements(ids[:1], utc("2027-03-05 09:00"))
    assert statements(ids, utc("2027-06-05 09:00")) == one
    assert JournalEntry.objects.filter(kind="annual_date").count() == 60


@pytest.mark.parametrize(
    "options",
    [
        {"field": "Birth Day"},
        {"at": "25:00"},
        {"days_before": -1},
        {"days_before": 400},
        {"feb_29": "never"},
    ],
)
def test_a_day_without_sense_is_refused(options: dict[str, Any]) -> None:
    from oscar_triggers.definitions import FlowDefinition

    [problem] = FlowDefinition.from_dict(
        {
            "flow": "a",
            "trigger": {"kind": "annual_date", **options},
            "steps": [{"key": "end", "kind": "exit"}],
        }
    ).problems()
    assert problem.where == "trigger"


def test_a_time_that_yaml_takes_for_a_number_is_understood() -> None:
    options = AnnualDateOptions.from_options({"at": 21 * 60 + 30})
    assert options.at == time(21, 30)
