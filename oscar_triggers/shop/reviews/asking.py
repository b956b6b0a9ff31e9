"""What of an order its buyer may still be asked to review.

A review belongs to a product as the shop shows it: that of a variant is asked for, and written,
at its parent. Whoever reviewed the parent or one of its variants is not asked again, whichever
order it came from: with the account, or as a guest with that e-mail in any case. A review that
waits for the shop's approval is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.db.models.functions import Lower
from oscar.core.loading import get_model

from ...snapshots import Subject
from .. import tables
from .received import KeptLine, kept_lines

#: Why nothing of an order can be reviewed: skip reasons too.
NOTHING_RECEIVED = "nothing_received"
NOT_REVIEWABLE = "not_reviewable"
ALL_REVIEWED = "all_reviewed"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One order, and who else its buyer is known to be."""

    number: str
    #: As text: an account's number that is a UUID may have been through JSON.
    users: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    ask_after_rejection: bool = False


@dataclass(frozen=True, kw_only=True)
class ToReview:
    """A product that can be reviewed, and the variant of it that was bought."""

    product_id: int
    bought_id: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What of an order can be reviewed; why nothing can."""

    products: tuple[ToReview, ...] = ()
    reason: str = ""
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Buyer:
    users: frozenset[str]
    emails: frozenset[str]


def asked_of(subject: Subject, *, ask_after_rejection: bool = False) -> Asked:
    """Return the question about the order that somebody's way through a flow is about."""
    return Asked(
        number=subject.about.id,
        users=frozenset({str(subject.user_id)} if subject.user_id is not None else ()),
        emails=frozenset(email.lower() for email in subject.emails),
        ask_after_rejection=ask_after_rejection,
    )


def to_review_many(questions: Sequence[Asked]) -> list[Answer]:
    """Answer for a batch of orders, in its order, in eight queries."""
    orders = _orders({one.number for one in questions})
    kept = kept_lines(list(orders.values()))
    shown = _shown({line.product_id for lines in kept.values() for line in lines})
    buyers = [_buyer(one, orders.get(one.number)) for one in questions]
    reviews = _reviews(set(shown.values()), buyers)
    return [
        _answer(one, orders.get(one.number), buyer, kept, shown, reviews)
        for one, buyer in zip(questions, buyers, strict=True)
    ]


def is_open() -> bool:
    """Say whether the shop has reviews at all."""
    return "reviews" not in getattr(settings, "OSCAR_HIDDEN_FEATURES", ())


def _answer(
    asked: Asked,
    order: Mapping[str, Any] | None,
    buyer: _Buyer,
    kept: Mapping[int, Sequence[KeptLine]],
    shown: Mapping[int, int],
    reviews: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Answer:
    lines = kept.get(order["pk"], ()) if order is not None else ()
    compared: dict[str, Any] = {"order": asked.number, "lines": len(lines)}
    if not lines:
        return Answer(reason=NOTHING_RECEIVED, compared=compared)
    # The first variant stands for its siblings: one product is asked for once.
    found: dict[int, int] = {}
    for line in lines:
        if line.product_id in shown:
            found.setdefault(shown[line.product_id], line.product_id)
    may_write = bool(buyer.users) or getattr(settings, "OSCAR_ALLOW_ANON_REVIEWS", True)
    compared["products"] = len(found)
    if not found or not may_write or not is_open():
        compared["may_write"] = may_write
        return Answer(reason=NOT_REVIEWABLE, compared=compared)
    left = tuple(
        ToReview(product_id=pk, bought_id=bought_id)
        for pk, bought_id in found.items()
        if not any(_counts(review, asked, buyer) for review in reviews.get(pk, ()))
    )
    compared["reviewed"] = len(found) - len(left)
    return Answer(products=left, reason="" if left else ALL_REVIEWED, compared=compared)


def _counts(review: Mapping[str, Any], asked: Asked, buyer: _Buyer) -> bool:
    """Say whether this is the buyer's review, and whether the shop would refuse another one."""
    written_by = str(review["user_id"]) if review["user_id"] is not None else None
    if written_by is None and asked.ask_after_rejection and _is_rejected(review):
        return False
    if written_by in buyer.users:
        return True
    return bool({review["guest"], review["account"]} & buyer.emails)


def _is_rejected(review: Mapping[str, Any]) -> bool:
    return bool(review["status"] == get_model("reviews", "ProductReview").REJECTED)


def _orders(numbers: Collection[str]) -> dict[str, dict[str, Any]]:
    return {
        str(row["number"]): row
        for row in tables.orders()
        .filter(number__in=numbers)
        .annotate(account=F(f"user__{get_user_model().get_email_field_name()}"))
        .values("pk", "number", "user_id", "guest_email", "account", "status", "total_incl_tax")
    }


def _buyer(asked: Asked, order: Mapping[str, Any] | None) -> _Buyer:
    users, emails = set(asked.users), set(asked.emails)
    if order is not None:
        users |= {str(order["user_id"])} if order["user_id"] is not None else set()
        emails |= {str(order[name] or "").lower() for name in ("guest_email", "account")}
    return _Buyer(users=frozenset(users), emails=frozenset(emails - {""}))


def _shown(bought: Collection[int]) -> dict[int, int]:
    """Return, for each product that was bought and is still public, the one that is reviewed."""
    if not bought:
        return {}
    return {
        row["pk"]: row["parent_id"] or row["pk"]
        for row in tables.rows("catalogue", "Product")
        .order_by()
        .filter(pk__in=bought, is_public=True)
        .exclude(parent__is_public=False)
        .values("pk", "parent_id")
    }


def _reviews(
    products: Collection[int], buyers: Iterable[_Buyer]
) -> Mapping[int, list[dict[str, Any]]]:
    """Return the reviews that these people wrote of these products or of variants of them."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    users: set[str] = set()
    emails: set[str] = set()
    for buyer in buyers:
        users |= buyer.users
        emails |= buyer.emails
    if not products or not (users or emails):
        return found
    for row in (
        tables.rows("reviews", "ProductReview")
        .order_by()
        .annotate(
            guest=Lower("email"),
            account=Lower(F(f"user__{get_user_model().get_email_field_name()}")),
        )
        .filter(
            Q(product_id__in=products) | Q(product__parent_id__in=products),
            Q(user_id__in=users) | Q(guest__in=emails) | Q(account__in=emails),
        )
        .values("product_id", "product__parent_id", "user_id", "guest", "account", "status")
    ):
        found[row["product__parent_id"] or row["product_id"]].append(row)
    return found
