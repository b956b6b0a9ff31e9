"""Questions about reviews: did the person write one, is there something left to write about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import pgettext_lazy

from ... import conditions
from ...conditions import Condition
from ...engine import contacts
from ...kinds import option
from ...models import Contact
from ...snapshots import Subject, Verdict
from .. import tables
from ..goods import number_of
from .asking import asked_of, to_review_many
from .context import asks_again


@conditions.register
@dataclass(frozen=True, kw_only=True)
class HasReviewed(Condition):
    """Whether the person wrote a review: of anything, of one product, lately or ever."""

    kind: ClassVar[str] = "has_reviewed"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has written a review")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "With the account, or as a guest with that e-mail; reviews that wait for approval count.",
    )

    product: str = option(
        default="",
        label=pgettext_lazy("triggers", "Product"),
        help_text=pgettext_lazy(
            "triggers", "Its UPC, or its number where it has none. Empty: any product."
        ),
    )
    within: timedelta | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Within the last"),
        help_text=pgettext_lazy("triggers", "Empty: ever."),
    )

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        verdicts = []
        for written in self._written(subjects, now):
            compared = {"reviews": written, "product": self.product, "within": self.within}
            verdicts.append(Verdict(holds=written > 0, compared=compared))
        return verdicts

    def _written(self, subjects: Sequence[Subject], now: datetime) -> list[int]:
        people = _users(subjects)
        emails = [frozenset(email.lower() for email in one.emails) for one in subjects]
        email = f"user__{get_user_model().get_email_field_name()}"
        rows = (
            tables.rows("reviews", "ProductReview")
            .order_by()
            .annotate(guest=Lower("email"), account=Lower(F(email)))
            .filter(
                Q(user_id__in={pk for users in people for pk in users})
                | Q(guest__in={one for some in emails for one in some})
                | Q(account__in={one for some in emails for one in some})
            )
        )
        if self.within is not None:
            rows = rows.filter(date_created__gt=now - self.within)
        if wanted := self.product.strip():
            product = Q(product__upc=wanted) | Q(product__parent__upc=wanted)
            if (number := number_of(wanted)) is not None:
                product |= Q(product_id=number) | Q(product__parent_id=number)
            rows = rows.filter(product)
        found = list(rows.values("pk", "user_id", "guest", "account"))
        return [
            sum(
                1
                for row in found
                if str(row["user_id"]) in users or {row["guest"], row["account"]} & some
            )
            for users, some in zip(people, emails, strict=True)
        ]


def _users(subjects: Sequence[Subject]) -> list[frozenset[str]]:
    """Return the accounts of each person, as text, in three queries."""
    people = contacts.same_people(subjects)
    accounts = {
        pk: str(user_id)
        for pk, user_id in Contact.objects.filter(
            pk__in={pk for ids in people for pk in ids}, user__isnull=False
        ).values_list("pk", "user_id")
    }
    return [
        frozenset(
            {accounts[pk] for pk in ids if pk in accounts}
            | ({str(one.user_id)} if one.user_id is not None else set())
        )
        for one, ids in zip(subjects, people, strict=True)
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class ToReviewCondition(Condition):
    """Whether anything of the order can still be reviewed; as a condition to stay, it ends asking."""

    kind: ClassVar[str] = "order_to_review"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The order has something to review")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Something of it was received and kept, is still in the shop, and has no review by this "
        "person.",
    )
    about_types: ClassVar[frozenset[str]] = frozenset({"order"})

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        answers = to_review_many(
            [asked_of(one, ask_after_rejection=asks_again(one)) for one in subjects]
        )
        return [
            Verdict(
                holds=bool(answer.products),
                compared={**answer.compared, "left": len(answer.products), "why": answer.reason},
            )
            for answer in answers
        ]
