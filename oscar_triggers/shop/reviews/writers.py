"""Whether a review comes from somebody the shop knows: anybody can type anybody's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from ...content import context
from ...content.context import Provided
from ...snapshots import Subject
from .. import tables

#: A skip reason too.
UNKNOWN_WRITER = "unknown_writer"


@context.register
class WriterContext(context.ContextProvider):
    """Keeps letters about a guest's review from addresses that are not the writer's, it seems.

    An address is taken for the writer's when an account has it, or an order of that product.
    """

    name = "review_writer"
    about_types = frozenset({"product"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Say nothing, but for whom there must be no letter; four queries where guests wrote."""
        wanted = {one.payload["review_id"] for one in subjects if _is_of_guest(one)}
        known = _known(wanted) if wanted else {}
        return [
            Provided(unavailable=UNKNOWN_WRITER, compared={"review": subject.payload["review_id"]})
            if _is_of_guest(subject) and not known.get(subject.payload["review_id"])
            else Provided()
            for subject in subjects
        ]


def _is_of_guest(subject: Subject) -> bool:
    return "review_id" in subject.payload and not subject.payload.get("member")


def _known(review_ids: set[int]) -> Mapping[int, bool]:
    """Return which of these reviews have an address that the shop knows otherwise."""
    reviews = list(
        tables.rows("reviews", "ProductReview")
        .order_by()
        .filter(pk__in=review_ids)
        .annotate(typed=Lower("email"))
        .exclude(typed="")
        .values_list("pk", "product_id", "typed")
    )
    typed = {email for _pk, _product_id, email in reviews}
    if not typed:
        return {}
    users, name = get_user_model()._default_manager, get_user_model().get_email_field_name()
    accounts = set(
        users.annotate(known=Lower(name)).filter(known__in=typed).values_list("known", flat=True)
    )
    lines = tables.rows("order", "Line").order_by().annotate(guest=Lower("order__guest_email"))
    bought = {
        (product_id, email)
        for own, parent, email in lines.filter(guest__in=typed - accounts)
        .values_list("product_id", "product__parent_id", "guest")
        .distinct()
        for product_id in (own, parent)
    }
    return {
        pk: email in accounts or (product_id, email) in bought for pk, product_id, email in reviews
    }
