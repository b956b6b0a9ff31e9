"""The sweep that tells people of prices that fell below what they last saw.

It reads the journal of stock and prices, finds who saw a price of what fell, and compares what
the shop asks from each of them now with what each last saw: never yesterday's price, never
another currency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from ...engine import intake, sweeping
from ...engine.intake import Record
from ...models import Contact, PriceSeen, Pulse, StockCause, StockChange
from ...snapshots import Person
from ..stock import quoting
from . import announced, bought, buyers, offers, seen, told, wishes
from .buyers import Buyers
from .events import CATEGORY, PriceDropped, about_price_drop, in_order
from .lowest import Lowest
from .offers import Asked
from .seen import Pair, Sight

#: Ids are taken when a row is written and seen when it is committed.
OVERLAP = 500
#: Changes, and people, that one look takes.
BATCH = 1_000
_MOST_BATCHES = 20
#: Of one person at once; the strongest interests stay.
_MOST_PRODUCTS = 100

_MARK = "change"
_FLOOR = "change_floor"
_LOOKED = "looked"


@dataclass(frozen=True, kw_only=True)
class Fallen:
    """What may cost less, for a batch of changes."""

    #: Products and, of variants, their parents.
    products: frozenset[int] = frozenset()
    #: When the price of a stock record changed.
    records: Mapping[int, datetime] = field(default_factory=dict)
    #: When an offer of the shop began or ended for a product.
    offers: Mapping[int, datetime] = field(default_factory=dict)
    parents: Mapping[int, int] = field(default_factory=dict)
    #: Stock records' prices before and after, without tax, and when that was noticed.
    prices: Mapping[int, tuple[Decimal, Decimal, datetime]] = field(default_factory=dict)

    @property
    def began_at(self) -> datetime | None:
        """Return the first moment at which a price changed."""
        return min((*self.records.values(), *self.offers.values()), default=None)

    @classmethod
    def of(cls, changes: Iterable[Mapping[str, Any]]) -> Fallen:
        """Return what these changes are about, which come oldest first."""
        products: set[int] = set()
        records: dict[int, datetime] = {}
        offered: dict[int, datetime] = {}
        parents: dict[int, int] = {}
        prices: dict[int, tuple[Decimal, Decimal, datetime]] = {}
        for one in changes:
            both = {one["product_id"], one["parent_id"]} - {None}
            products |= both
            if one["parent_id"] is not None:
                parents[one["product_id"]] = one["parent_id"]
            if one["cause"] == StockCause.PRICE:
                records[one["stock_record_id"]] = one["noticed_at"]
                before, after = one["price_before"], one["price_after"]
                if before is not None and after is not None:
                    # Of several falls at once, the first tells what it cost before.
                    first = prices.get(one["stock_record_id"], (before,))[0]
                    prices[one["stock_record_id"]] = (first, after, one["noticed_at"])
            elif one["cause"] == StockCause.OFFER:
                offered |= dict.fromkeys(both, one["noticed_at"])
        return cls(
            products=frozenset(products),
            records=records,
            offers=offered,
            parents=parents,
            prices=prices,
        )

    def pages(self) -> set[int]:
        """Return the products that have a page of their own: of variants, the parent."""
        return set(self.products) - set(self.parents)

    def fell_at(self, product_id: int, asked: Asked) -> datetime | None:
        """Return when what is asked changed; None where something else did, or goods came back."""
        moments = (self.records.get(asked.quote.stock_record_id or 0), self.offers.get(product_id))
        return max((at for at in moments if at is not None), default=None)


@sweeping.register
class PriceDropSweep(sweeping.Sweep):
    """Records what became cheaper for whom: one event for each person and look."""

    name = "price_drops"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at the changes since the last look; the first look only remembers where to begin."""
        newest = int(StockChange.objects.aggregate(newest=Max("pk"))["newest"] or 0)
        mark, floor = pulse.watermark.get(_MARK), pulse.watermark.get(_FLOOR, 0)
        if mark is None:
            pulse.watermark = {_MARK: newest, _FLOOR: newest}
            return {}
        looked = set(pulse.watermark.get(_LOOKED, ()))
        # What is committed from now on with a lower number is found by the next look.
        there = StockChange.objects.filter(pk__gt=newest - OVERLAP, pk__lte=newest)
        present = list(there.order_by("pk").values_list("pk", flat=True))
        memory = buyers.longest_memory()
        since, people, changes = max(mark - OVERLAP, floor), 0, 0
        for _batch in range(_MOST_BATCHES):
            rows = list(_lower(since, seen_only=memory is None)[:BATCH])
            fresh = [row for row in rows if row["pk"] not in looked]
            if fresh:
                people += tell(Fallen.of(fresh), now, memory=memory)
                changes += len(fresh)
            if len(rows) < BATCH:
                mark = max(mark, newest)
                break
            since = rows[-1]["pk"]
            mark = max(mark, since)
        pulse.watermark = {
            _MARK: mark,
            _FLOOR: floor,
            _LOOKED: [pk for pk in present if mark - OVERLAP < pk <= mark],
        }
        return {"changes": changes, "people": people} if changes else {}


