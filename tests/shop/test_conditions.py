"""Questions about orders and baskets, answered for a batch with what was compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from oscar_triggers import conditions
from oscar_triggers.exceptions import InvalidOptions

from .conftest import Clock, make_order, subject_of

pytestmark = pytest.mark.django_db


def ask(options: dict[str, Any], *subjects: Any) -> list[tuple[bool, Any]]:
    """Return the answers and what was compared."""
    verdicts = conditions.from_options(options).holds_many(subjects, timezone.now())
    return [(verdict.holds, dict(verdict.compared)) for verdict in verdicts]


def test_who_ordered_before_is_known_by_account(shopper: Any, product: Any, member: Any) -> None:
    shopper.add(product)
    subject = subject_of(shopper.basket, user_id=member.pk)
    assert ask({"kind": "has_ordered"}, subject) == [(False, {"orders": 0, "at_least": 1})]
    make_order("A-1", user=member)
    make_order("A-2", user=member)
    stranger = subject_of(shopper.basket, user_id=None, contact_id=77)
    answers = ask({"kind": "has_ordered", "at_least": 2}, subject, stranger)
    assert [holds for holds, _compared in answers] == [True, False]


def test_a_guests_orders_count_since_we_listen(clock: Clock, guest: Any, product: Any) -> None:
    from oscar_triggers.models import Contact

    guest.add(product)
    guest.place_order()
    clock.tick()
    contact = Contact.objects.get()
    guest.add(product)
    subject = subject_of(guest.basket, contact_id=contact.pk)
    assert ask({"kind": "has_ordered"}, subject) == [(True, {"orders": 1, "at_least": 1})]


def test_a_basket_is_worth_what_is_in_it_now(shopper: Any, product: Any) -> None:
    shopper.add(product, quantity=2)
    subject = subject_of(shopper.basket)
    [(holds, compared)] = ask({"kind": "basket_worth", "at_least": "25"}, subject)
    assert holds
    assert compared == {"worth": Decimal("25.00"), "at_least": Decimal(25), "currency": "EUR"}
    shopper.basket.lines.update(quantity=1)
    assert ask({"kind": "basket_worth", "at_least": "25"}, subject)[0][0] is False


@pytest.mark.parametrize(
    "options", [{"kind": "has_ordered", "at_least": 0}, {"kind": "basket_worth", "at_least": "x"}]
)
def test_a_question_without_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        conditions.from_options(options)
