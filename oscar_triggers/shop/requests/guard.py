"""What keeps a letter to somebody who waited from going out: it is over, or others come first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import (
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from ...models import ExitReason, ProductRequest, RequestState
from ...policy import guards
from ...policy.guards import Consequence, Refused
from ...snapshots import Subject
from .. import tables
from ..guards import SOLD_OUT
from .events import ABOUT_REQUEST

REQUEST_OVER = "request_over"


@guards.register
class RequestGuard(guards.SendGuard):
    """No letter to somebody who asked no longer, and none of units that others were told of first.

    Of five who were told of five units, the last two are not written to when two are sold
    meanwhile: they wait again, at their place.
    """

    name = "request"
    about_types = frozenset({ABOUT_REQUEST})

    def refusal(self, subject: Subject, observed: Mapping[str, Any]) -> Q | None:
        """Say it in the database."""
        request_id = _number(subject)
        if request_id is None:
            return None
        refused = ~Q(Exists(_meant(subject, request_id)))
        record_id = subject.payload.get("stock_record_id")
        if _is_turn(subject) and record_id is not None:
            refused |= Q(Exists(_too_few(subject, request_id, int(record_id))))
        return refused

    def explain(
        self, subject: Subject, observed: Mapping[str, Any], now: datetime
    ) -> Refused | None:
        """Say what was found."""
        request_id = _number(subject)
        if request_id is None:
            return None
        if not _meant(subject, request_id).exists():
            found = ProductRequest.objects.filter(pk=request_id).values("state", "wave").first()
            return Refused(
                reason=REQUEST_OVER,
                consequence=Consequence.EXIT,
                exit_reason=ExitReason.SUPERSEDED,
                compared={"request": request_id, **(found or {"state": "deleted"})},
            )
        record_id = subject.payload.get("stock_record_id")
        if not _is_turn(subject) or record_id is None:
            return None
        short = _too_few(subject, request_id, int(record_id)).values("left", "ahead").first()
        if short is None:
            return None
        return Refused(
            reason=SOLD_OUT,
            consequence=Consequence.EXIT,
            exit_reason=ExitReason.CONDITION,
            compared={
                "stock_record": int(record_id),
                "left": short["left"],
                "promised_before": int(short["ahead"]),
                "quantity": _quantity(subject),
            },
        )


def _number(subject: Subject) -> int | None:
    return int(subject.about.id) if subject.about.id.isdigit() else None


def _is_turn(subject: Subject) -> bool:
    """Say whether the letter tells that it is this person's turn."""
    return subject.payload.get("buy_until") is not None and "wave" in subject.payload


def _quantity(subject: Subject) -> int:
    return int(subject.payload.get("quantity") or 1)


def _meant(subject: Subject, request_id: int) -> QuerySet[ProductRequest]:
    """Return the request as long as the letter's event is still true of it."""
    found = ProductRequest.objects.filter(pk=request_id)
    if _is_turn(subject):
        return found.filter(state=RequestState.TOLD, wave=int(subject.payload["wave"]))
    return found.exclude(state__in=[RequestState.CANCELLED, RequestState.BOUGHT])


def _too_few(subject: Subject, request_id: int, record_id: int) -> QuerySet[Any]:
    """Return the stock record when what is left is promised to those who come first."""
    mine = ProductRequest.objects.filter(pk=request_id)
    quantity = _quantity(subject)
    # One row by its key; Django 6.1 wants to be told so.
    told_at, created_at = (Subquery(mine.values(name)[:1]) for name in ("told_at", "created_at"))
    first = Q(told_at__lt=told_at) | (
        Q(told_at=told_at)
        & (Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=request_id))
    )
    ahead = (
        ProductRequest.objects.filter(
            first,
            state=RequestState.TOLD,
            answer_id=OuterRef("product_id"),
            buy_until__gt=told_at,
        )
        .order_by()
        .values("state")
        .annotate(units=Sum("quantity"))
        .values("units")
    )
    records: QuerySet[Any] = (
        tables.stock_records()
        .filter(pk=record_id)
        .annotate(
            left=Coalesce(F("num_in_stock"), 0) - Coalesce(F("num_allocated"), 0),
            ahead=Coalesce(Subquery(ahead, output_field=IntegerField()), Value(0)),
        )
        .filter(left__lt=F("ahead") + quantity)
        .order_by()
    )
    return records
