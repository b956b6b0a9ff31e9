"""What letters about fallen prices say: each product with what the person saw and what it costs now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from ...conf import site_settings
from ...content import context
from ...content.context import Provided
from ...content.values import Money
from ...engine import plans
from ...exceptions import TriggersError
from ...models import Enrollment
from ...snapshots import Subject
from ..products.context import product_values, records_of
from ..products.said import Telling
from . import offers, seen
from .events import PriceDroppedOptions
from .offers import Asked
from .seen import Pair

#: Skip reasons: all the prices went up again, or nothing of it can be bought any more.
PRICE_BACK_UP = "price_back_up"
SOLD_OUT = "sold_out"


@context.register
class PriceDropContext(context.ContextProvider):
    """The products of one event that still cost less than the person saw; constant queries."""

    name = "price_drop"
    about_types = frozenset({"price_drop"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject about the prices that fell."""
        told = {position: _told(one) for position, one in enumerate(subjects)}
        pairs = {
            (one.contact_id, item["product_id"])
            for position, one in enumerate(subjects)
            for item in told[position]
        }
        accounts = {one.contact_id: one.user_id for one in subjects if one.user_id is not None}
        reduced = {
            item["product_id"] for items in told.values() for item in items if item["with_offer"]
        }
        asked = offers.ask(sorted(pairs), accounts, with_offers=reduced, now=now)
        desk = _Desk(
            asked=asked,
            options=_options_of(subjects),
            sights=seen.sights_of(
                {contact_id for contact_id, _product_id in pairs},
                {product_id for _contact_id, product_id in pairs},
            ),
            telling=Telling({product_id for _contact_id, product_id in pairs}),
            records=records_of([one.quote for one in asked.values()]),
        )
        return [desk.say(one, told[position]) for position, one in enumerate(subjects)]


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What was read for a batch of letters."""

    asked: Mapping[Pair, Asked]
    options: Mapping[int, PriceDroppedOptions]
    sights: Mapping[Pair, Sequence[seen.Sight]]
    telling: Telling
    records: Mapping[int, Any] = field(default_factory=dict)

    def say(self, subject: Subject, items: Sequence[Mapping[str, Any]]) -> Provided:
        options = self.options.get(subject.enrollment_id, PriceDroppedOptions())
        began_at = _began_at(subject)
        left: list[Mapping[str, Any]] = []
        compared: dict[str, Any] = {}
        for item in items:
            now = self._now(subject, item, began_at)
            compared[str(item["product_id"])] = {
                "saw": item["old"],
                "recorded": item["new"],
                "now": now["new"] if now is not None else None,
                "currency": item["currency"],
            }
            if now is not None:
                left.append(now)
        chosen = options.choose(left)[: options.most_products]
        if not chosen:
            there = any((subject.contact_id, item["product_id"]) in self.asked for item in items)
            reason = PRICE_BACK_UP if left or there else SOLD_OUT
            return Provided(unavailable=reason, compared={"products": compared})
        products = [self._values(subject, item) for item in chosen]
        return Provided(
            values={"products": products, "product": products[0]},
            observed={
                "stock": self._observed(subject, chosen),
                "products": [item["product_id"] for item in chosen],
                "since": began_at.isoformat(),
            },
        )

    def _now(
        self, subject: Subject, item: Mapping[str, Any], began_at: datetime
    ) -> Mapping[str, Any] | None:
        """Return the product at today's price; None where there is nothing to tell of it now."""
        pair = (subject.contact_id, item["product_id"])
        asked = self.asked.get(pair)
        if asked is None or not asked.quote.is_available or item["product_id"] not in self.telling:
            return None
        if asked.quote.currency != item["currency"]:
            return None
        price = seen.shown(asked.quote.price)
        # Who saw a lower one meanwhile hears nothing of this one.
        if price >= item["old"] or any(
            one.seen_at > began_at and one.currency == item["currency"] and one.price < price
            for one in self.sights.get(pair, ())
        ):
            return None
        if item.get("target") is not None and price > item["target"]:
            return None
        return {**item, "new": price}

    def _values(self, subject: Subject, item: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.asked[subject.contact_id, item["product_id"]]
        said = self.telling.about(
            item["product_id"],
            language=subject.language,
            base_url=site_settings(subject.site_id).base_url,
        )
        old, new, currency = item["old"], item["new"], item["currency"]
        lowest = item["lowest_30d"]
        percent = ((old - new) * 100 / old).to_integral_value(rounding=ROUND_DOWN)
        return {
            **product_values(said, asked.quote),
            "price": Money(amount=new, currency=currency),
            "old_price": Money(amount=old, currency=currency),
            "saving": Money(amount=old - new, currency=currency),
            "percent": int(percent),
            "lowest_30d": Money(amount=lowest, currency=currency) if lowest is not None else None,
        }

    def _observed(
        self, subject: Subject, chosen: Sequence[Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for item in chosen:
            quote = self.asked[subject.contact_id, item["product_id"]].quote
            record = self.records.get(quote.stock_record_id or 0)
            if record is not None:
                found[str(quote.stock_record_id)] = record.observed(quote, item["product_id"], 1)
        return found


def _told(subject: Subject) -> list[dict[str, Any]]:
    """Return the products of the event, with amounts as numbers; what is none is left out."""
    found = []
    for item in subject.payload.get("products") or ():
        try:
            found.append(
                {
                    **item,
                    "product_id": int(item["product_id"]),
                    "old": Decimal(str(item["old"])),
                    "new": Decimal(str(item["new"])),
                    "currency": str(item["currency"]),
                    "with_offer": bool(item.get("with_offer")),
                    "lowest_30d": _amount(item.get("lowest_30d")),
                    "target": _amount(item.get("target")),
                }
            )
        except (KeyError, TypeError, ValueError, InvalidOperation):
            continue
    return found


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _began_at(subject: Subject) -> datetime:
    """Return when the fall was noticed: the event's name tells it."""
    _contact, _, at = subject.about.id.partition(":")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return subject.entered_at
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _options_of(subjects: Sequence[Subject]) -> dict[int, PriceDroppedOptions]:
    """Return what each person's flow wants to tell, by enrollment; one query."""
    found: dict[int, PriceDroppedOptions] = {}
    rows = Enrollment.objects.filter(pk__in={one.enrollment_id for one in subjects}).select_related(
        "version"
    )
    for row in rows:
        try:
            _event, options = plans.plan_of(row.version).definition.trigger_event()
        except TriggersError:
            continue
        if isinstance(options, PriceDroppedOptions):
            found[row.pk] = options
    return found
