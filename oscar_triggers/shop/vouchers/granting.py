"""The one grant of a message or of a coming to a step; two workers at once get the same one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from ...conf import triggers_settings
from ...engine.incentives import Limited
from ...models import Contact, VoucherGrant
from ...models.sql import database_for, insert_or_ignore
from . import limits
from .goods import categories_named
from .offers import make_voucher
from .terms import GOODS_GONE, VoucherOptions

#: Without what is easily misread: 32 characters are 5 bits each.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS = 3
_GROUP_LENGTH = 4


def grant_for_message(
    message_id: int,
    *,
    percent: Decimal,
    valid: timedelta,
    now: datetime,
    contact_id: int | None = None,
) -> VoucherGrant:
    """Return the one voucher of a message; two workers at once get the same one.

    Staff may grant more often than flows do: without a contact, nothing is counted.
    """
    granted = grant(
        {"message_id": message_id}, VoucherOptions(percent=percent, valid=valid), contact_id, now
    )
    if isinstance(granted, Limited):
        raise ValueError(
            f"Contact {contact_id} was granted a voucher lately (OSCAR_TRIGGERS"
            "['INCENTIVE_EVERY']); grant it without a contact to grant it all the same."
        )
    return granted


def grant(
    place: Mapping[str, Any], wanted: VoucherOptions, contact_id: int | None, now: datetime
) -> VoucherGrant | Limited:
    """Make the one grant of a message or of a coming to a step, unless there was one lately."""
    with transaction.atomic(using=database_for(VoucherGrant)):
        # Written before anything is read: SQLite's writers are one after the other from here on.
        made = insert_or_ignore(
            VoucherGrant,
            [
                {
                    **place,
                    "contact_id": contact_id,
                    "code": new_code(),
                    "expires_at": now + wanted.valid,
                    "created_at": now,
                }
            ],
            conflict=(),
        )
        step = limits.place_of(place) if wanted.is_limited else None
        if step is not None:
            limits.one_at_a_time(step)
        _one_at_a_time(contact_id)
        row = VoucherGrant.objects.select_for_update().get(**place)
        if row.voucher_id is not None:
            return row
        category_ids = _category_ids(wanted)
        limited = (
            _granted_lately(row, now)
            or (limits.used_up(step, wanted, now) if step is not None else None)
            or (category_ids if isinstance(category_ids, Limited) else None)
        )
        if limited is not None:
            if made:
                row.delete()
            return limited
        assert not isinstance(category_ids, Limited)
        if row.revoked_at is not None:
            row.code, row.revoked_at = new_code(), None
            row.created_at, row.expires_at = now, now + wanted.valid
        row.voucher_id = make_voucher(row, wanted, category_ids, now).pk
        row.save()
        return row


def _category_ids(wanted: VoucherOptions) -> list[int] | Limited:
    """Return the categories that are still there; where all are gone, it would be for nothing."""
    found = categories_named(wanted.categories)
    ids = sorted({pk for pks in found.values() for pk in pks})
    if wanted.categories and not ids:
        return Limited(reason=GOODS_GONE, compared={"categories": ", ".join(wanted.categories)})
    return ids


def _one_at_a_time(contact_id: int | None) -> None:
    """Let two workers that grant to one person wait for each other.

    The key itself is not locked: grants that were just inserted refer to it.
    """
    if contact_id is not None and triggers_settings().incentive_every is not None:
        list(Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).values_list("pk"))


def _granted_lately(grant: VoucherGrant, now: datetime) -> Limited | None:
    every = triggers_settings().incentive_every
    if every is None or grant.contact_id is None:
        return None
    last = (
        VoucherGrant.objects.filter(
            contact_id=grant.contact_id,
            created_at__gt=now - every,
            voucher_id__isnull=False,
            revoked_at=None,
        )
        .exclude(pk=grant.pk)
        .order_by("created_at")
        .last()
    )
    if last is None:
        return None
    return Limited(
        compared={"granted_at": last.created_at, "every": every, "until": last.created_at + every}
    )


def new_code() -> str:
    """Return a code of 60 random bits that is easy to type: "K7QD-M2WX-94HC"."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)
