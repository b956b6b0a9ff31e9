"""Vouchers of steps in words: what they promise, and what of a month's limits is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import pgettext

from oscar_triggers.engine import plans
from oscar_triggers.models import Flow
from oscar_triggers.shop import vouchers


def voucher_in_words(option: Mapping[str, Any], valid: str) -> str:
    """Return what an option promises, in one line: "10 % off, good for 7 days"."""
    words = {
        "percent": pgettext("triggers", "%(value)s %% off"),
        "amount": pgettext("triggers", "%(value)s off"),
        "valid": pgettext("triggers", "good for %(value)s"),
        "minimum": pgettext("triggers", "from a basket worth %(value)s"),
        "categories": pgettext("triggers", "only some categories"),
        "exclude_reduced": pgettext("triggers", "not for reduced goods"),
        "monthly_limit": pgettext("triggers", "%(value)s a month at most"),
        "monthly_budget": pgettext("triggers", "a budget of %(value)s a month"),
    }
    said = {**option, "valid": valid}
    return ", ".join(text % {"value": said[name]} for name, text in words.items() if said.get(name))


def used_in_words(key: str, now: datetime) -> dict[str, str]:
    """Return what the steps of a live flow used of their month, by the steps that have a limit."""
    flow = Flow.objects.filter(key=key, live_version__isnull=False).first() if key else None
    if flow is None or flow.live_version is None:
        return {}
    definition = plans.plan_of(flow.live_version).definition
    return {
        step_key: _used(vouchers.Place(flow_id=flow.pk, step_key=step_key), wanted, now)
        for step_key, wanted in vouchers.vouchers_of(definition)
        if wanted.is_limited
    }


def _used(place: vouchers.Place, wanted: vouchers.VoucherOptions, now: datetime) -> str:
    used = vouchers.used_by(place, wanted, now)
    said = []
    if wanted.monthly_limit is not None:
        said.append(
            pgettext("triggers", "This month: %(given)s of %(most)s vouchers given")
            % {"given": used.given, "most": wanted.monthly_limit}
        )
    if wanted.monthly_budget is not None:
        said.append(
            pgettext("triggers", "%(discount)s of %(budget)s used")
            % {
                "discount": _money(used.discount, used.currency),
                "budget": _money(wanted.monthly_budget, used.currency),
            }
        )
    return " · ".join(said)


def _money(value: Decimal, currency: str) -> str:
    return f"{number_format(value, decimal_pos=2, force_grouping=True)} {currency}"
