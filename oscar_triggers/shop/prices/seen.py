"""Which price of a product a person last saw: written from sights, read as a base line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models.functions import Coalesce

from ...models import Contact, PriceSeen, PriceSource
from ...models.sql import upsert

_CENT = Decimal("0.01")
_COLUMNS = ("contact_id", "product_id", "source", "price", "currency", "seen_at", "site_id")

#: A person and a product.
Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A price that a person saw."""

    contact_id: int
    #: The variant, where it was one.
    product_id: int
    source: str
    #: As the shop showed it to this person.
    price: Decimal
    currency: str
    seen_at: datetime
    site_id: int | None = None
    #: Whether a letter told that it is lower than it was.
    is_news: bool = False

    @property
    def is_interest(self) -> bool:
        """Say whether the person did something, other than read a letter of ours."""
        return self.source != PriceSource.MESSAGE.value


def shown(price: Decimal) -> Decimal:
    """Return a price as the shop shows it; the same rounding on both sides of a comparison."""
    return price.quantize(_CENT)


def note(sights: Iterable[Sight]) -> int:
    """Keep the newest sight of each person, product and source; two queries for any number."""
    newest: dict[tuple[int, int, str], Sight] = {}
    for one in sights:
        key = (one.contact_id, one.product_id, one.source)
        if one.currency and (key not in newest or newest[key].seen_at < one.seen_at):
            newest[key] = one
    if not newest:
        return 0
    known = {
        (contact_id, product_id, source): seen_at
        for contact_id, product_id, source, seen_at in PriceSeen.objects.filter(
            contact_id__in={contact_id for contact_id, _product, _source in newest},
            product_id__in={product_id for _contact, product_id, _source in newest},
        ).values_list("contact_id", "product_id", "source", "seen_at")
    }
    rows = [
        {**{name: getattr(one, name) for name in _COLUMNS}, "price": shown(one.price)}
        # Sorted, so that two workers wait for each other's rows in the same order.
        for key, one in sorted(newest.items())
        if key not in known or known[key] < one.seen_at
    ]
    upsert(
        PriceSeen,
        rows,
        conflict=("contact", "product_id", "source"),
        update=("price", "currency", "seen_at", "site_id"),
    )
    return len(rows)


def known(pairs: Collection[Pair], source: str) -> set[Pair]:
    """Return those of these people and products of which this source is noted; one query."""
    if not pairs:
        return set()
    rows = PriceSeen.objects.filter(
        source=source,
        contact_id__in={contact_id for contact_id, _product_id in pairs},
        product_id__in={product_id for _contact_id, product_id in pairs},
    )
    return set(rows.values_list("contact_id", "product_id")) & set(pairs)


def people_who_saw(product_ids: Collection[int], *, above: int, limit: int) -> list[int]:
    """Return the next contacts who saw a price of these, in the order of their numbers.

    Who was joined into another person counts as that person.
    """
    return list(
        PriceSeen.objects.filter(product_id__in=product_ids)
        .annotate(person=Coalesce("contact__joined_into_id", "contact_id"))
        .filter(person__gt=above)
        .order_by("person")
        .values_list("person", flat=True)
        .distinct()[:limit]
    )


def sights_of(people: Collection[int], product_ids: Collection[int]) -> dict[Pair, list[Sight]]:
    """Return what these people saw of these products, the newest first; two queries."""
    found: dict[Pair, list[Sight]] = defaultdict(list)
    # Not by a join: of a product that thousands saw, only the rows of these people are read.
    joined = Contact.objects.filter(joined_into_id__in=people).values_list("pk", flat=True)
    rows = (
        PriceSeen.objects.filter(contact_id__in={*people, *joined}, product_id__in=product_ids)
        .annotate(person=Coalesce("contact__joined_into_id", "contact_id"))
        .order_by("-seen_at", "price")
    )
    for row in rows:
        found[row.person, row.product_id].append(
            Sight(
                contact_id=row.person,
                product_id=row.product_id,
                source=row.source,
                price=row.price,
                currency=row.currency,
                seen_at=row.seen_at,
                site_id=row.site_id,
            )
        )
    return found


def base_line(sights: Sequence[Sight]) -> Sight:
    """Return what the person saw last; of two at one moment the cheaper."""
    return min(sights, key=lambda one: (-one.seen_at.timestamp(), one.price))
