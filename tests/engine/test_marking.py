"""The statement that marks a letter as being sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import Q

from oscar_triggers.engine import clockwork, outbox
from oscar_triggers.models import Dispatch, DispatchState
from oscar_triggers.policy import guards
from oscar_triggers.policy.guards import Refused, SendGuard
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def due(now: datetime) -> Callable[[int], datetime]:
    """Return a function that has letters due, and says when."""
    from oscar_triggers.engine import intake

    def plan(count: int) -> datetime:
        publish_card_flow()
        intake.record_many(card_records(count))
        clockwork.tick(now, send=False)
        return now + timedelta(seconds=1)

    return plan


class _Guard(SendGuard):
    name = "of_a_third_party"
    condition = Q()

    def refusal(self, subject: Any, observed: Any) -> Q | None:
        """Refuse what a test says."""
        return self.condition

    def explain(self, subject: Any, observed: Any, now: datetime) -> Refused | None:
        """Have nothing to say."""
        return None


@pytest.mark.parametrize(
    ("condition", "letters"),
    [
        (Q(attempt__gt=0), 2),
        (Q(attempt=0), 0),
        # Over relations, which an UPDATE does not know by itself.
        (Q(message__contact__first_name="Anna"), 0),
        (Q(message__contact__first_name="Bert"), 2),
        (Q(message__about_id="1") | Q(lane=7), 1),
    ],
)
def test_a_guard_may_ask_whatever_the_orm_can_write(
    due: Callable[[int], datetime], condition: Q, letters: int
) -> None:
    moment = due(2)
    guard = _Guard()
    guard.condition = condition
    with guards.registry.temporarily(guard.name, guard):
        outbox.send_due(moment)
    assert len(mail.outbox) == letters
    assert Dispatch.objects.filter(state=DispatchState.SENT).count() == letters
