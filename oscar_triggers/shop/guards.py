"""What keeps a letter about a basket from going out, asked in the statement that marks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import idna
from django.contrib.auth import get_user_model
from django.db.models import (
    CharField,
    Expression,
    F,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Replace
from django.db.models.lookups import In, LessThan

from ..engine import enrollments
from ..models import ExitReason
from ..policy import guards
from ..policy.guards import Consequence, Refused
from ..snapshots import Subject
from . import tables
from .orders import highest_order
from .refusal import facts_of, price_tolerance, refusal_of

ORDER_PLACED = "order_placed"
BASKET_EMPTY = "basket_empty"
BASKET_GONE = "basket_gone"
BASKET_CHANGED = "basket_changed"
PRICE_CHANGED = "price_changed"
SOLD_OUT = "sold_out"

#: Name of the watermark that enrollments remember: the highest order id at entry.
ORDER_WATERMARK = "order"


@guards.register
class BasketGuard(guards.SendGuard):
    """No letter about a basket that was ordered, emptied, changed, or sold out meanwhile.

    `observed` is what the letter was written from:
    {"lines": {line id: quantity},
     "stock": {stock record id: {"price": "9.90", "tracked": true, "quantity": 2}}}.
    """

    name = "basket"
    about_types = frozenset({"basket"})

    asks_at_once = True

    def facts(
        self, subject: Subject, observed: Mapping[str, Any], connection: Any
    ) -> Mapping[str, Any] | None:
        """Return what the letter was written from."""
        basket_id = _basket_id(subject)
        if basket_id is None:
            return None
        stock = observed.get("stock") or {}
        return facts_of(
            connection,
            basket_id=basket_id,
            order_watermark=_watermark(subject),
            left_at=_left_at(subject),
            user_id=subject.user_id,
            emails=spellings(subject.emails),
            phones=subject.phones,
            lines={int(pk): n for pk, n in (observed.get("lines") or {}).items()},
            stock={
                int(pk): (record.get("price"), _needed(record) if record.get("tracked") else None)
                for pk, record in stock.items()
            },
        )

    def condition(
        self, connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
    ) -> tuple[str, Sequence[Any]]:
        """Return what is true in the database when the letter must not go."""
        return refusal_of(connection, column, asked)

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say what was found, in the order of what matters most."""
        basket_id = _basket_id(subject)
        if basket_id is None:
            return None
        return (
            _explain_order(subject, basket_id)
            or _explain_basket(basket_id, observed.get("lines") or {})
            or _explain_stock(observed.get("stock") or {})
        )


def remember_orders() -> None:
    """Have enrollments remember the highest order id: `guest_email` has no index to search by."""
    enrollments.watermark(ORDER_WATERMARK)(highest_order)


def _basket_id(subject: Subject) -> int | None:
    return int(subject.about.id) if subject.about.id.isdigit() else None


def _watermark(subject: Subject) -> int:
    return subject.watermarks.get(ORDER_WATERMARK, 0)


def _left_at(subject: Subject) -> datetime | None:
    left_at = subject.payload.get("left_at")
    return datetime.fromisoformat(str(left_at)) if left_at else None


def _lines(basket_id: int) -> QuerySet[Any]:
    return tables.basket_lines().filter(basket_id=basket_id, quantity__gt=0)


def _orders_since(subject: Subject) -> QuerySet[Any]:
    """Return the orders placed since the basket was left (both columns are indexed)."""
    since = Q(pk__gt=_watermark(subject))
    left_at = _left_at(subject)
    if left_at is not None:
        since |= Q(date_placed__gt=left_at)
    return tables.orders().filter(since)


def matches(subject: Subject) -> dict[str, Q]:
    """Say by what an order is this person's."""
    found: dict[str, Q] = {}
    if subject.user_id is not None:
        found["customer"] = Q(user_id=subject.user_id)
    emails = spellings(subject.emails)
    if emails:
        account = f"user__{get_user_model().get_email_field_name()}__iexact"
        found["email"] = Q()
        for email in emails:
            found["email"] |= Q(guest_email__iexact=email) | Q(**{account: email})
    if subject.phones:
        found["phone"] = Q(In(_digits("shipping_address__phone_number"), list(subject.phones)))
    return found


def _digits(name: str) -> Expression:
    """Return a phone number without what people write between its digits.

    Oscar stores E.164, but what the numbering plan does not know as it was typed.
    """
    digits: Expression = Cast(F(name), CharField())
    for separator in " -()./":
        digits = Replace(digits, Value(separator), Value(""))
    return digits


