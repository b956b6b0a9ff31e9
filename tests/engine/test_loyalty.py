"""A shop's loyalty programme: flows give its points once, and letters say how many there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from oscar_triggers.engine import clockwork, flows, loyalty
from oscar_triggers.engine.loyalty import Gift, Programme
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import Decision, Enrollment
from oscar_triggers.snapshots import Person
from tests.shop.prices.conftest import agree

from .conftest import BODY, SEND

pytestmark = pytest.mark.django_db

GIVE = {"key": "points", "kind": "give_points", "options": {"points": 50}}


class Club(Programme):
    """A programme whose book is a dictionary."""

    booked: dict[str, Gift]
    is_down = False

    def __init__(self) -> None:
        type(self).booked = {}

    def balances(self, user_ids: Collection[Any]) -> Mapping[Any, int]:
        """Add up what was booked."""
        points = dict.fromkeys(user_ids, 0)
        for gift in self.booked.values():
            if gift.user_id in points:
                points[gift.user_id] += gift.points
        return points

    def give(self, gifts: Sequence[Gift], now: datetime) -> Collection[str]:
        """Book each gift once."""
        if self.is_down:
            with connection.cursor() as cursor:
                cursor.execute("SELECT points FROM no_such_table")
        self.booked.update({gift.key: gift for gift in gifts})
        return {gift.key for gift in gifts}


@pytest.fixture
def club() -> Iterator[type[Club]]:
    """Register the programme for one test."""
    loyalty.register(Club)
    yield Club
    Club.is_down = False
    loyalty.forget()


@pytest.fixture
def customer(db: None) -> Person:
    """Return somebody with an account."""
    user = get_user_model().objects.create_user("carla", "carla@example.com")
    return Person(user_id=user.pk, email=user.email)


def points() -> dict[str, Any]:
    """Return what was compared, by the branch that was taken."""
    rows = Decision.objects.filter(rule="points").values_list("verdict", "compared")
    return dict(rows)


def test_a_customer_gets_points_once_and_the_letter_says_how_many_there_are(
    club: type[Club],
    publish_flow: Callable[..., Any],
    publish_letter: Callable[..., Any],
    expire: Callable[..., None],
    customer: Person,
    now: datetime,
) -> None:
    agree("carla@example.com", SimpleNamespace(now=now))
    publish_letter("sum", body=BODY.replace("is yours", "is yours: {{ points.balance }} points"))
    letter = {**SEND, "options": {"template": "sum"}}
    publish_flow({**GIVE, "branches": {"given": [letter], "not_given": []}})
    expire(who=customer)
    for later in range(3):
        clockwork.tick(now + timedelta(seconds=later))
    assert [(gift.user_id, gift.points) for gift in club.booked.values()] == [
        (customer.user_id, 50)
    ]
    [sent] = mail.outbox
    assert "50 points" in sent.body


def test_a_guest_has_no_account_to_give_to(
    club: type[Club], publish_flow: Callable[..., Any], expire: Callable[..., None], now: datetime
) -> None:
    publish_flow(GIVE)
    expire(who=Person(email="guest@example.com"))
    clockwork.tick(now)
    assert (club.booked, points()) == ({}, {"not_given": {"points": 50}})


def test_a_rehearsal_gives_nothing(
    club: type[Club],
    publish_flow: Callable[..., Any],
    expire: Callable[..., None],
    customer: Person,
    now: datetime,
) -> None:
    publish_flow(GIVE)
    flows.shadow("gift-cards", now - timedelta(seconds=30))
    expire(who=customer)
    clockwork.tick(now)
    assert (club.booked, points()) == ({}, {"given": {"points": 50, "rehearsal": True}})


def test_a_programme_that_is_down_is_asked_again_and_in_the_end_passed_over(
    club: type[Club],
    publish_flow: Callable[..., Any],
    expire: Callable[..., None],
    customer: Person,
    now: datetime,
) -> None:
    publish_flow(GIVE, max_lateness="1h")
    club.is_down = True
    expire(card="1", who=customer)
    clockwork.tick(now)
    assert (club.booked, points()) == ({}, {})
    club.is_down = False
    clockwork.tick(now + timedelta(minutes=6))
    assert len(club.booked) == 1

    club.is_down = True
    expire(card="2", at=now + timedelta(minutes=6), who=customer)
    for minutes in range(7, 90, 5):
        clockwork.tick(now + timedelta(minutes=minutes))
    assert len(club.booked) == 1
    assert not Enrollment.objects.exclude(state="ended").exists()
    assert points()["not_given"] == {"points": 50}


def test_a_flow_that_gives_points_needs_a_programme(publish_flow: Callable[..., Any]) -> None:
    with pytest.raises(DefinitionError, match="no app brings a loyalty programme"):
        publish_flow(GIVE)
    with pytest.raises(DefinitionError, match="one point at least"):
        publish_flow({**GIVE, "options": {"points": 0}})


def test_there_is_one_programme(club: type[Club]) -> None:
    class Second(Programme):
        """Another one."""

    with pytest.raises(ImproperlyConfigured, match="a second loyalty programme beside Club"):
        loyalty.register(Second)
    # The same one again, as when a module is imported twice.
    loyalty.register(Club)
