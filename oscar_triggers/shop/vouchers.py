"""Personal vouchers: one grant for each message or step, single-use, expiring, revoked if untold."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import translation
from django.utils.translation import pgettext
from oscar.core.loading import get_model

from ..conf import triggers_settings
from ..engine import incentives
from ..engine.incentives import Limited
from ..exceptions import Problem
from ..kinds import parse_duration
from ..models import (
    Contact,
    DispatchState,
    EnrollmentState,
    Message,
    MessageItem,
    MessageState,
    VoucherGrant,
)
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
    ) -> Mapping[str, Any] | Limited:
        """Make the grant of a message, or return the one it has, as merge values."""
        wanted = VoucherOptions.read(options)
        grant = _grant({"message_id": message_id}, wanted, contact_id, now)
        if isinstance(grant, Limited):
            return grant
        return _values(grant.code, wanted.percent, grant.expires_at)

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
        return _grant(place, VoucherOptions.read(options), contact_id, now)

    def granted_to(self, enrollment_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the merge values of what steps granted, by enrollment; the newest counts."""
        grants = list(
            VoucherGrant.objects.filter(
                enrollment_id__in=enrollment_ids, voucher_id__isnull=False, revoked_at=None
            ).order_by("created_at", "pk")
        )
        if not grants:
            return {}
        percents = dict(
            tables.rows("voucher", "Voucher")
            .filter(pk__in=[grant.voucher_id for grant in grants])
            .values_list("pk", "offers__benefit__value")
        )
        return {
            grant.enrollment_id: _values(
                grant.code, percents.get(grant.voucher_id) or Decimal(0), grant.expires_at
            )
            for grant in grants
            if grant.enrollment_id is not None
        }

    def rehearse(self, options: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
        """Return merge values with a code that no voucher has."""
        wanted = VoucherOptions.read(options)
        return _values(new_code(), wanted.percent, now + wanted.valid)

    def revoke_untold(self, enrollment_ids: Sequence[int], now: datetime) -> None:
        """Take back what steps granted to enrollments that ended before a message told of it."""
        revoke_untold(enrollment_ids, now)

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
    """Return the one voucher of a message; two workers at once get the same one.

    Staff may grant more often than flows do: without a contact, nothing is counted.
    """
    granted = _grant(
        {"message_id": message_id}, VoucherOptions(percent=percent, valid=valid), contact_id, now
    )
    if isinstance(granted, Limited):
        raise ValueError(
            f"Contact {contact_id} was granted a voucher lately (OSCAR_TRIGGERS"
            "['INCENTIVE_EVERY']); grant it without a contact to grant it all the same."
        )
    return granted


def _grant(
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
        _one_at_a_time(contact_id)
        grant = VoucherGrant.objects.select_for_update().get(**place)
        if grant.voucher_id is not None:
            return grant
        limited = _granted_lately(grant, now)
        if limited is not None:
            if made:
                grant.delete()
            return limited
        if grant.revoked_at is not None:
            grant.code, grant.revoked_at = new_code(), None
            grant.created_at, grant.expires_at = now, now + wanted.valid
        grant.voucher_id = _make_voucher(grant, wanted.percent, now).pk
        grant.save()
        return grant


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


def _values(code: str, percent: Decimal, expires_at: datetime) -> dict[str, Any]:
    return {
        "code": code,
        "percent": _plain(percent),
        "amount": f"{_plain(percent)}%",
        "expires": expires_at,
    }


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
