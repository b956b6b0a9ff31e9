"""The sweep that notes the prices people saw where no signal tells: baskets, wish lists, requests, letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q

from ...conf import triggers_settings
from ...engine import contacts, intake, sweeping
from ...engine.intake import Record
from ...models import (
    BasketWatch,
    JournalEntry,
    PriceSeen,
    PriceSource,
    ProductRequest,
    Pulse,
    RequestKind,
    RequestState,
)
from ...snapshots import Person
from .. import tables, waiting
from . import quotes, seen, told
from .events import ProductWished, about_product
from .seen import Pair, Sight

#: As in `shop.baskets`: a change is dated when it is made and seen when it is committed.
OVERLAP = timedelta(minutes=10)
#: Ids are taken when a row is written and seen when it is committed.
ID_OVERLAP = 500
BATCH = 1_000
_MOST_BATCHES = 20

_WISH = "wish"
_WISH_FLOOR = "wish_floor"


@sweeping.register
class SeenSweep(sweeping.Sweep):
    """Notes which prices people saw, and which ones our letters told."""

    name = "prices_seen"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at lines of baskets and wish lists since the last look, and at letters."""
        since = now - triggers_settings().basket_max_age
        if pulse.position_at is not None:
            since = min(now, pulse.position_at) - OVERLAP
        found = {
            "baskets": _look_at_baskets(since, now),
            "wishes": _look_at_wishes(pulse, now),
            "requests": _look_at_requests(since, now),
            "letters": told.look(since, now),
        }
        pulse.position_at = now
        return {name: number for name, number in found.items() if number}


# ── Baskets ──────────────────────────────────────────────────────────────────────────────────────


def lines_since(since: datetime) -> Any:
    """Return the basket lines of people whom we know that were saved since; by an index."""
    return _lines().filter(waiting.of_known_people(), date_updated__gte=since)


def _lines() -> Any:
    return tables.basket_lines().filter(basket__status__in=tables.ALIVE, quantity__gt=0)


def _look_at_baskets(since: datetime, now: datetime) -> int:
    # Also of guests who told their address since: their lines may be older.
    introduced = BasketWatch.objects.filter(
        contact__isnull=False, closed_at=None, changed_at__gte=since
    ).values_list("basket_id", flat=True)
    wanted = set(lines_since(since).values_list("pk", flat=True))
    for chunk in _chunks(sorted(introduced)):
        wanted.update(_lines().filter(basket_id__in=chunk).values_list("pk", flat=True))
    return sum(_note_lines(chunk, now) for chunk in _chunks(sorted(wanted)))


def _note_lines(ids: Sequence[int], now: datetime) -> int:
    """Note what these lines cost when they were put in; a constant number of queries."""
    lines = list(
        tables.basket_lines()
        .filter(pk__in=ids)
        .values(
            "basket_id", "basket__owner_id", "product_id", "price_incl_tax", "price_excl_tax",
            "price_currency", "date_created",
        )
    )  # fmt: skip
    watches = {
        watch.basket_id: watch
        for watch in BasketWatch.objects.filter(basket_id__in={one["basket_id"] for one in lines})
    }
    owners = _contacts_of({one["basket__owner_id"] for one in lines}, now)
    return seen.note(_sights_of_lines(lines, watches, owners, now))


def _sights_of_lines(
    lines: Sequence[Mapping[str, Any]],
    watches: Mapping[int, BasketWatch],
    owners: Mapping[Any, int],
    now: datetime,
) -> Iterator[Sight]:
    for line in lines:
        watch = watches.get(line["basket_id"])
        guest = watch.contact_id if watch is not None else None
        contact_id = owners.get(line["basket__owner_id"], guest)
        with_tax = line["price_incl_tax"]
        price = with_tax if with_tax is not None else line["price_excl_tax"]
        if contact_id is None or price is None:
            continue
        yield Sight(
            contact_id=contact_id,
            product_id=line["product_id"],
            source=PriceSource.BASKET.value,
            price=price,
            currency=line["price_currency"],
            seen_at=min(line["date_created"], now),
            site_id=watch.site_id if watch is not None else None,
        )


# ── Wish lists ───────────────────────────────────────────────────────────────────────────────────