def _lower(since: int, *, seen_only: bool) -> QuerySet[StockChange, Any]:
    """Return changes after which something may cost somebody less than they saw."""
    is_price = Q(cause=StockCause.PRICE) & (
        Q(price_before=None) | Q(price_after__lte=F("price_before"))
    )
    came_back = Q(was_available=False, is_available=True)
    seen_by_somebody = PriceSeen.objects.filter(
        Q(product_id=OuterRef("product_id")) | Q(product_id=OuterRef("parent_id"))
    )
    rows = StockChange.objects.filter(
        is_price | came_back | Q(cause=StockCause.OFFER), pk__gt=since
    )
    if seen_only:
        rows = rows.filter(Exists(seen_by_somebody))
    return rows.order_by("pk").values(
        "pk", "stock_record_id", "product_id", "parent_id", "cause", "noticed_at", "price_before",
        "price_after",
    )  # fmt: skip


def tell(fallen: Fallen, now: datetime, *, memory: timedelta | None = None) -> int:
    """Record what people may be told; in batches, each by a constant number of queries.

    With `memory`, also those are told who bought something of the category so long ago at most.
    """
    found, last = 0, 0
    shoppers = Buyers.of(fallen.pages(), now - memory) if memory is not None else None
    while True:
        people = seen.people_who_saw(fallen.products, above=last, limit=BATCH)
        if shoppers is not None:
            people = sorted({*people, *shoppers.people(above=last, limit=BATCH)})[:BATCH]
        if not people:
            return found
        last = people[-1]
        records = _Look(fallen, people, now, shoppers).records()
        intake.record_many(records)
        found += len(records)


