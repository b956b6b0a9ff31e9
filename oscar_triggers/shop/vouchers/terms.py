"""What a step promises: how much, of what, from when on, and how often in a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import pgettext

from ...engine.incentives import SEND_WITHOUT, WITHOUT
from ...kinds import parse_duration

DEFAULT_VALID = timedelta(days=3)
#: A letter that may give no voucher is not sent, unless it is to be sent without one.
SKIP = "skip"

#: Why a step gives no voucher.
MONTH_FULL = "voucher_month_full"
BUDGET_USED = "voucher_budget_used"
GOODS_GONE = "voucher_goods_gone"

_NAMES = (
    "percent",
    "amount",
    "valid",
    "minimum",
    "categories",
    "exclude_reduced",
    "monthly_limit",
    "monthly_budget",
    WITHOUT,
)
#: Oscar's columns hold ten digits before the point.
_MOST = Decimal(10) ** 10


@dataclass(frozen=True, kw_only=True)
class VoucherOptions:
    """What a Send step or a Voucher step promises; either a share or an amount."""

    percent: Decimal | None = None
    #: Off the whole basket, in the shop's currency.
    amount: Decimal | None = None
    valid: timedelta = DEFAULT_VALID
    #: What the basket must be worth.
    minimum: Decimal | None = None
    #: Numbers, slugs or names of the shop's categories; of none, everything.
    categories: tuple[str, ...] = ()
    #: Goods in an offer, or whose price fell lately, stay as they are.
    exclude_reduced: bool = False
    #: How many vouchers the step gives in a calendar month.
    monthly_limit: int | None = None
    #: How much discount the step gives away in a calendar month.
    monthly_budget: Decimal | None = None
    without: str = SKIP

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> VoucherOptions:
        """Read a step's options; raises ValueError saying what does not fit."""
        unknown = sorted(set(options) - set(_NAMES))
        if unknown:
            raise ValueError(
                pgettext("triggers", "has no option %(unknown)s (it has: %(known)s)")
                % {"unknown": ", ".join(unknown), "known": ", ".join(_NAMES)}
            )
        percent, amount = _amount(options, "percent"), _amount(options, "amount")
        if (percent is None) == (amount is None):
            raise ValueError(
                pgettext("triggers", "needs either 'percent', from 1 to 100, or 'amount', not both")
            )
        if percent is not None and percent > 100:
            raise ValueError(pgettext("triggers", "'percent' must be above 0 and at most 100"))
        budget = _amount(options, "monthly_budget")
        if amount is not None and budget is not None and budget < amount:
            raise ValueError(
                pgettext("triggers", "the budget of a month must be enough for one voucher")
            )
        without = options.get(WITHOUT, SKIP)
        if without not in (SKIP, SEND_WITHOUT):
            raise ValueError(
                pgettext("triggers", "%(option)s must be one of %(known)s")
                % {"option": WITHOUT, "known": f"{SKIP}, {SEND_WITHOUT}"}
            )
        return cls(
            percent=percent,
            amount=amount,
            valid=_valid(options),
            minimum=_amount(options, "minimum"),
            categories=_categories(options),
            exclude_reduced=_yes_or_no(options, "exclude_reduced"),
            monthly_limit=_limit(options),
            monthly_budget=budget,
            without=without,
        )

    @property
    def is_limited(self) -> bool:
        """Say whether a month has a limit."""
        return self.monthly_limit is not None or self.monthly_budget is not None


def plain(number: Decimal) -> str:
    """Return a number without needless digits: "10", "12.5"."""
    return f"{number.normalize():f}"


def _amount(options: Mapping[str, Any], name: str) -> Decimal | None:
    value = options.get(name)
    if value in (None, ""):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(pgettext("triggers", "'%(name)s' must be a number") % {"name": name})
    if not 0 < number < _MOST:
        raise ValueError(pgettext("triggers", "'%(name)s' must be above 0") % {"name": name})
    if number != round(number, 2):
        raise ValueError(
            pgettext("triggers", "'%(name)s' must have two decimal places at most") % {"name": name}
        )
    return number


def _limit(options: Mapping[str, Any]) -> int | None:
    value = options.get("monthly_limit")
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            pgettext("triggers", "'%(name)s' must be a whole number, 1 or more")
            % {"name": "monthly_limit"}
        )
    return value


def _valid(options: Mapping[str, Any]) -> timedelta:
    valid = options.get("valid", DEFAULT_VALID)
    if not isinstance(valid, timedelta):
        valid = parse_duration(str(valid))
    if valid < timedelta(hours=1):
        raise ValueError(pgettext("triggers", "'valid' must be one hour or longer"))
    return valid


def _categories(options: Mapping[str, Any]) -> tuple[str, ...]:
    value = options.get("categories", ())
    if not isinstance(value, list | tuple):
        raise ValueError(pgettext("triggers", "'%(name)s' must be a list") % {"name": "categories"})
    return tuple(dict.fromkeys(str(one).strip() for one in value if str(one).strip()))


def _yes_or_no(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(pgettext("triggers", "'%(name)s' must be true or false") % {"name": name})
    return value
