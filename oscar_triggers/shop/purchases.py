"""What people ordered, for a whole batch at once: by account, by e-mail and by the journal.

Oscar keeps the address of a guest's order without an index, so that looking through all orders
for it would stop a large shop. The journal knows the guests' orders since the installation; by
address only the newest orders are searched, those above an enrollment's watermark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower

from ..engine import contacts
from ..models import Contact, Enrollment, JournalEntry
from ..snapshots import Subject
from . import tables
from .events import OrderPlaced

_WATERMARK = "order"


@dataclass(frozen=True, kw_only=True, order=True)
class Purchase:
    """One order as it stands in the shop."""

    placed_at: datetime
    order_id: int
    number: str
    total: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True)
class _Identity:
    """By what a person's orders are known."""

    #: As text: an account's number that is a UUID may have been through JSON.
    users: frozenset[str]
    numbers: frozenset[str]
    emails: frozenset[str]


def purchases_of(subjects: Sequence[Subject]) -> list[list[Purchase]]:
    """Return each subject's orders, oldest first, in five queries; guests' since we listen."""
    identities = _identities(subjects)
    users = {user for one in identities for user in one.users}
    numbers = {number for one in identities for number in one.numbers}
    by_user: dict[str, set[Purchase]] = defaultdict(set)
    by_number: dict[str, Purchase] = {}
    if users or numbers:
        for row in _rows(Q(user_id__in=users) | Q(number__in=numbers)):
            purchase = _purchase(row)
            by_number[purchase.number] = purchase
            by_user[str(row["user_id"])].add(purchase)
    return [
        sorted(
            {purchase for user in one.users for purchase in by_user[user]}
            | {by_number[number] for number in one.numbers if number in by_number}
        )
        for one in identities
    ]


def since_the_event(subjects: Sequence[Subject]) -> list[Subject]:
    """Return the subjects as entered when their event happened, by one query.

    The tick lets people in a moment after it, or hours after an outage: who ordered in between
    has ordered since.
    """
    happened = dict(
        Enrollment.objects.filter(
            pk__in=[one.enrollment_id for one in subjects], journal_entry__isnull=False
        ).values_list("pk", "journal_entry__occurred_at")
    )
    return [
        replace(
            one, entered_at=min(one.entered_at, happened.get(one.enrollment_id, one.entered_at))
        )
        for one in subjects
    ]


def purchases_since_entry(subjects: Sequence[Subject]) -> list[list[Purchase]]:
    """Return each subject's orders since it entered its flow, oldest first, in five queries.

    Also those which no signal told of yet, and those of a guest with the same address in any
    case; whose basket the flow is about, by the basket.
    """
    if not subjects:
        return []
    identities = _identities(subjects)
    marks = [one.watermarks.get(_WATERMARK) for one in subjects]
    since = Q(date_placed__gt=min(one.entered_at for one in subjects))
    known = [mark for mark in marks if mark is not None]
    if known:
        since |= Q(pk__gt=min(known))
    emails = {email for one in identities for email in one.emails}
    baskets = {_basket_of(one) for one in subjects} - {None}
    whose = (
        Q(user_id__in={user for one in identities for user in one.users})
        | Q(number__in={number for one in identities for number in one.numbers})
        | Q(guest__in=emails)
        | Q(account__in=emails)
        | Q(basket_id__in=baskets)
    )
    rows = list(_rows(since & whose))
    found = []
    for one, identity, mark in zip(subjects, identities, marks, strict=True):
        mine = [row for row in rows if _is_later(row, one, mark) and _is_of(row, one, identity)]
        found.append(sorted(_purchase(row) for row in mine))
    return found


def _identities(subjects: Sequence[Subject]) -> list[_Identity]:
    people = contacts.same_people(subjects)
    everybody = {pk for ids in people for pk in ids}
    users = {
        pk: str(user_id)
        for pk, user_id in Contact.objects.filter(pk__in=everybody, user__isnull=False).values_list(
            "pk", "user_id"
        )
    }
    numbers: dict[int, set[str]] = defaultdict(set)
    for contact_id, number in JournalEntry.objects.filter(
        contact_id__in=everybody, kind=OrderPlaced.kind
    ).values_list("contact_id", "about_id"):
        numbers[contact_id].add(number)
    return [
        _Identity(
            users=frozenset(
                {users[pk] for pk in ids if pk in users}
                | ({str(one.user_id)} if one.user_id is not None else set())
            ),
            numbers=frozenset(number for pk in ids for number in numbers[pk]),
            emails=frozenset(email.lower() for email in one.emails),
        )
        for one, ids in zip(subjects, people, strict=True)
    ]


def _rows(wanted: Q) -> QuerySet[Any, Any]:
    email = f"user__{get_user_model().get_email_field_name()}"
    found: QuerySet[Any, Any] = (
        tables.orders()
        .annotate(guest=Lower("guest_email"), account=Lower(F(email)))
        .filter(wanted)
        .values(
            "pk", "number", "user_id", "guest", "account", "basket_id",
            "total_incl_tax", "currency", "date_placed",
        )
    )  # fmt: skip
    return found


def _purchase(row: Mapping[str, Any]) -> Purchase:
    return Purchase(
        placed_at=row["date_placed"],
        order_id=row["pk"],
        number=str(row["number"]),
        total=row["total_incl_tax"],
        currency=row["currency"],
    )


def _is_later(row: Mapping[str, Any], subject: Subject, mark: int | None) -> bool:
    return row["date_placed"] > subject.entered_at or (mark is not None and row["pk"] > mark)


def _is_of(row: Mapping[str, Any], subject: Subject, identity: _Identity) -> bool:
    return (
        str(row["user_id"]) in identity.users
        or str(row["number"]) in identity.numbers
        or row["guest"] in identity.emails
        or row["account"] in identity.emails
        or (row["basket_id"] is not None and row["basket_id"] == _basket_of(subject))
    )


def _basket_of(subject: Subject) -> int | None:
    about = subject.about
    return int(about.id) if about.type == "basket" and about.id.isdigit() else None
