"""How baskets stand in Oscar's tables now, read for a whole batch at once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from . import tables


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One basket as it stands now."""

    basket_id: int
    owner_id: Any
    status: str
    #: Number of the order that came from it, "" while there is none.
    order_number: str
    line_count: int
    #: "<number of lines>:<hash of lines, quantities, vouchers and owner>".
    fingerprint: str
    #: When a line was last saved; None without lines. Removals, vouchers, QuerySet.update and
    #: bulk imports leave no date.
    touched_at: datetime | None
    #: What the lines cost when they were put in.
    value: Decimal
    currency: str


def look(basket_ids: Collection[int]) -> dict[int, Seen]:
    """Return baskets by id, in four queries; those that were deleted are missing."""
    heads = tables.baskets().filter(pk__in=basket_ids).values_list("pk", "owner_id", "status")
    lines: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for line in (
        tables.basket_lines()
        .filter(basket_id__in=basket_ids, quantity__gt=0)
        .values_list(
            "basket_id",
            "line_reference",
            "product_id",
            "stockrecord_id",
            "quantity",
            "date_updated",
            "price_incl_tax",
            "price_excl_tax",
            "price_currency",
        )
    ):
        lines[line[0]].append(line[1:])
    vouchers = _vouchers(basket_ids)
    numbers = dict(
        tables.orders().filter(basket_id__in=basket_ids).values_list("basket_id", "number")
    )
    return {
        pk: _seen(pk, owner_id, status, lines[pk], vouchers[pk], str(numbers.get(pk, "")))
        for pk, owner_id, status in heads
    }


def line_count_of(fingerprint: str) -> int:
    """Return how many lines a basket had when its fingerprint was taken."""
    count, _, _hash = fingerprint.partition(":")
    return int(count) if count.isdigit() else 0


def _vouchers(basket_ids: Collection[int]) -> dict[int, list[int]]:
    through = get_model("basket", "Basket")._meta.get_field("vouchers").remote_field.through
    found: dict[int, list[int]] = defaultdict(list)
    rows = (
        tables.rows(through._meta.app_label, through._meta.model_name)
        .filter(basket_id__in=basket_ids)
        .values_list("basket_id", "voucher_id")
    )
    for basket_id, voucher_id in rows:
        found[basket_id].append(voucher_id)
    return found


def _seen(
    basket_id: int,
    owner_id: Any,
    status: str,
    lines: list[tuple[Any, ...]],
    vouchers: list[int],
    order_number: str,
) -> Seen:
    content = [sorted(map(str, (line[:4] for line in lines))), sorted(vouchers), str(owner_id)]
    digest = hashlib.blake2b(repr(content).encode(), digest_size=14).hexdigest()
    value = Decimal(0)
    for _reference, _product, _record, quantity, _date, incl_tax, excl_tax, _currency in lines:
        price = incl_tax if incl_tax is not None else excl_tax
        value += quantity * (price or Decimal(0))
    return Seen(
        basket_id=basket_id,
        owner_id=owner_id,
        status=status,
        order_number=order_number,
        line_count=len(lines),
        fingerprint=f"{len(lines)}:{digest}",
        touched_at=max((line[4] for line in lines), default=None),
        value=value,
        currency=lines[0][7] if lines else "",
    )
