"""Personal vouchers: one grant for each message, single-use, expiring, revoked if never sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import pgettext
from oscar.core.loading import get_model

from ..engine import incentives
from ..exceptions import Problem
from ..kinds import parse_duration
from ..models import DispatchState, Message, VoucherGrant
from ..models.sql import database_for, insert_or_ignore
from . import tables

NAME = "voucher"

#: Without what is easily misread: 32 characters are 5 bits each.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS = 3
_GROUP_LENGTH = 4
#: Oscar asks the shop's clock whether a voucher has begun, and grants are dated by another one.
_CLOCKS_DIFFER = timedelta(minutes=10)
_DEFAULT_VALID = timedelta(days=3)
#: Before the shop's own offers, or an exclusive one would take the items first and Oscar would
#: drop the code as one that gives no discount.
_PRIORITY = 1_000


@dataclass(frozen=True, kw_only=True)
class VoucherOptions:
    """What a Send step promises."""

    percent: Decimal
    valid: timedelta = _DEFAULT_VALID

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> VoucherOptions:
        """Read a step's options; raises ValueError saying what does not fit."""
        unknown = sorted(set(options) - {"percent", "valid"})
        if unknown:
            raise ValueError(
                pgettext("triggers", "has no option %(unknown)s (it has: percent, valid)")
                % {"unknown": ", ".join(unknown)}
            )
        try:
            percent = Decimal(str(options.get("percent", "")))
        except InvalidOperation:
            raise ValueError(
                pgettext("triggers", "needs 'percent', a number from 1 to 100")
            ) from None
        if not 0 < percent <= 100:
            raise ValueError(pgettext("triggers", "'percent' must be above 0 and at most 100"))
        valid = options.get("valid", _DEFAULT_VALID)
        if not isinstance(valid, timedelta):
            valid = parse_duration(str(valid))
        if valid < timedelta(hours=1):
            raise ValueError(pgettext("triggers", "'valid' must be one hour or longer"))
        return cls(percent=percent, valid=valid)