class _Look:
    """What is read for a batch of people, then what follows for each of them."""

    def __init__(
        self, fallen: Fallen, people: Sequence[int], now: datetime, shoppers: Buyers | None
    ) -> None:
        self.fallen, self.now = fallen, now
        self.people = {
            row["pk"]: row
            for row in Contact.objects.filter(pk__in=people).values(
                "pk", "user_id", "language", "time_zone", "site_id"
            )
        }
        accounts = {pk: row["user_id"] for pk, row in self.people.items() if row["user_id"]}
        self.announced = announced.read(people, now)
        product_ids = {*fallen.products, *self.announced.products()}
        self.sights = seen.sights_of(people, product_ids)
        self._add_letters(people)
        pairs = [
            pair
            for pair in self.sights
            if pair[1] in fallen.products or self.announced.is_in_flight(pair)
        ]
        self.liked = shoppers.interests(accounts) if shoppers is not None else {}
        pairs += [pair for pair in self.liked if pair not in self.sights]
        self.asked = offers.ask(
            pairs,
            accounts,
            with_offers={*fallen.offers, *self.announced.with_offers()},
            now=now,
        )
        self._add_liked(now)
        oldest = min((s.seen_at for some in self.sights.values() for s in some), default=now)
        if shoppers is not None:
            oldest = min(oldest, shoppers.since)
        self.purchases = bought.last_purchases(people, accounts, product_ids, oldest)
        self.requests = wishes.open_requests(people, product_ids)
        self.lowest = Lowest(self.asked.values(), fallen.began_at or now, now)

    def _add_letters(self, people: Collection[int]) -> None:
        """Add what letters told since; what they told of other products is nobody's interest."""
        if not self.sights:
            return
        since = min(seen.base_line(some).seen_at for some in self.sights.values())
        letters = [
            one
            for one in told.sights_in_letters(people, since)
            if (one.contact_id, one.product_id) in self.sights
        ]
        seen.note(letters)
        # Whoever was told what they asked for is not told again, however soon it falls again.
        told.answer_requests(letters)
        for one in letters:
            self.sights[one.contact_id, one.product_id].append(one)

    def _add_liked(self, now: datetime) -> None:
        """Add what products cost before they fell, for those who bought of their category."""
        liked = [pair for pair in self.liked if pair in self.asked and pair not in self.sights]
        wanted = sorted({product_id for _contact_id, product_id in liked})
        strangers = quoting.quote_many([(None, pk) for pk in wanted], now) if wanted else {}
        for pair in liked:
            asked = self.asked[pair]
            fell = self.fallen.prices.get(asked.quote.stock_record_id or 0)
            one = buyers.sight(pair, asked, strangers.get((None, pair[1])), fell)
            if one is not None:
                self.sights[pair].append(one)

    def records(self) -> list[Record]:
        """Return one event for each person for whom something new fell."""
        by_person: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
        news: set[int] = set()
        for pair, asked in self.asked.items():
            item = self._item(pair, asked)
            if item is None:
                continue
            contact_id, product_id = pair
            by_person[contact_id][product_id] = item
            if product_id in self.fallen.products and not self._is_known(pair, item):
                news.add(contact_id)
        return [
            self._record(contact_id, self._each_once(contact_id, by_person[contact_id]))
            for contact_id in sorted(news)
            if contact_id in self.people
        ]

    def _item(self, pair: Pair, asked: Asked) -> dict[str, Any] | None:
        """Return how far the product fell for this person, None where it did not."""
        sights = self._sights(pair, asked)
        if not sights:
            return None
        base, price = seen.base_line(sights), seen.shown(asked.quote.price)
        if not asked.quote.is_available or asked.quote.currency != base.currency:
            return None
        if price >= base.price:
            return None
        bought_at = self.purchases.get(pair)
        interests = [one for one in sights if bought_at is None or one.seen_at > bought_at]
        request = self.requests.get(pair)
        # Who bought it needs no other of its category.
        if not interests or (bought_at is not None and interests[0].source == CATEGORY):
            return None
        target = None
        if request is not None and request.target_price is not None:
            if request.currency and request.currency != asked.quote.currency:
                return None
            target = request.target_price
            if price > target:
                return None
        strongest = wishes.strongest(interests, is_asked_for=request is not None)
        item = {
            "product_id": pair[1],
            "old": base.price,
            "new": price,
            "currency": base.currency,
            "source": strongest,
            "lowest_30d": self._lowest(pair, asked),
            "target": target,
            "with_offer": asked.with_offer,
        }
        if strongest == CATEGORY:
            item["bought_days_ago"] = (self.now - self.liked[pair]).days
        return item

    def _sights(self, pair: Pair, asked: Asked) -> list[Sight]:
        """Return what the person saw of it; of a parent and its cheapest variant, of both."""
        contact_id, product_id = pair
        sights = self.sights[pair]
        variant = asked.quote.product_id
        if variant != product_id:
            return [*sights, *self.sights.get((contact_id, variant), ())]
        parent_id = self.fallen.parents.get(product_id)
        above = self.asked.get((contact_id, parent_id)) if parent_id is not None else None
        if above is not None and above.quote.product_id == product_id:
            return [*sights, *self.sights.get((contact_id, parent_id or 0), ())]
        return sights

    def _lowest(self, pair: Pair, asked: Asked) -> Decimal | None:
        """Return the lowest price before the fall; of what is carried on, as it was told."""
        if pair[1] not in self.fallen.products:
            return self.announced.lowest(pair)
        return self.lowest.of(asked)

    def _is_known(self, pair: Pair, item: Mapping[str, Any]) -> bool:
        """Say whether this very fall was recorded before: it is told once."""
        since = self.fallen.fell_at(pair[1], self.asked[pair])
        if since is None:
            since = seen.base_line(self.sights[pair]).seen_at
        return self.announced.knows(pair, item["new"], since)

    def _each_once(self, contact_id: int, items: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the products, a parent only where none of its variants is named."""
        named = dict(items)
        for product_id in items:
            parent_id = self.fallen.parents.get(product_id)
            if parent_id is not None:
                named.pop(parent_id, None)
            variant = self.asked[contact_id, product_id].quote.product_id
            if variant != product_id and variant in items:
                named.pop(product_id, None)
        return sorted(named.values(), key=in_order)[:_MOST_PRODUCTS]

    def _record(self, contact_id: int, products: list[dict[str, Any]]) -> Record:
        person, first = self.people[contact_id], products[0]
        sights = self.sights[contact_id, first["product_id"]]
        site_id = next((one.site_id for one in sights if one.site_id), person["site_id"])
        return Record(
            event=PriceDropped(
                products=tuple(products),
                source=first["source"],
                product_id=first["product_id"],
                percent=max(_percent(one) for one in products),
                count=len(products),
                currency=first["currency"],
            ),
            contact=contact_id,
            about=about_price_drop(contact_id, self.now),
            person=Person(
                user_id=person["user_id"],
                contact_id=contact_id,
                language=person["language"],
                time_zone=person["time_zone"],
            ),
            occurred_at=self.now,
            site_id=site_id,
        )


def _percent(product: Mapping[str, Any]) -> Any:
    return seen.shown((product["old"] - product["new"]) * 100 / product["old"])
