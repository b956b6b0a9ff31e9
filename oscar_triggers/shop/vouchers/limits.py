"""How many vouchers a step may give in a calendar month, and how much discount."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from ...conf import order_stage_names
from ...engine.incentives import Limited
from ...models import Message, VoucherGrant
from ...models.sql import database_for
from .. import tables
from .terms import BUDGET_USED, MONTH_FULL, VoucherOptions, plain

#: Grants of one step wait for each other under locks of this family.
_LOCKS = 0x7472_6776 << 32


@dataclass(frozen=True, kw_only=True)
class Place:
    """The step of a flow that gives vouchers, over all versions of the flow."""

    flow_id: int
    step_key: str


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a step gave in a calendar month so far."""

    #: Vouchers that were given and not taken back.
    given: int
    #: Discount of this month's orders that were not cancelled, and the amounts that are promised and not over.
    discount: Decimal
    currency: str
    begins: datetime


def place_of(place: Mapping[str, Any]) -> Place | None:
    """Return the step for which a grant is made; None where staff grant one."""
    found: tuple[int | None, str] | None
    if "enrollment_id" in place:
        grants = VoucherGrant.objects.filter(**place)
        found = grants.values_list("enrollment__flow_id", "step_key").first()
    else:
        messages = Message.objects.filter(pk=place["message_id"])
        found = messages.values_list("flow_id", "step_key").first()
    flow_id, step_key = found or (None, "")
    return Place(flow_id=flow_id, step_key=step_key) if flow_id is not None else None


def one_at_a_time(place: Place) -> None:
    """Let two workers that grant for one step wait for each other; SQLite's writers do anyway."""
    connection = connections[database_for(VoucherGrant)]
    if connection.vendor != "postgresql":
        return
    number = zlib.crc32(f"{place.flow_id}:{place.step_key}".encode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCKS | number])


def used_up(place: Place, wanted: VoucherOptions, now: datetime) -> Limited | None:
    """Return why a step may not give one more this month; None where it may."""
    used = used_by(place, wanted, now)
    compared = {"month": timezone.localtime(used.begins, _zone()).strftime("%Y-%m")}
    if wanted.monthly_limit is not None and used.given >= wanted.monthly_limit:
        return Limited(
            reason=MONTH_FULL,
            compared={**compared, "given": used.given, "most": wanted.monthly_limit},
        )
    budget = wanted.monthly_budget
    # Of a share nobody knows what it will cost: it is given until the budget is gone.
    if budget is not None and (
        used.discount + (wanted.amount or Decimal(0)) > budget or used.discount >= budget
    ):
        return Limited(
            reason=BUDGET_USED,
            compared={
                **compared,
                "discount": plain(used.discount),
                "budget": plain(budget),
                "currency": used.currency,
            },
        )
    return None


def used_by(place: Place, wanted: VoucherOptions, now: datetime) -> Used:
    """Return what a step gave in the month of a moment."""
    begins = month_of(now)
    grants = VoucherGrant.objects.filter(
        Q(enrollment__flow_id=place.flow_id, step_key=place.step_key)
        | Q(message__flow_id=place.flow_id, message__step_key=place.step_key),
        voucher_id__isnull=False,
        revoked_at=None,
    )
    return Used(
        given=grants.filter(created_at__gte=begins).count(),
        discount=_discount(grants, begins) + _promised(grants, wanted, now),
        currency=settings.OSCAR_DEFAULT_CURRENCY,
        begins=begins,
    )


def month_of(now: datetime) -> datetime:
    """Return when the calendar month of a moment began in the shop's time zone."""
    local = timezone.localtime(now, _zone())
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _zone() -> Any:
    return timezone.get_default_timezone()


def _discount(grants: QuerySet[VoucherGrant], begins: datetime) -> Decimal:
    found = (
        tables.rows("order", "OrderDiscount")
        .filter(voucher_id__in=grants.values("voucher_id"), order__date_placed__gte=begins)
        # What was cancelled cost the shop nothing.
        .exclude(order__status__in=order_stage_names("cancelled"))
        .aggregate(total=Sum("amount"))
    )
    return Decimal(found["total"] or 0)


def _promised(grants: QuerySet[VoucherGrant], wanted: VoucherOptions, now: datetime) -> Decimal:
    """Return the amounts that may still be asked of the shop."""
    if wanted.amount is None:
        return Decimal(0)
    applied = tables.rows("voucher", "VoucherApplication").values("voucher_id")
    return wanted.amount * grants.filter(expires_at__gt=now).exclude(voucher_id__in=applied).count()
