"""Two contacts turn out to be one person: what they saw, asked for and answered is one person's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from oscar_triggers.engine import joining
from oscar_triggers.models import (
    Contact,
    OrderWatch,
    PriceSeen,
    PriceSource,
    ProductRequest,
    RequestKind,
    RequestState,
    SurveyAnswer,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Contact:
    return Contact.objects.create(identity_key="user:1", created_at=BEFORE)


@pytest.fixture
def guest() -> Contact:
    return Contact.objects.create(identity_key="email:x", created_at=BEFORE)


def see(contact: Contact, price: str, at: datetime, product_id: int = 7) -> None:
    PriceSeen.objects.create(
        contact=contact,
        product_id=product_id,
        source=PriceSource.VIEW,
        price=Decimal(price),
        currency="EUR",
        seen_at=at,
    )


def ask(contact: Contact, **more: Any) -> ProductRequest:
    return ProductRequest.objects.create(
        **{
            "contact": contact,
            "kind": RequestKind.BACK,
            "state": RequestState.WAITING,
            "product_id": 7,
            "created_at": BEFORE,
            "confirmed_at": BEFORE,
            **more,
        }
    )


def answer(contact: Contact, score: int, at: datetime) -> None:
    SurveyAnswer.objects.create(
        survey="delivery",
        contact=contact,
        about_type="order",
        about_id="100",
        score=score,
        answered_at=at,
    )


@pytest.mark.parametrize("guest_saw_it", [NOW, BEFORE - timedelta(days=1)])
def test_of_two_prices_seen_in_one_place_the_newer_counts(
    member: Contact, guest: Contact, guest_saw_it: datetime
) -> None:
    see(member, "20.00", BEFORE)
    see(guest, "15.00", guest_saw_it)
    see(guest, "3.00", BEFORE, product_id=8)
    assert joining.join(member.pk, guest.pk, NOW)
    kept = {one.product_id: one.price for one in PriceSeen.objects.filter(contact=member)}
    assert kept == {7: Decimal("15.00" if guest_saw_it == NOW else "20.00"), 8: Decimal("3.00")}
    assert PriceSeen.objects.count() == 2


def test_who_asked_twice_waits_once_at_the_earlier_place_for_the_larger_number(
    member: Contact, guest: Contact
) -> None:
    first = ask(guest, quantity=1, alert_id=11)
    second = ask(member, quantity=3, alert_id=12)
    other = ask(guest, product_id=8)
    assert joining.join(member.pk, guest.pk, NOW)
    for one in (first, second, other):
        one.refresh_from_db()
    assert (first.state, first.quantity, first.alert_id) == (RequestState.WAITING, 3, 11)
    assert (second.state, second.ended_at, second.alert_id) == (RequestState.CANCELLED, NOW, None)
    assert {one.contact_id for one in (first, second, other)} == {member.pk}


def test_a_request_that_one_of_the_two_confirmed_is_confirmed(
    member: Contact, guest: Contact
) -> None:
    first = ask(guest, state=RequestState.UNCONFIRMED, confirmed_at=None)
    ask(member)
    assert joining.join(member.pk, guest.pk, NOW)
    first.refresh_from_db()
    assert (first.state, first.confirmed_at) == (RequestState.WAITING, BEFORE)


def test_of_two_answers_to_one_question_the_newer_counts(member: Contact, guest: Contact) -> None:
    answer(member, 5, BEFORE)
    answer(guest, 2, NOW)
    OrderWatch.objects.create(
        order_id=1, number="100", contact=guest, placed_at=BEFORE, seen_at=BEFORE
    )
    assert joining.join(member.pk, guest.pk, NOW)
    assert [(one.contact_id, one.score) for one in SurveyAnswer.objects.all()] == [(member.pk, 2)]
    assert OrderWatch.objects.get().contact_id == member.pk
