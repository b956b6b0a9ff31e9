"""Visits that baskets tell of: whoever puts something in was there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..engine import visits
from ..models import BasketWatch, Contact
from . import tables


@visits.source("basket")
def by_baskets(since: Mapping[int, datetime]) -> Mapping[int, datetime]:
    """Return when contacts last put something in a basket; noted every ten minutes at most.

    A guest's basket knows its contact, a customer's its account. Three queries.
    """
    accounts: dict[str, list[int]] = {}
    for pk, user_id in Contact.objects.filter(pk__in=since, user__isnull=False).values_list(
        "pk", "user_id"
    ):
        accounts.setdefault(str(user_id), []).append(pk)
    owners: dict[int, Any] = {}
    if accounts:
        owners = dict(
            tables.baskets().filter(owner_id__in=list(accounts)).values_list("pk", "owner_id")
        )
    found: dict[int, datetime] = {}
    watches = BasketWatch.objects.filter(seen_at__gt=min(since.values()))
    for contact_id, moment in watches.filter(contact_id__in=since).values_list(
        "contact_id", "seen_at"
    ):
        _note(found, contact_id, moment)
    for basket_id, moment in watches.filter(basket_id__in=list(owners)).values_list(
        "basket_id", "seen_at"
    ):
        for contact_id in accounts.get(str(owners[basket_id]), ()):
            _note(found, contact_id, moment)
    return found


def _note(found: dict[int, datetime], contact_id: int | None, moment: datetime | None) -> None:
    if contact_id is not None and moment is not None:
        found[contact_id] = max(moment, found.get(contact_id, moment))
