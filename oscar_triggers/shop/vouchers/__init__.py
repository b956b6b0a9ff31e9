"""Personal vouchers: one grant for each message or step, single-use, expiring, revoked if untold."""

from __future__ import annotations

from .checks import categories_are_there, vouchers_of
from .goods import categories_named, category_choices
from .granting import grant_for_message, new_code
from .incentive import NAME, PersonalVoucher
from .limits import Place, Used, used_by
from .revoking import free_other_baskets, revoke, revoke_untold
from .terms import SKIP, VoucherOptions

__all__ = [
    "NAME",
    "SKIP",
    "PersonalVoucher",
    "Place",
    "Used",
    "VoucherOptions",
    "categories_are_there",
    "categories_named",
    "category_choices",
    "free_other_baskets",
    "grant_for_message",
    "new_code",
    "register",
    "revoke",
    "revoke_untold",
    "used_by",
    "vouchers_of",
]


def register() -> None:
    """Offer vouchers to Send steps and to Voucher steps."""
    from ...engine import incentives

    if NAME not in incentives.registry:
        incentives.registry.add(NAME, PersonalVoucher())
