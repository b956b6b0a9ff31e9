"""What somebody bought of the products that a letter names, whoever they were when they did."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from ...snapshots import Subject
from .. import tables
from ..guards import matches


@dataclass(frozen=True, kw_only=True)
class Bought:
    """A product that somebody ordered."""

    product_id: int
    order: str
    placed_at: datetime
    #: "customer", "email" or "phone": by what the order is known to be theirs.
    matched_by: str


def bought_since(
    subject: Subject, product_ids: Collection[int], *, order_watermark: int, since: datetime | None
) -> dict[int, Bought]:
    """Return those products that a person ordered since; a variant counts for its parent too.

    An order counts above the watermark, or placed after `since` (both columns are indexed).
    """
    wanted = set(product_ids)
    recent = Q(pk__gt=order_watermark)
    if since is not None:
        recent |= Q(date_placed__gt=since)
    of = Q(lines__product_id__in=wanted) | Q(lines__product__parent_id__in=wanted)
    found: dict[int, Bought] = {}
    for matched_by, matching in matches(subject).items():
        rows = (
            tables.orders()
            .filter(recent, matching)
            .filter(of)
            .order_by("-pk")
            .values_list("number", "date_placed", "lines__product_id", "lines__product__parent_id")
        )
        for number, placed_at, product_id, parent_id in rows:
            for pk in {product_id, parent_id} & wanted:
                bought = Bought(
                    product_id=pk, order=str(number), placed_at=placed_at, matched_by=matched_by
                )
                found.setdefault(pk, bought)
    return found
