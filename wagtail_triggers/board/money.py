"""Amounts of money as they are read: one currency at a time, never added up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.utils.formats import number_format


def amount(value: Decimal, currency: str) -> str:
    """Return "1,234.50 EUR" as the reader's language writes numbers."""
    return f"{number_format(value, decimal_pos=2, force_grouping=True)} {currency}".strip()


def amounts(revenue: Mapping[str, Decimal]) -> str:
    """Return every currency's amount, one after the other; a dash for nothing."""
    return " · ".join(amount(revenue[currency], currency) for currency in sorted(revenue)) or "–"


def whole(number: int) -> str:
    """Return a number as the reader's language groups it."""
    return str(number_format(number, force_grouping=True))
