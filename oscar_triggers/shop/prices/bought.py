"""Who bought a product that they had seen, by account and by e-mail address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.db.models.functions import Lower

from ...models import ContactPoint
from ...policy.points import EMAIL
from .. import tables
from ..guards import spellings
from .seen import Pair


def last_purchases(
    people: Collection[int],
    accounts: Mapping[int, Any],
    product_ids: Collection[int],
    since: datetime,
) -> dict[Pair, datetime]:
    """Return when each person last bought each product since; three queries.

    A variant counts for its parent, and the parent for those who saw only that.
    """
    whose: dict[str, set[int]] = defaultdict(set)
    for contact_id, user_id in accounts.items():
        whose[f"user:{user_id}"].add(contact_id)
    emails: set[str] = set()
    for contact_id, email in ContactPoint.objects.filter(
        contact_id__in=people, channel=EMAIL
    ).values_list("contact_id", "normalised"):
        for spelling in spellings((email,)):
            emails.add(spelling.lower())
            whose[f"email:{spelling.lower()}"].add(contact_id)
    # Not by a join: what these products sold is an index away, all that was sold is not.
    family = set(product_ids).union(
        tables.rows("catalogue", "Product")
        .order_by()
        .filter(parent_id__in=product_ids)
        .values_list("pk", flat=True)
    )
    account = f"order__user__{get_user_model().get_email_field_name()}"
    rows = (
        tables.rows("order", "Line")
        .order_by()
        .annotate(guest=Lower("order__guest_email"), account=Lower(F(account)))
        .filter(
            Q(order__user_id__in=set(accounts.values()))
            | Q(guest__in=emails)
            | Q(account__in=emails),
            product_id__in=family,
            order__date_placed__gte=since,
        )
        .values_list(
            "product_id", "product__parent_id", "order__user_id", "guest", "account",
            "order__date_placed",
        )
    )  # fmt: skip
    found: dict[Pair, datetime] = {}
    for product_id, parent_id, user_id, guest, account_email, placed_at in rows:
        buyers = whose.get(f"user:{user_id}", set()) | whose.get(f"email:{guest}", set())
        buyers = buyers | whose.get(f"email:{account_email}", set())
        for contact_id in buyers:
            for pk in (product_id, parent_id):
                if pk is not None:
                    pair = (contact_id, pk)
                    found[pair] = max(found.get(pair, placed_at), placed_at)
    return found
