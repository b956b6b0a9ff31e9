"""What keeps a letter about products from going out, asked in the statement that marks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ...models import ExitReason, ProductRequest
from ...policy import guards
from ...policy.guards import Consequence, Refused
from ...snapshots import Subject
from .. import tables
from ..goods import number_of
from ..guards import ORDER_WATERMARK, PRICE_CHANGED, SOLD_OUT, spellings
from ..refusal import facts_of_person, price_tolerance
from .bought import bought_since
from .refusal import refusal_of

BOUGHT_MEANWHILE = "bought_meanwhile"

ABOUT_PRODUCT = "product"
ABOUT_REQUEST = "product_request"
ABOUT_PRICE_DROP = "price_drop"

#: Above every id: who remembers no order is asked for orders by their date alone.
_NO_ORDER = 2**63 - 1


@guards.register
class ProductGuard(guards.SendGuard):
    """No letter about products that are sold out, dearer than it says, or bought meanwhile.

    `observed` is what the letter was written from:
    {"stock": {stock record id: {"price": "12.50", "tracked": true, "quantity": 1}},
     "products": [ids that it names], "all_needed": false, "since": "2026-11-22T10:00:00+00:00"}.
    `price` is StockRecord.price, or None where the letter says none. A letter that names several
    is written again without those that are gone, unless `all_needed`. Orders placed after
    `since` count as well as those above the enrollment's watermark.
    """

    name = "products"
    about_types = frozenset({ABOUT_PRODUCT, ABOUT_REQUEST, ABOUT_PRICE_DROP})

    asks_at_once = True

    def facts(
        self, subject: Subject, observed: Mapping[str, Any], connection: Any
    ) -> Mapping[str, Any] | None:
        """Return what the letter was written from."""
        return {
            **facts_of_person(
                connection,
                order_watermark=_watermark(subject),
                left_at=_since(subject, observed),
                user_id=subject.user_id,
                emails=spellings(subject.emails),
                phones=subject.phones,
            ),
            "products": [{"id": pk} for pk in _named(subject, observed)],
            "stock": [
                {"id": pk, "price": record.get("price"), "needed": _needed(record)}
                for pk, record in _stock(observed).items()
            ],
        }

    def condition(
        self, connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
    ) -> tuple[str, Sequence[Any]]:
        """Return what is true in the database when the letter must not go."""
        return refusal_of(connection, column, asked)

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say what was found, product by product, and whether a part of the letter still holds."""
        named = _named(subject, observed)
        if observed.get("products") is None:
            named = named or _of_request(subject)
        found = _bought(subject, observed, named)
        found = {**_unavailable(named, _stock(observed)), **found}
        if not found:
            return None
        reason = next(r for r in _REASONS if any(one["reason"] == r for one in found.values()))
        first = next(one for one in found.values() if one["reason"] == reason)
        compared = {
            **{name: value for name, value in first.items() if name != "reason"},
            "products": {str(pk): one for pk, one in found.items()},
            "named": named,
        }
        is_over = observed.get("all_needed") or set(named) <= set(found)
        # A letter that only says a price is written again with the new one; news of a lower
        # price are none any more.
        only_dearer = reason == PRICE_CHANGED and subject.about.type != ABOUT_PRICE_DROP
        if not is_over or only_dearer:
            return Refused(reason=reason, consequence=Consequence.STALE, compared=compared)
        return Refused(
            reason=reason,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.GOAL if reason == BOUGHT_MEANWHILE else ExitReason.CONDITION,
            compared=compared,
        )


#: The first that is true of any product is told.
_REASONS = (BOUGHT_MEANWHILE, SOLD_OUT, PRICE_CHANGED)


def _named(subject: Subject, observed: Mapping[str, Any]) -> list[int]:
    """Return the products that a letter names, without a query."""
    products = observed.get("products")
    if products is None and subject.about.type == ABOUT_PRODUCT:
        products = [number_of(subject.about.id)]
    return [int(pk) for pk in products or () if pk is not None]


