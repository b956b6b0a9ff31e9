"""Orders as Oscar's tables hold them, a batch at a time, and the stages that they have reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from django.db.models import Count, Max, Sum

from .. import tables
from . import stages


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of an order."""

    id: int
    product_id: int | None
    quantity: int
    status: str
    title: str = ""
    #: What all of it cost, tax included.
    price: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of an order's status that Oscar wrote down."""

    id: int
    old: str
    new: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Happening:
    """A shipping or a payment event, and how much of which line it was about."""

    id: int
    name: str
    at: datetime
    quantities: Mapping[int, int] = field(default_factory=dict)
    amount: Decimal = Decimal(0)
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A stage of a whole order."""

    #: None where no table tells when.
    at: datetime | None
    #: The lines that came there; the others were cancelled or refunded before.
    lines: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One order at one look."""

    #: The row itself, with its customer and addresses.
    order: Any
    lines: tuple[Line, ...]
    changes: tuple[Change, ...]
    shipping: tuple[Happening, ...]
    payments: tuple[Happening, ...]
    debited: Decimal
    refunded: Decimal

    @property
    def status(self) -> str:
        """Return the order's status."""
        return str(self.order.status or "")

    def reached(self) -> dict[str, Reached]:
        """Return the stages that the whole order has reached."""
        found = {stage: self._stage(stage) for stage in stages.ALL}
        return {stage: reached for stage, reached in found.items() if reached is not None}

    def reached_by_lines(self, stage: str) -> dict[int, int]:
        """Return how many of each line came to a stage, by its status and by events."""
        counted = self._by_events(stage)
        names = stages.names_of(stage)
        for line in self.lines:
            if line.status in names:
                counted[line.id] = line.quantity
        return {
            line.id: min(counted[line.id], line.quantity)
            for line in self.lines
            if counted.get(line.id)
        }

    def _stage(self, stage: str) -> Reached | None:
        return self._by_status(stage) or self._by_money(stage) or self._by_lines(stage)

    def _by_status(self, stage: str) -> Reached | None:
        names = stages.names_of(stage)
        times = [one.at for one in self.changes if one.new in names]
        # What was cancelled by mistake and is not any more was not cancelled.
        passed = bool(times) and stage in stages.FORWARD
        if self.status not in names and not passed:
            return None
        return Reached(at=min(times, default=None), lines=self._left(stage))

    def _by_money(self, stage: str) -> Reached | None:
        total: Decimal = self.order.total_incl_tax
        if stage not in (stages.PAID, stages.REFUNDED):
            return None
        if total <= 0:
            paid = stage == stages.PAID
            return Reached(at=self.order.date_placed, lines=self._left(stage)) if paid else None
        names, amount = stages.names_of(stage), Decimal(0)
        for one in sorted(self.payments, key=lambda payment: (payment.at, payment.id)):
            # Some shops write a payment back as a negative amount.
            moved = abs(one.amount) if stage == stages.REFUNDED else one.amount
            amount += moved if one.name in names else 0
            if amount >= total:
                return Reached(at=one.at, lines=self._left(stage))
        in_all = self.debited if stage == stages.PAID else self.refunded
        return Reached(at=None, lines=self._left(stage)) if in_all >= total else None

    def _by_lines(self, stage: str) -> Reached | None:
        """Say whether all that was not cancelled or sent back before has come there."""
        here, gone = self.reached_by_lines(stage), self._gone(stage)
        if not here:
            return None
        beyond = stages.beyond(stage)
        for line in self.lines:
            done = line.quantity if line.status in beyond else here.get(line.id, 0)
            if done < line.quantity - gone.get(line.id, 0):
                return None
        return Reached(at=self._completed_at(stage), lines=tuple(sorted(here)))

    def _completed_at(self, stage: str) -> datetime | None:
        names = stages.names_of(stage)
        if any(line.status in names for line in self.lines):
            # Oscar keeps no date of a line's status.
            return None
        of_stage = [one.at for one in self._happenings(stage) if one.name in names]
        return max(of_stage, default=None)

    def _left(self, stage: str) -> tuple[int, ...]:
        gone = self._gone(stage)
        return tuple(sorted(line.id for line in self.lines if gone.get(line.id, 0) < line.quantity))

    def _gone(self, stage: str) -> dict[int, int]:
        """Return how many of each line need not come to a stage any more."""
        out = [one for one in stages.OVER if one != stage]
        gone: dict[int, int] = defaultdict(int)
        if stage in stages.OVER:
            # What was cancelled before it was paid is not given back.
            out = [stages.CANCELLED] if stage == stages.REFUNDED else []
        for one in out:
            for line_id, quantity in self.reached_by_lines(one).items():
                gone[line_id] = max(gone[line_id], quantity)
        return gone

    def _by_events(self, stage: str) -> dict[int, int]:
        names = stages.names_of(stage)
        counted: dict[int, int] = defaultdict(int)
        for one in self._happenings(stage):
            if one.name in names:
                for line_id, quantity in one.quantities.items():
                    counted[line_id] += quantity
        return counted

    def _happenings(self, stage: str) -> tuple[Happening, ...]:
        if stage == stages.PAID:
            # A checkout writes every line to each payment, also to one in part: amounts tell.
            return ()
        return (*self.shipping, *self.payments) if stage in stages.OVER else self.shipping


