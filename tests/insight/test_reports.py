"""Reports count letters to customers by flow and day, and never add up two currencies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.insight.reports import Figures, Period, Report, report
from oscar_triggers.models import DailyTotal, Flow
from tests.insight.rows import make_contact, make_flow, make_message, make_order

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WEEK = Period(days=7, now=NOW)
YESTERDAY = NOW - timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def utc_shop(settings: Any) -> None:
    """Let the shop live in UTC unless a test says otherwise."""
    settings.TIME_ZONE = "UTC"


@pytest.fixture
def flow() -> Flow:
    """Return a live flow."""
    return make_flow("left-basket", now=NOW)


def test_a_letter_counts_on_its_day_with_what_came_of_it_later(flow: Flow) -> None:
    letter = make_message(flow, YESTERDAY, clicked_at=NOW)
    make_message(flow, YESTERDAY)
    make_order(letter, "25.50", "EUR", occurred_at=NOW)
    found = report(WEEK)
    day = YESTERDAY.date()
    assert found.cells == {
        (day, flow.pk): Figures(sent=2, clicked=1, orders=1, revenue={"EUR": Decimal("25.50")})
    }
    assert found.total.click_rate == 0.5
    assert found.by_day()[day].sent == 2
    assert found.by_day()[NOW.date()] == Figures()
    assert len(found.by_day()) == 7


def test_two_currencies_are_never_added_up(flow: Flow) -> None:
    letter = make_message(flow, YESTERDAY)
    make_order(letter, "10.00", "EUR")
    make_order(letter, "7.00", "EUR")
    make_order(letter, "20.00", "USD")
    found = report(WEEK)
    assert found.total.revenue == {"EUR": Decimal("17.00"), "USD": Decimal("20.00")}
    assert found.total.orders == 3
    assert found.currencies() == ["EUR", "USD"]


def test_tests_rehearsals_refusals_and_letters_to_staff_are_not_counted(
    flow: Flow, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "STAFF_ACCOUNTS": True}
    staff = get_user_model().objects.create_user(username="boss", is_staff=True)
    customer = get_user_model().objects.create_user(username="anna")
    make_message(flow, YESTERDAY, contact=make_contact(user=staff), clicked_at=NOW)
    make_order(make_message(flow, YESTERDAY, contact=make_contact(user=staff)))
    make_message(None, YESTERDAY, idempotency_key="test:1")
    make_message(flow, YESTERDAY, is_shadow=True)
    make_message(flow, YESTERDAY, state="skipped", reason="no_consent")
    make_message(flow, YESTERDAY, contact=make_contact(user=customer))
    assert report(WEEK).total == Figures(sent=1)


def test_a_click_on_a_letter_without_an_answer_counts_and_the_letter_does_not(flow: Flow) -> None:
    make_message(flow, YESTERDAY, state="unknown", clicked_at=NOW)
    assert report(WEEK).total == Figures(clicked=1)


def test_goals_that_are_no_orders_are_no_orders(flow: Flow) -> None:
    make_order(make_message(flow, YESTERDAY), kind="review_written")
    assert report(WEEK).total == Figures(sent=1)


def test_the_time_before_is_as_long_and_ends_at_the_same_hour(flow: Flow) -> None:
    make_message(flow, NOW - timedelta(days=7, hours=1))
    make_message(flow, NOW - timedelta(days=7) + timedelta(hours=1))
    make_message(flow, datetime(2026, 11, 7, 0, 0, tzinfo=UTC))
    make_message(flow, datetime(2026, 11, 6, 23, 59, tzinfo=UTC))
    make_message(flow, datetime(2026, 11, 14, 0, 0, tzinfo=UTC))
    found = report(WEEK)
    assert found.total.sent == 1
    assert found.total_before.sent == 2


def test_days_are_the_shops_own(flow: Flow, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    make_message(flow, datetime(2026, 11, 18, 15, 30, tzinfo=UTC))
    found = report(Period(days=7, now=NOW))
    assert list(found.cells) == [(date(2026, 11, 19), flow.pk)]


def test_what_was_pruned_still_counts(flow: Flow) -> None:
    month = Period(days=30, now=NOW)
    for measure, times, value, currency in (
        ("sent", 10, None, ""),
        ("clicked", 4, None, ""),
        ("converted:order_placed", 2, Decimal("30.00"), "EUR"),
        ("skipped:no_consent", 9, None, ""),
    ):
        DailyTotal.objects.create(
            day=date(2026, 10, 10),
            flow=flow,
            measure=measure,
            count=times,
            value=value,
            currency=currency,
        )
    make_message(flow, datetime(2026, 10, 10, 9, 0, tzinfo=UTC))
    assert report(month).total_before == Figures(
        sent=11, clicked=4, orders=2, revenue={"EUR": Decimal("30.00")}
    )


def test_one_flow_can_be_asked_for(flow: Flow) -> None:
    other = make_flow("after-order", now=NOW)
    make_message(flow, YESTERDAY)
    make_order(make_message(other, YESTERDAY))
    assert report(WEEK, flow_id=flow.pk).total == Figures(sent=1)
    assert set(report(WEEK).by_flow()) == {flow.pk, other.pk}


def test_it_asks_the_same_for_three_flows_and_for_thirty() -> None:
    def asked(flows: int) -> int:
        for number in range(flows):
            row = make_flow(f"flow-{flows}-{number}", now=NOW)
            make_order(make_message(row, NOW - timedelta(days=number % 20)))
        with CaptureQueriesContext(connection) as captured:
            found: Report = report(Period(days=30, now=NOW))
        assert found.total.sent >= flows
        return len(captured)

    assert asked(3) == asked(30) == 1