def _of_request(subject: Subject) -> list[int]:
    """Return the product of a request about which nothing was written."""
    number = number_of(subject.about.id)
    if subject.about.type != ABOUT_REQUEST or number is None:
        return []
    return list(ProductRequest.objects.filter(pk=number).values_list("product_id", flat=True))


def _stock(observed: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    return {int(pk): record for pk, record in (observed.get("stock") or {}).items()}


def _needed(record: Mapping[str, Any]) -> int | None:
    return int(record.get("quantity") or 1) if record.get("tracked") else None


def _watermark(subject: Subject) -> int:
    return subject.watermarks.get(ORDER_WATERMARK, _NO_ORDER)


def _since(subject: Subject, observed: Mapping[str, Any]) -> datetime | None:
    since = observed.get("since")
    if since:
        return datetime.fromisoformat(str(since))
    return None if ORDER_WATERMARK in subject.watermarks else subject.entered_at


def _bought(
    subject: Subject, observed: Mapping[str, Any], named: Sequence[int]
) -> dict[int, dict[str, Any]]:
    since = _since(subject, observed)
    found = bought_since(subject, named, order_watermark=_watermark(subject), since=since)
    return {
        pk: {
            "reason": BOUGHT_MEANWHILE,
            "order": one.order,
            "placed_at": one.placed_at,
            "matched_by": one.matched_by,
        }
        for pk, one in found.items()
    }


def _unavailable(
    named: Sequence[int], written: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Return what became of the products and stock records of a letter."""
    shown = {
        pk: (parent_id, is_public and parent_is_public is not False)
        for pk, parent_id, is_public, parent_is_public in tables.rows("catalogue", "Product")
        .filter(pk__in=named)
        .values_list("pk", "parent_id", "is_public", "parent__is_public")
    }
    found: dict[int, dict[str, Any]] = {
        pk: {"reason": SOLD_OUT, "left": 0, "shown": False, "exists": pk in shown}
        for pk in named
        if pk not in shown or not shown[pk][1]
    }
    records = {
        record["pk"]: record
        for record in tables.stock_records()
        .filter(pk__in=written)
        .values(
            "pk", "price", "num_in_stock", "num_allocated", "product_id", "product__parent_id",
            "product__is_public", "product__parent__is_public",
        )
    }  # fmt: skip
    for pk, said in written.items():
        record = records.get(pk)
        failed = _failed(said, record)
        if failed is not None:
            product_id = _product_of(record, said, named)
            found.setdefault(product_id, {**failed, "stock_record": pk})
    return found


def _failed(said: Mapping[str, Any], record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if record is None:
        return {"reason": SOLD_OUT, "left": 0, "exists": False}
    if not record["product__is_public"] or record["product__parent__is_public"] is False:
        return {"reason": SOLD_OUT, "left": 0, "shown": False}
    needed = _needed(said)
    left = (record["num_in_stock"] or 0) - (record["num_allocated"] or 0)
    if needed is not None and left < needed:
        return {"reason": SOLD_OUT, "left": left, "needed": needed}
    if said.get("price") is None:
        return None
    if record["price"] is None:
        return {"reason": SOLD_OUT, "left": 0, "written": said["price"], "now": None}
    if record["price"] - Decimal(said["price"]) >= price_tolerance():
        return {"reason": PRICE_CHANGED, "written": said["price"], "now": record["price"]}
    return None


def _product_of(
    record: Mapping[str, Any] | None, said: Mapping[str, Any], named: Sequence[int]
) -> int:
    """Return which of the named products a stock record stands for; 0 when that is lost."""
    candidates = [said.get("product")]
    if record is not None:
        candidates += [record["product_id"], record["product__parent_id"]]
    for pk in candidates:
        if pk is not None and pk in named:
            return int(pk)
    if len(named) == 1:
        return named[0]
    return 0 if record is None else int(record["product_id"])