def read(order_ids: Collection[int]) -> dict[int, Seen]:
    """Read orders by id, in nine queries for any number."""
    lines: dict[int, list[Line]] = defaultdict(list)
    for row in (
        tables.rows("order", "Line")
        .filter(order_id__in=order_ids)
        .order_by("pk")
        .values(
            "pk", "order_id", "product_id", "quantity", "status", "title", "line_price_incl_tax"
        )
    ):
        line = Line(
            id=row["pk"],
            product_id=row["product_id"],
            quantity=row["quantity"],
            status=row["status"] or "",
            title=row["title"],
            price=row["line_price_incl_tax"],
        )
        lines[row["order_id"]].append(line)
    changes: dict[int, list[Change]] = defaultdict(list)
    for pk, order_id, old, new, at in (
        tables.rows("order", "OrderStatusChange")
        .filter(order_id__in=order_ids)
        .order_by("pk")
        .values_list("pk", "order_id", "old_status", "new_status", "date_created")
    ):
        changes[order_id].append(Change(id=pk, old=old, new=new, at=at))
    shipping = _happenings("ShippingEvent", "notes", order_ids)
    payments = _happenings("PaymentEvent", "reference", order_ids, "amount")
    money = {
        row["order_id"]: (row["debited"] or Decimal(0), row["refunded"] or Decimal(0))
        for row in tables.rows("payment", "Source")
        .order_by()
        .filter(order_id__in=order_ids)
        .values("order_id")
        .annotate(debited=Sum("amount_debited"), refunded=Sum("amount_refunded"))
    }
    rows = (
        tables.orders()
        .filter(pk__in=order_ids)
        .select_related("user", "shipping_address", "billing_address")
    )
    nothing = (Decimal(0), Decimal(0))
    return {
        order.pk: Seen(
            order=order,
            lines=tuple(lines[order.pk]),
            changes=tuple(changes[order.pk]),
            shipping=tuple(shipping[order.pk]),
            payments=tuple(payments[order.pk]),
            debited=money.get(order.pk, nothing)[0],
            refunded=money.get(order.pk, nothing)[1],
        )
        for order in rows
    }


def _happenings(
    model: str, reference: str, order_ids: Collection[int], *more: str
) -> dict[int, list[Happening]]:
    events = tables.rows("order", model).filter(order_id__in=order_ids).order_by("pk")
    quantities: dict[int, dict[int, int]] = defaultdict(dict)
    for event_id, line_id, quantity in (
        tables.rows("order", f"{model}Quantity")
        .filter(event__order_id__in=order_ids)
        .values_list("event_id", "line_id", "quantity")
    ):
        quantities[event_id][line_id] = quantity
    found: dict[int, list[Happening]] = defaultdict(list)
    for row in events.values(
        "pk", "order_id", "event_type__name", "date_created", reference, *more
    ):
        found[row["order_id"]].append(
            Happening(
                id=row["pk"],
                name=row["event_type__name"],
                at=row["date_created"],
                quantities=quantities[row["pk"]],
                amount=row.get("amount", Decimal(0)),
                reference=row[reference],
            )
        )
    return found


def fingerprints(order_ids: Collection[int]) -> dict[int, str]:
    """Return what changes with anything that `read` reads, counted by the database: 6 queries."""
    parts: dict[int, list[str]] = defaultdict(list)
    for pk, status in tables.orders().filter(pk__in=order_ids).values_list("pk", "status"):
        parts[pk].append(f"status {status}")
    of = {"order_id__in": order_ids}
    lines = tables.rows("order", "Line").order_by("order_id", "status").filter(**of)
    _add(
        parts,
        "line",
        # Which lines have a status, and not only how many: two may have changed places.
        lines.values("order_id", "status").annotate(n=Count("pk"), ids=Sum("pk")),
    )
    changes = tables.rows("order", "OrderStatusChange").order_by().filter(**of)
    _add(parts, "change", changes.values("order_id").annotate(n=Count("pk"), last=Max("pk")))
    for model in ("ShippingEvent", "PaymentEvent"):
        events = tables.rows("order", model).order_by().filter(**of)
        counted = events.values("order_id").annotate(
            n=Count("pk", distinct=True), last=Max("pk"), units=Sum("line_quantities__quantity")
        )
        _add(parts, model, counted)
    money = tables.rows("payment", "Source").order_by().filter(**of)
    _add(
        parts,
        "money",
        money.values("order_id").annotate(d=Sum("amount_debited"), r=Sum("amount_refunded")),
    )
    return {
        pk: blake2b("\n".join(said).encode(), digest_size=20).hexdigest()
        for pk, said in parts.items()
        if said[0].startswith("status ")
    }


def _add(parts: Mapping[int, list[str]], name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        if row["order_id"] in parts:
            said = ", ".join(f"{key} {value}" for key, value in row.items() if key != "order_id")
            parts[row["order_id"]].append(f"{name} {said}")
