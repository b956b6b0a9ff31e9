"""A month at a glance: one-off letters, messages that wait, and birthdays to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from oscar_triggers.insight import calendar
from oscar_triggers.insight.calendar import Sort
from oscar_triggers.models import LetterState, OneOffLetter
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock
from tests.editor.conftest import signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 7, 10, tzinfo=UTC)
ADDRESS = "wagtail_triggers:calendar"


def a_month() -> None:
    """Plan a letter, let somebody wait in a flow, and have two birthdays come."""
    clock = Clock(NOW)
    anna = factories.contact("anna@example.com", now=NOW, fields={"birthday": "1990-01-20"})
    factories.contact("boris@example.com", now=NOW, fields={"birthday": "1985-01-20"})
    factories.flow(
        {
            "flow": "birthdays",
            "name": "Birthdays",
            "trigger": {"kind": "annual_date", "field": "birthday", "days_before": 2},
            "steps": [{"key": "hello", "kind": "send", "options": {"template": "hello"}}],
        },
        clock=clock,
    )
    waiting = factories.flow(
        {
            "flow": "tags",
            "name": "New tag",
            "trigger": {"kind": "contact_changed", "change": "tag_added"},
            "steps": [
                {"key": "pause", "kind": "wait", "options": {"duration": "3d"}},
                {"key": "hello", "kind": "send", "options": {"template": "hello"}},
            ],
        },
        clock=clock,
    )
    waiting.run(contact=anna, event={"field": "vip", "change": "tag_added"})
    OneOffLetter.objects.create(
        name="First flush",
        segment="tea",
        template="hello",
        topic="offers",
        send_at=NOW + timedelta(days=5),
        state=LetterState.SCHEDULED,
        confirmed_people=1240,
        created_at=NOW,
        changed_at=NOW,
    )


def test_each_day_tells_what_will_go_out() -> None:
    a_month()
    found = calendar.between(NOW.date(), NOW.date() + timedelta(days=20), UTC, NOW)
    told = {
        (day.day, one.sort, one.label, one.count) for day, rows in found.items() for one in rows
    }
    assert told == {
        (10, Sort.GOING_ON, "New tag", 1),
        (12, Sort.LETTER, "First flush", 1240),
        (18, Sort.EXPECTED, "Birthdays", 2),
    }


def test_the_page_shows_a_month_and_turns_to_the_next(
    publisher: Any, django_assert_max_num_queries: Any
) -> None:
    a_month()
    with time_machine.travel(NOW, tick=False):
        publisher_client = signed_in(publisher)
        publisher_client.get(reverse(ADDRESS))
        with django_assert_max_num_queries(12):
            page = publisher_client.get(reverse(ADDRESS))
        assertContains(page, "January 2030")
        assertContains(page, "First flush (waits for its time, 1240 people)")
        assertContains(page, "Birthdays: 2 expected")
        assertContains(page, 'aria-current="date"', count=1)
        after = publisher_client.get(reverse(ADDRESS), {"month": "2030-02"})
        assertContains(after, "February 2030")
        assertNotContains(after, "First flush")
        assertContains(publisher_client.get(reverse(ADDRESS), {"month": "x"}), "January 2030")


def test_the_calendar_is_for_those_who_may_see_what_stands_in_it(
    person: Callable[..., Any],
) -> None:
    stranger = person("stranger", "wagtailadmin.access_admin")
    answer = signed_in(stranger).get(reverse(ADDRESS))
    assert answer["Location"] == reverse("wagtailadmin_home")
