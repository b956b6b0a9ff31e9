"""Vouchers that are taken back: those that nobody was told of, and those that were used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from oscar.core.loading import get_model

from ...models import (
    DispatchState,
    EnrollmentState,
    Message,
    MessageItem,
    MessageState,
    VoucherGrant,
)
from ...models.sql import database_for
from .. import tables


def revoke(message_ids: Sequence[int], now: datetime) -> None:
    """Delete the vouchers of messages that never left; a used one stays in the shop's books."""
    gone = (DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN)
    left = Message.objects.filter(pk__in=message_ids, dispatches__state__in=gone).values("pk")
    with transaction.atomic(using=database_for(VoucherGrant)):
        for grant in VoucherGrant.objects.filter(
            message_id__in=message_ids, revoked_at=None
        ).exclude(message_id__in=left):
            _take_back(grant, now)
    # A letter that never leaves tells nobody of what a step granted either.
    revoke_untold(
        MessageItem.objects.filter(message_id__in=message_ids).values("enrollment_id"), now
    )


def revoke_untold(enrollment_ids: Sequence[int] | QuerySet[Any, Any], now: datetime) -> None:
    """Delete what Voucher steps granted to those who left before a message could tell of it."""
    told = (MessageState.PLANNED, MessageState.SENT, MessageState.UNKNOWN)
    may_tell = MessageItem.objects.filter(
        enrollment=OuterRef("enrollment"),
        message__planned_at__gte=OuterRef("created_at"),
        message__state__in=told,
    )
    with transaction.atomic(using=database_for(VoucherGrant)):
        for grant in VoucherGrant.objects.filter(
            ~Exists(may_tell),
            enrollment_id__in=enrollment_ids,
            enrollment__state=EnrollmentState.ENDED,
            revoked_at=None,
        ):
            _take_back(grant, now)


def _take_back(grant: VoucherGrant, now: datetime) -> None:
    unused = tables.rows("voucher", "Voucher").filter(
        pk=grant.voucher_id, applications__isnull=True
    )
    unused.delete()
    VoucherGrant.objects.filter(pk=grant.pk).update(voucher_id=None, revoked_at=now)


def free_other_baskets(order_numbers: Sequence[str]) -> int:
    """Take granted vouchers that these orders used out of all other baskets; return how many.

    "Single use" holds for all baskets together: the second one could never be ordered.
    """
    if not order_numbers:
        return 0
    used = dict(
        tables.rows("voucher", "VoucherApplication")
        .filter(order__number__in=order_numbers)
        .values_list("voucher_id", "order__basket_id")
    )
    granted = VoucherGrant.objects.filter(voucher_id__in=used).values_list("voucher_id", flat=True)
    through = get_model("basket", "Basket")._meta.get_field("vouchers").remote_field.through
    freed = 0
    for voucher_id in granted:
        deleted, _by_model = (
            tables.rows(through._meta.app_label, through._meta.model_name)
            .filter(voucher_id=voucher_id, basket__status__in=(*tables.ALIVE, "Saved"))
            .exclude(basket_id=used[voucher_id])
            .delete()
        )
        freed += deleted
    return freed
