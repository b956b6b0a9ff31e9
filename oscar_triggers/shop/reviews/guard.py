"""The guard that ends a flow which asks for reviews once there is nothing left to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from ...models import ExitReason
from ...policy import guards
from ...policy.guards import Consequence, Refused, SendGuard
from ...snapshots import Subject
from .asking import asked_of, to_review_many
from .context import asks_again, asks_for_reviews


@guards.register
class ReviewGuard(SendGuard):
    """Says that a letter without a product to review is not sent, and that its flow is over.

    It never holds a letter back at the mark: a review that is written in the second between the
    reading and the mark makes no harm, and the question is too long for that statement.
    """

    name = "review"
    about_types = frozenset({"order"})

    def refusal(self, subject: Subject, observed: Mapping[str, Any]) -> Q | None:
        """Ask nothing in the marking statement."""
        return None

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say that nothing is left to review, in a flow that asks for reviews."""
        if not asks_for_reviews(subject):
            return None
        [answer] = to_review_many([asked_of(subject, ask_after_rejection=asks_again(subject))])
        if answer.products:
            return None
        return Refused(
            reason=answer.reason,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.CONDITION.value,
            compared=answer.compared,
        )
