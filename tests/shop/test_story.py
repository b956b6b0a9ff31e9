"""The main job inside the process: a basket is left, letters go out, an order ends it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from oscar_triggers.engine import clockwork
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Decision,
    Flow,
    Message,
    VoucherGrant,
    point_hash,
)

from .conftest import Clock, commit, enrollment_of, make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def story(shop_site: Any, member: Any, settings: Any) -> Any:
    """Publish the shipped flow; the member agrees to letters. Return a function: ring, later."""
    call_command("triggers_publish", "preset:abandoned-basket", verbosity=0)
    Flow.objects.update(active_since=timezone.now() - timedelta(minutes=1))
    ConsentEvent.objects.create(
        channel="email",
        point_hash=point_hash("email", member.email),
        topic="offers",
        action=ConsentAction.GRANT,
        basis=ConsentBasis.CONSENT,
        source="test",
        occurred_at=timezone.now() - timedelta(days=1),
        recorded_at=timezone.now(),
    )
    clock = Clock()

    def ring(later: timedelta = timedelta(0)) -> list[str]:
        commit()
        clock.now += later + timedelta(seconds=31)
        before = len(mail.outbox)
        for _ in range(3):
            clock.now += timedelta(seconds=1)
            clockwork.tick(clock.now)
        return [one.subject for one in mail.outbox[before:]]

    return ring


def said() -> list[tuple[str, str, str]]:
    """Return the decisions, oldest first."""
    return list(Decision.objects.order_by("pk").values_list("rule", "verdict", "reason"))


def test_three_letters_and_a_voucher(story: Any, shopper: Any, product: Any) -> None:
    shopper.add(product, quantity=2)
    assert story() == []
    assert story(timedelta(minutes=55)) == []
    assert len(story(timedelta(minutes=6))) == 1, said()
    assert len(story(timedelta(hours=24))) == 1, said()
    assert len(story(timedelta(days=2, minutes=5))) == 1, said()
    assert story(timedelta(days=5)) == []
    code = VoucherGrant.objects.get().code
    letter = mail.outbox[-1]
    assert code in letter.body
    html = letter.alternatives[0][0]
    assert code in html
    assert "Enamel mug" in html
    assert "€25.00" in html
    assert enrollment_of(shopper.basket).exit_reason == "completed"


def test_an_order_between_letters_ends_it(story: Any, shopper: Any, product: Any) -> None:
    shopper.add(product)
    story()
    assert len(story(timedelta(minutes=61))) == 1, said()
    basket = shopper.basket
    shopper.place_order()
    assert story(timedelta(hours=24)) == []
    assert enrollment_of(basket).exit_reason == "goal"


def test_an_order_no_one_told_of_stops_the_letter_at_the_hand_over(
    story: Any, shopper: Any, product: Any, member: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar_triggers.shop.orders import OrderSweep

    monkeypatch.setattr(OrderSweep, "run", lambda self, now, pulse: {})
    shopper.add(product)
    story()
    make_order("A-1", user=member)
    assert story(timedelta(minutes=61)) == []
    [message] = Message.objects.all()
    refused = Decision.objects.get(reason="order_placed")
    assert refused.compared["order"] == "A-1"
    assert message.state != "sent"
    assert enrollment_of(shopper.basket).exit_reason == "goal"


def test_the_letter_says_the_prices_of_its_own_moment(
    story: Any, shopper: Any, product: Any
) -> None:
    shopper.add(product)
    story()
    product.stockrecords.update(price="99.00")
    story(timedelta(minutes=61))
    html = mail.outbox[-1].alternatives[0][0]
    assert "€99.00" in html
    assert not re.search(r"\{\{|\{%", html)
