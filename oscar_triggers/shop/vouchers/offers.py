"""Oscar's rows of a voucher: one offer for all vouchers of the same terms, one row for a person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import pgettext
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency

from ...models import VoucherGrant
from ...models.sql import database_for
from .. import tables
from .goods import everything, range_of
from .reduced import BENEFIT
from .terms import VoucherOptions, plain

#: Oscar asks the shop's clock whether a voucher has begun, and grants are dated by another one.
_CLOCKS_DIFFER = timedelta(minutes=10)
#: Before the shop's own offers, or an exclusive one would take the items first and Oscar would
#: drop the code as one that gives no discount.
_PRIORITY = 1_000
#: After them, where goods that they reduce stay as they are.
_AFTER_ALL_OTHERS = -1_000_000


def make_voucher(
    grant: VoucherGrant, wanted: VoucherOptions, category_ids: Collection[int], start: Any
) -> Any:
    """Make Oscar's voucher of a grant, on the offer of its terms."""
    model = get_model("voucher", "Voucher")
    offer = _offer(wanted, category_ids)
    # No voucher set: editing one in the dashboard would overwrite every personal expiry.
    voucher = model._default_manager.using(database_for(model)).create(
        name=f"{_title(wanted)} · {grant.code}",
        code=grant.code,
        usage=model.SINGLE_USE,
        start_datetime=start - _CLOCKS_DIFFER,
        end_datetime=grant.expires_at,
    )
    voucher.offers.add(offer)
    return voucher


def _offer(wanted: VoucherOptions, category_ids: Collection[int]) -> Any:
    """Return the shop's offer for personal vouchers of these terms, made at the first grant."""
    goods, whole = range_of(category_ids), everything()
    present = _present_offer(wanted, goods, whole)
    if present is not None:
        return present
    try:
        with transaction.atomic(using=database_for(get_model("offer", "ConditionalOffer"))):
            return _make_offer(wanted, goods, whole)
    except IntegrityError:
        # Another worker's first grant made it meanwhile: names are unique.
        present = _present_offer(wanted, goods, whole)
        if present is None:
            raise
        return present


def _present_offer(wanted: VoucherOptions, goods: Any, whole: Any) -> Any | None:
    offer, _benefit, _condition = _models()
    terms = {f"benefit__{name}": value for name, value in _benefit_of(wanted, goods).items()}
    terms |= {
        f"condition__{name}": value for name, value in _condition_of(wanted, goods, whole).items()
    }
    return (
        tables.rows("offer", "ConditionalOffer")
        .filter(
            name__startswith=_title(wanted),
            offer_type=offer.VOUCHER,
            # Suspended in the dashboard: this one no longer gives what we promise.
            status=offer.OPEN,
            **terms,
        )
        .order_by("pk")
        .first()
    )


def _make_offer(wanted: VoucherOptions, goods: Any, whole: Any) -> Any:
    offer, benefit, condition = _models()
    title = _title(wanted)
    taken = tables.rows("offer", "ConditionalOffer").filter(name__startswith=title).count()
    using = database_for(offer)
    return offer._default_manager.using(using).create(
        name=title if not taken else f"{title} ({taken + 1})",
        offer_type=offer.VOUCHER,
        condition=condition._default_manager.using(using).create(
            **_condition_of(wanted, goods, whole)
        ),
        benefit=benefit._default_manager.using(using).create(**_benefit_of(wanted, goods)),
        # Not on top of another offer for the same item: the promise is one share off.
        exclusive=True,
        priority=_AFTER_ALL_OTHERS if wanted.exclude_reduced else _PRIORITY,
        max_basket_applications=1,
    )


def _benefit_of(wanted: VoucherOptions, goods: Any) -> dict[str, Any]:
    _offer, benefit, _condition = _models()
    return {
        "range": goods,
        "type": benefit.PERCENTAGE if wanted.percent is not None else benefit.FIXED,
        "value": wanted.percent if wanted.percent is not None else wanted.amount,
        "proxy_class": BENEFIT if wanted.exclude_reduced else None,
    }


def _condition_of(wanted: VoucherOptions, goods: Any, whole: Any) -> dict[str, Any]:
    _offer, _benefit, condition = _models()
    if wanted.minimum is not None:
        return {"range": whole, "type": condition.VALUE, "value": wanted.minimum}
    return {"range": goods, "type": condition.COUNT, "value": Decimal(1)}


def _models() -> tuple[Any, Any, Any]:
    return (
        get_model("offer", "ConditionalOffer"),
        get_model("offer", "Benefit"),
        get_model("offer", "Condition"),
    )


def _title(wanted: VoucherOptions) -> str:
    """Return what customers read in the basket, in the shop's language."""
    with translation.override(settings.LANGUAGE_CODE):
        if wanted.percent is not None:
            return pgettext("triggers", "Your personal %(percent)s%% voucher") % {
                "percent": plain(wanted.percent)
            }
        return pgettext("triggers", "Your personal voucher of %(amount)s") % {
            "amount": currency(wanted.amount)
        }