def _needed(record: Mapping[str, Any]) -> int:
    return int(record.get("quantity") or 1)


def _costs_otherwise(stock: Mapping[str, Mapping[str, Any]]) -> Q:
    found = Q(pk__in=[])
    for pk, record in stock.items():
        if record.get("price") is not None:
            written, near = Decimal(record["price"]), price_tolerance()
            other = Q(price=None) | Q(price__gte=written + near) | Q(price__lte=written - near)
            found |= Q(other, pk=int(pk))
    return found


def _sold_out(stock: Mapping[str, Mapping[str, Any]]) -> Q:
    found = Q(pk__in=[])
    # As Oscar's net_stock_level: what is in stock less what is promised to orders.
    left = Coalesce(F("num_in_stock"), 0) - Coalesce(F("num_allocated"), 0)
    for pk, record in stock.items():
        if record.get("tracked"):
            found |= Q(LessThan(left, Value(_needed(record))), pk=int(pk))
    return found


def _hidden(stock: Mapping[str, Mapping[str, Any]]) -> Q:
    hidden = Q(product__is_public=False) | Q(product__parent__is_public=False)
    return Q(hidden, pk__in=[int(pk) for pk in stock])


def spellings(emails: tuple[str, ...]) -> list[str]:
    """Return normalised addresses, and those with an international domain as people type them."""
    found = list(emails)
    for email in emails:
        local, _, domain = email.rpartition("@")
        if "xn--" in domain:
            try:
                found.append(f"{local}@{idna.decode(domain)}")
            except idna.IDNAError:
                continue
    return found


def _explain_order(subject: Subject, basket_id: int) -> Refused | None:
    found = {"basket": tables.orders().filter(basket_id=basket_id)}
    recent = _orders_since(subject)
    found |= {by: recent.filter(matching) for by, matching in matches(subject).items()}
    for matched_by, orders in found.items():
        order = orders.order_by("-pk").values("number", "date_placed").first()
        if order is not None:
            return Refused(
                reason=ORDER_PLACED,
                consequence=Consequence.EXIT,
                exit_reason=ExitReason.GOAL,
                compared={
                    "order": order["number"],
                    "placed_at": order["date_placed"],
                    "matched_by": matched_by,
                    "basket": basket_id,
                    "left_at": subject.payload.get("left_at", ""),
                },
            )
    return None


def _explain_basket(basket_id: int, written: Mapping[str, int]) -> Refused | None:
    status = tables.baskets().filter(pk=basket_id).values_list("status", flat=True).first()
    if status not in tables.ALIVE:
        return Refused(
            reason=BASKET_GONE,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.CONDITION,
            compared={"basket": basket_id, "status": status or "deleted"},
        )
    lines = dict(_lines(basket_id).values_list("pk", "quantity"))
    if not lines:
        return Refused(
            reason=BASKET_EMPTY,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.CONDITION,
            compared={"basket": basket_id, "lines": 0},
        )
    changed = {
        line_id: {"written": quantity, "now": lines.get(int(line_id), 0)}
        for line_id, quantity in written.items()
        if lines.get(int(line_id), 0) != quantity
    }
    if written:
        changed |= {
            str(line_id): {"written": 0, "now": quantity}
            for line_id, quantity in lines.items()
            if str(line_id) not in written
        }
    if changed:
        return Refused(
            reason=BASKET_CHANGED,
            consequence=Consequence.STALE,
            compared={"basket": basket_id, "quantities": changed},
        )
    return None


def _explain_stock(stock: Mapping[str, Mapping[str, Any]]) -> Refused | None:
    if not stock:
        return None
    for reason, condition in (
        (PRICE_CHANGED, _costs_otherwise(stock)),
        (SOLD_OUT, _sold_out(stock)),
        (SOLD_OUT, _hidden(stock)),
    ):
        record = (
            tables.stock_records()
            .filter(condition)
            .values("pk", "price", "num_in_stock", "num_allocated")
            .first()
        )
        if record is None:
            continue
        compared = {"stock_record": record["pk"]}
        if reason == PRICE_CHANGED:
            compared |= {"written": stock[str(record["pk"])]["price"], "now": record["price"]}
        else:
            compared["left"] = (record["num_in_stock"] or 0) - (record["num_allocated"] or 0)
        return Refused(reason=reason, consequence=Consequence.STALE, compared=compared)
    return None
