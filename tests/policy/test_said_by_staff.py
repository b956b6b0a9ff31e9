"""Consent that staff or other programs write down for someone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oscar_triggers.engine import consents, contacts, wording
from oscar_triggers.models import ConsentEvent, ContactPoint
from oscar_triggers.policy import consent
from oscar_triggers.snapshots import Person
from tests.policy.rows import enroll, make_flow, plan_message

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def point() -> ContactPoint:
    """Return a guest's address."""
    contact_id = contacts.resolve(Person(email="anna@example.com"), now=NOW)
    return ContactPoint.objects.get(contact_id=contact_id)


def test_what_staff_write_down_names_them_and_counts(point: ContactPoint, member: Any) -> None:
    words = wording.opt_in("email", "offers")
    assert words is not None
    consents.grant(point, topic="offers", words=words, source="admin", now=NOW, actor_id=member.pk)
    line = ConsentEvent.objects.get()
    assert (line.actor, line.text, line.source) == (member, words.text, "admin")
    state = consent.state("email", point.point_hash, "offers")
    assert state is not None
    assert state.allowed


def test_leaving_one_topic_ends_its_flows_and_letters_only(
    point: ContactPoint, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "TOPICS": {"offers": "Offers", "news": "News"},
    }
    offers = enroll(make_flow("offers"), point.contact_id, "basket:1:1")
    news = enroll(make_flow("news", topic="news"), point.contact_id, "basket:1:1")
    letter = plan_message(news, "anna@example.com", topic="news")
    consents.withdraw(point, topic="offers", source="admin", now=NOW + timedelta(hours=1))
    for row in (offers, news, letter):
        row.refresh_from_db()
    assert (offers.state, offers.exit_reason) == ("ended", "unsubscribed")
    assert (news.state, letter.state) == ("active", "planned")
    consents.withdraw(point, source="admin", now=NOW + timedelta(hours=2))
    for row in (news, letter):
        row.refresh_from_db()
    assert (news.state, letter.state) == ("ended", "cancelled")
