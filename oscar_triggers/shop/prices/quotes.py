"""What the shop asks from people whom we know by their contact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from ...engine.intake import Routed
from ...models import Contact, StockCause, StockChange
from ..stock import quoting
from ..stock.quoting import Quote
from .seen import Pair


def accounts_of(people: Collection[int]) -> dict[int, Any]:
    """Return the number of each person's account; who has none is left out."""
    return dict(
        Contact.objects.filter(pk__in=people, user__isnull=False).values_list("pk", "user_id")
    )


def ask(pairs: Sequence[Pair], now: datetime, *, accounts: Any = None) -> dict[Pair, Quote]:
    """Return what each product costs each person now; who has no account asks like a stranger.

    A constant number of queries. No entry: there is no price.
    """
    if not pairs:
        return {}
    if accounts is None:
        accounts = accounts_of({contact_id for contact_id, _product_id in pairs})
    wanted = {(accounts.get(contact_id), product_id) for contact_id, product_id in pairs}
    quotes = quoting.quote_many(list(wanted), now)
    return {
        (contact_id, product_id): quotes[accounts.get(contact_id), product_id]
        for contact_id, product_id in pairs
        if (accounts.get(contact_id), product_id) in quotes
    }


def changed_since(looks: Sequence[tuple[Routed, int, int]], now: datetime) -> set[int]:
    """Return the journal entries of looks after which the price of the product changed."""
    if not looks:
        return set()
    moments: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for one, _contact_id, product_id in looks:
        moments[product_id].append((one.occurred_at, one.entry_id))
    found: set[int] = set()
    rows = StockChange.objects.filter(
        Q(product_id__in=moments) | Q(parent_id__in=moments),
        cause__in=[StockCause.PRICE, StockCause.OFFER],
        noticed_at__gte=min(one.occurred_at for one, _contact, _product in looks),
    ).values_list("product_id", "parent_id", "noticed_at")
    for product_id, parent_id, noticed_at in rows:
        for pk in (product_id, parent_id):
            found |= {entry for at, entry in moments.get(pk or 0, ()) if at <= noticed_at}
    return found
