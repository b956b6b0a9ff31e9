"""How a shop tests a flow of its own; the documentation shows this file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from oscar_triggers.engine import clockwork
from oscar_triggers.models import ConsentAction, Decision, point_hash
from oscar_triggers.policy import consent


@pytest.mark.django_db(transaction=True)
def test_a_left_basket_gets_a_letter_after_an_hour(shopper: Any, product: Any) -> None:
    call_command("triggers_publish", "preset:abandoned-basket")
    allow_letters("anna@example.com")
    shopper.add(product)

    clockwork.tick(timezone.now() + timedelta(minutes=59))
    assert mail.outbox == []

    clockwork.tick(timezone.now() + timedelta(minutes=61))
    assert len(mail.outbox) == 1, list(Decision.objects.values("rule", "reason", "compared"))
    assert product.title in mail.outbox[0].body


def allow_letters(email: str) -> None:
    """Write what ticking the opt-in box would."""
    line = consent.Line(
        channel="email",
        point_hash=point_hash("email", email),
        topic="offers",
        action=ConsentAction.GRANT,
        source="test",
        occurred_at=timezone.now(),
    )
    consent.write_many([line], timezone.now())