class PersonalVoucher:
    """The incentive "voucher" of a Send step: a share off the basket, for one order."""

    def problems(self, options: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with a Send step's options."""
        try:
            VoucherOptions.read(options)
        except ValueError as error:
            return [Problem(where=NAME, message=str(error))]
        return []

    def grant(
        self, message_id: int, contact_id: int | None, options: Mapping[str, Any], now: datetime
    ) -> Mapping[str, Any]:
        """Make the grant of a message, or return the one it has, as merge values."""
        wanted = VoucherOptions.read(options)
        grant = grant_for_message(
            message_id, percent=wanted.percent, valid=wanted.valid, now=now, contact_id=contact_id
        )
        return {
            "code": grant.code,
            "percent": _plain(wanted.percent),
            "amount": f"{_plain(wanted.percent)}%",
            "expires": grant.expires_at,
        }

    def revoke(self, message_ids: Sequence[int], now: datetime) -> None:
        """Take back the vouchers of messages that were never sent and never used."""
        revoke(message_ids, now)


def register() -> None:
    """Offer vouchers to Send steps."""
    if NAME not in incentives.registry:
        incentives.registry.add(NAME, PersonalVoucher())


def grant_for_message(
    message_id: int,
    *,
    percent: Decimal,
    valid: timedelta,
    now: datetime,
    contact_id: int | None = None,
) -> VoucherGrant:
    """Return the one voucher of a message; two workers at once get the same one."""
    with transaction.atomic(using=database_for(VoucherGrant)):
        insert_or_ignore(
            VoucherGrant,
            [
                {
                    "message_id": message_id,
                    "contact_id": contact_id,
                    "code": new_code(),
                    "expires_at": now + valid,
                    "created_at": now,
                }
            ],
            conflict="message",
        )
        grant = VoucherGrant.objects.select_for_update().get(message_id=message_id)
        if grant.voucher_id is None:
            if grant.revoked_at is not None:
                grant.code, grant.revoked_at = new_code(), None
                grant.expires_at = now + valid
            grant.voucher_id = _make_voucher(grant, percent, now).pk
            grant.save()
        return grant


def revoke(message_ids: Sequence[int], now: datetime) -> None:
    """Delete the vouchers of messages that never left; a used one stays in the shop's books."""
    gone = (DispatchState.SENDING, DispatchState.SENT, DispatchState.UNKNOWN)
    left = Message.objects.filter(pk__in=message_ids, dispatches__state__in=gone).values("pk")
    with transaction.atomic(using=database_for(VoucherGrant)):
        for grant in VoucherGrant.objects.filter(
            message_id__in=message_ids, revoked_at=None
        ).exclude(message_id__in=left):
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


def new_code() -> str:
    """Return a code of 60 random bits that is easy to type: "K7QD-M2WX-94HC"."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _make_voucher(grant: VoucherGrant, percent: Decimal, now: datetime) -> Any:
    model = get_model("voucher", "Voucher")
    offer = _offer(percent)
    # No voucher set: editing one in the dashboard would overwrite every personal expiry.
    voucher = model._default_manager.using(database_for(model)).create(
        name=f"{_title(percent)} · {grant.code}",
        code=grant.code,
        usage=model.SINGLE_USE,
        start_datetime=now - _CLOCKS_DIFFER,
        end_datetime=grant.expires_at,
    )
    voucher.offers.add(offer)
    return voucher


def _offer(percent: Decimal) -> Any:
    """Return the shop's offer for personal vouchers of this share, made at the first grant."""
    present = _present_offer(percent)
    if present is not None:
        return present
    try:
        with transaction.atomic(using=database_for(get_model("offer", "ConditionalOffer"))):
            return _make_offer(percent)
    except IntegrityError:
        # Another worker's first grant made it meanwhile: names are unique.
        present = _present_offer(percent)
        if present is None:
            raise
        return present


def _present_offer(percent: Decimal) -> Any | None:
    offer, benefit, condition = _models()
    return (
        tables.rows("offer", "ConditionalOffer")
        .filter(
            name__startswith=_title(percent),
            offer_type=offer.VOUCHER,
            benefit__type=benefit.PERCENTAGE,
            benefit__value=percent,
            condition__type=condition.COUNT,
            condition__value=1,
            # Suspended in the dashboard: this one no longer gives what we promise.
            status=offer.OPEN,
        )
        .order_by("pk")
        .first()
    )


def _make_offer(percent: Decimal) -> Any:
    offer, benefit, condition = _models()
    title = _title(percent)
    taken = tables.rows("offer", "ConditionalOffer").filter(name__startswith=title).count()
    everything = _everything()
    using = database_for(offer)
    return offer._default_manager.using(using).create(
        name=title if not taken else f"{title} ({taken + 1})",
        offer_type=offer.VOUCHER,
        condition=condition._default_manager.using(using).create(
            range=everything, type=condition.COUNT, value=1
        ),
        benefit=benefit._default_manager.using(using).create(
            range=everything, type=benefit.PERCENTAGE, value=percent
        ),
        # Not on top of another offer for the same item: the promise is one share off.
        exclusive=True,
        priority=_PRIORITY,
        max_basket_applications=1,
    )


def _models() -> tuple[Any, Any, Any]:
    return (
        get_model("offer", "ConditionalOffer"),
        get_model("offer", "Benefit"),
        get_model("offer", "Condition"),
    )


def _everything() -> Any:
    model = get_model("offer", "Range")
    present = (
        tables.rows("offer", "Range")
        .filter(includes_all_products=True, proxy_class=None)
        .order_by("pk")
        .first()
    )
    if present is not None:
        return present
    with translation.override(settings.LANGUAGE_CODE):
        name = pgettext("triggers", "Everything in the shop")
    return model._default_manager.using(database_for(model)).create(
        name=name, includes_all_products=True
    )


def _title(percent: Decimal) -> str:
    """Return what customers read in the basket, in the shop's language."""
    with translation.override(settings.LANGUAGE_CODE):
        return pgettext("triggers", "Your personal %(percent)s%% voucher") % {
            "percent": _plain(percent)
        }


def _plain(percent: Decimal) -> str:
    return f"{percent.normalize():f}"