def _look_at_wishes(pulse: Pulse, now: datetime) -> int:
    """Note new lines of wish lists; those from before the first look are noted, not told."""
    lines = tables.rows("wishlists", "Line").order_by("pk")
    mark, floor = pulse.watermark.get(_WISH), pulse.watermark.get(_WISH_FLOOR)
    if floor is None:
        floor = int(lines.aggregate(highest=Max("pk"))["highest"] or 0)
    # Nobody else is met again below what was there before us.
    since = 0 if mark is None else mark if mark < floor else max(mark - ID_OVERLAP, floor)
    mark = since if mark is None else mark
    found = 0
    for _batch in range(_MOST_BATCHES):
        rows = list(
            lines.filter(pk__gt=since).values("pk", "product_id", "wishlist__owner_id")[:BATCH]
        )
        if not rows:
            break
        found += _note_wishes(rows, floor, now)
        since = rows[-1]["pk"]
        mark = max(mark, since)
    pulse.watermark = {**pulse.watermark, _WISH: mark, _WISH_FLOOR: floor}
    return found


def _note_wishes(rows: Sequence[Mapping[str, Any]], floor: int, now: datetime) -> int:
    rows = [row for row in rows if row["product_id"] is not None]
    owners = _contacts_of({row["wishlist__owner_id"] for row in rows}, now)
    records = {
        row["pk"]: Record(
            event=ProductWished(product_id=row["product_id"], line_id=row["pk"]),
            about=about_product(row["product_id"]),
            person=Person(user_id=row["wishlist__owner_id"]),
            occurred_at=now,
        )
        for row in rows
        if row["pk"] > floor and row["wishlist__owner_id"] in owners
    }
    told_before = _told_before(records)
    pairs = {row["pk"]: _pair(row, owners) for row in rows if row["wishlist__owner_id"] in owners}
    # What was wished for before we looked is noted once, at the price of the first look.
    old = {pair for pk, pair in pairs.items() if pk <= floor}
    wanted = old - seen.known(old, PriceSource.WISH.value)
    wanted |= {pairs[pk] for pk in records if pk not in told_before}
    asked = quotes.ask(sorted(wanted), now)
    intake.record_many([record for pk, record in records.items() if pk not in told_before])
    return seen.note(
        Sight(
            contact_id=contact_id,
            product_id=product_id,
            source=PriceSource.WISH.value,
            price=quote.price,
            currency=quote.currency,
            seen_at=now,
        )
        for (contact_id, product_id), quote in asked.items()
    )


def _pair(row: Mapping[str, Any], owners: Mapping[Any, int]) -> Pair:
    return owners[row["wishlist__owner_id"]], row["product_id"]


def _told_before(records: Mapping[int, Record]) -> set[int]:
    keys = {
        f"{ProductWished.kind}:{record.event.act_key(None)}": pk for pk, record in records.items()
    }
    known = JournalEntry.objects.filter(dedup_key__in=keys).values_list("dedup_key", flat=True)
    return {keys[key] for key in known}


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────


def _look_at_requests(since: datetime, now: datetime) -> int:
    """Note what it costs those who asked to be told when it is cheaper."""
    noted = PriceSeen.objects.filter(
        contact_id=OuterRef("contact_id"),
        product_id=OuterRef("product_id"),
        source=PriceSource.REQUEST,
        seen_at__gte=OuterRef("created_at"),
    )
    pairs = {
        (request.contact_id, request.product_id): request.site_id
        for request in ProductRequest.objects.filter(
            Q(created_at__gte=since) | Q(confirmed_at__gte=since),
            ~Exists(noted),
            kind=RequestKind.CHEAPER,
            state=RequestState.WAITING,
        )
    }
    asked = quotes.ask(sorted(pairs), now)
    return seen.note(
        Sight(
            contact_id=pair[0],
            product_id=pair[1],
            source=PriceSource.REQUEST.value,
            price=quote.price,
            currency=quote.currency,
            seen_at=now,
            site_id=pairs[pair],
        )
        for pair, quote in asked.items()
    )


# ── People ───────────────────────────────────────────────────────────────────────────────────────


def _contacts_of(user_ids: set[Any], now: datetime) -> dict[Any, int]:
    """Return the contact of each account; those that nobody knows yet are made."""
    wanted = [user_id for user_id in user_ids if user_id is not None]
    if not wanted:
        return {}
    found = contacts.resolve_many(
        # A sweep looks at what was done before: nobody was seen just now.
        [(Person(user_id=user_id), None) for user_id in wanted],
        now,
        seen=[False] * len(wanted),
    )
    return {
        user_id: contact_id
        for user_id, contact_id in zip(wanted, found, strict=True)
        if contact_id is not None
    }


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
