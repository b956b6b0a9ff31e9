"""What was recorded for people lately, and what of it is still on its way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from ...engine import enrollments
from ...models import Enrollment, JournalEntry
from .events import PriceDropped
from .seen import Pair

#: Further back nothing is on its way, and a fall is recorded anew.
_LATELY = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One product of one recorded event."""

    new: Decimal
    at: datetime
    with_offer: bool
    lowest: Decimal | None
    #: Somebody is on the way through a flow with it, or about to begin.
    is_in_flight: bool


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What was recorded for a batch of people."""

    of: Mapping[Pair, list[Announcement]] = field(default_factory=dict)

    def products(self) -> set[int]:
        """Return the products that are still on their way to somebody."""
        return {pair[1] for pair in self.of if self.is_in_flight(pair)}

    def with_offers(self) -> frozenset[int]:
        """Return those of them whose price was an offer's."""
        return frozenset(
            product_id
            for (_contact_id, product_id), some in self.of.items()
            if any(one.is_in_flight and one.with_offer for one in some)
        )

    def lowest(self, pair: Pair) -> Decimal | None:
        """Return the lowest price of the 30 days before, as it was recorded last."""
        newest = max(self.of.get(pair, ()), key=lambda one: one.at, default=None)
        return newest.lowest if newest is not None else None

    def is_in_flight(self, pair: Pair) -> bool:
        """Say whether a product is on its way to a person: a newer event carries it on."""
        return any(one.is_in_flight for one in self.of.get(pair, ()))

    def knows(self, pair: Pair, price: Decimal, since: datetime) -> bool:
        """Say whether so low a price was recorded since, or is on its way."""
        return any(
            one.new <= price and (one.at >= since or one.is_in_flight)
            for one in self.of.get(pair, ())
        )


def read(people: Collection[int], now: datetime) -> Announced:
    """Return what was recorded for these people lately; two queries."""
    entries = list(
        JournalEntry.objects.filter(
            contact_id__in=people, kind=PriceDropped.kind, occurred_at__gt=now - _LATELY
        ).values("pk", "contact_id", "payload", "occurred_at", "routed_at")
    )
    if not entries:
        return Announced()
    walking = set(
        Enrollment.objects.filter(
            journal_entry_id__in=[entry["pk"] for entry in entries],
            state__in=enrollments.UNFINISHED,
        ).values_list("journal_entry_id", flat=True)
    )
    found: dict[Pair, list[Announcement]] = defaultdict(list)
    for entry in entries:
        is_in_flight = entry["routed_at"] is None or entry["pk"] in walking
        for product in entry["payload"].get("products") or ():
            try:
                new = Decimal(str(product["new"]))
                lowest = product.get("lowest_30d")
                lowest = Decimal(str(lowest)) if lowest is not None else None
                pair = (entry["contact_id"], int(product["product_id"]))
            except (KeyError, TypeError, ValueError, InvalidOperation):
                continue
            found[pair].append(
                Announcement(
                    new=new,
                    at=entry["occurred_at"],
                    with_offer=bool(product.get("with_offer")),
                    lowest=lowest,
                    is_in_flight=is_in_flight,
                )
            )
    return Announced(of=found)
