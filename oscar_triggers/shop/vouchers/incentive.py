"""Personal vouchers as the incentive of Send and Voucher steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from oscar.core.loading import get_model

from ...content.values import Money
from ...engine.incentives import Limited
from ...exceptions import Problem
from ...models import VoucherGrant, light
from ...models.questions import Among
from .. import tables
from . import granting, revoking
from .terms import VoucherOptions, plain

NAME = "voucher"


class PersonalVoucher:
    """The incentive "voucher": a share or an amount off the basket, for one order."""

    def problems(self, options: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with a Send step's options."""
        try:
            VoucherOptions.read(options)
        except ValueError as error:
            return [Problem(where=NAME, message=str(error))]
        return []

    def grant(
        self, message_id: int, contact_id: int | None, options: Mapping[str, Any], now: datetime
    ) -> Mapping[str, Any] | Limited:
        """Make the grant of a message, or return the one it has, as merge values."""
        wanted = VoucherOptions.read(options)
        grant = granting.grant({"message_id": message_id}, wanted, contact_id, now)
        if isinstance(grant, Limited):
            return grant
        return _values(grant.code, wanted.percent, wanted.amount, grant.expires_at)

    def grant_for_step(
        self,
        enrollment_id: int,
        step_key: str,
        pass_no: int,
        contact_id: int,
        options: Mapping[str, Any],
        now: datetime,
    ) -> VoucherGrant | Limited:
        """Make the grant of an enrollment's coming to a Voucher step, or return the one it has."""
        place = {"enrollment_id": enrollment_id, "step_key": step_key, "pass_no": pass_no}
        return granting.grant(place, VoucherOptions.read(options), contact_id, now)

    def granted_to(self, enrollment_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the merge values of what steps granted, by enrollment; the newest counts."""
        grants = _GRANTED.read({"enrollments": enrollment_ids})
        if not grants:
            return {}
        worth = {
            pk: (kind, value)
            for pk, kind, value in tables.rows("voucher", "Voucher")
            .filter(pk__in=[grant.voucher_id for grant in grants])
            .values_list("pk", "offers__benefit__type", "offers__benefit__value")
        }
        fixed = get_model("offer", "Benefit").FIXED
        values = {}
        for grant in grants:
            if grant.enrollment_id is None:
                continue
            kind, value = worth.get(grant.voucher_id, (None, None))
            is_amount = kind == fixed
            values[grant.enrollment_id] = _values(
                grant.code,
                None if is_amount else value or Decimal(0),
                value if is_amount else None,
                grant.expires_at,
            )
        return values

    def rehearse(self, options: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
        """Return merge values with a code that no voucher has."""
        wanted = VoucherOptions.read(options)
        return _values(granting.new_code(), wanted.percent, wanted.amount, now + wanted.valid)

    def revoke_untold(self, enrollment_ids: Sequence[int], now: datetime) -> None:
        """Take back what steps granted to enrollments that ended before a message told of it."""
        revoking.revoke_untold(enrollment_ids, now)

    def revoke(self, message_ids: Sequence[int], now: datetime) -> None:
        """Take back the vouchers of messages that were never sent and never used."""
        revoking.revoke(message_ids, now)


_GRANTED = light.Reader(
    VoucherGrant,
    ("enrollment_id", "voucher_id", "code", "expires_at"),
    lambda rows: rows.filter(
        Among("enrollment_id", "enrollments"), voucher_id__isnull=False, revoked_at=None
    ).order_by("created_at", "pk"),
)


def _values(
    code: str, percent: Decimal | None, amount: Decimal | None, expires_at: datetime
) -> dict[str, Any]:
    said: Any = "" if percent is None else f"{plain(percent)}%"
    if amount is not None:
        said = Money(amount=amount, currency=settings.OSCAR_DEFAULT_CURRENCY)
    return {
        "code": code,
        "percent": "" if percent is None else plain(percent),
        "amount": said,
        "expires": expires_at,
    }
