"""A personal voucher as an option of a Send step: a share of the price, and how long it is good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import pgettext_lazy
from wagtail import blocks

from oscar_triggers.kinds import format_duration, parse_duration

from .durations import DurationBlock, join_duration, split_duration

DEFAULT_VALID = timedelta(days=7)


class VoucherBlock(blocks.StructBlock):
    """A share of the price; where it is not required, an empty one promises nothing."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        children = [
            (
                "percent",
                blocks.DecimalBlock(
                    label=pgettext_lazy("triggers", "Percent off"),
                    help_text=None if required else pgettext_lazy("triggers", "Empty: no voucher."),
                    required=required,
                    min_value=Decimal(1),
                    max_value=Decimal(100),
                ),
            ),
            (
                "valid",
                DurationBlock(
                    label=pgettext_lazy("triggers", "Good for"),
                    default=DEFAULT_VALID,
                    required=False,
                ),
            ),
        ]
        super().__init__(children, **kwargs)

    class Meta:
        icon = "tag"
        help_text = pgettext_lazy(
            "triggers",
            "A code for this person and one order; taken back if the message is not sent.",
        )


def voucher_option(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the option that a block's value stands for; None for no voucher."""
    if not value or value.get("percent") in (None, ""):
        return None
    valid = join_duration(value.get("valid")) or DEFAULT_VALID
    percent = Decimal(str(value["percent"]))
    return {
        "percent": int(percent) if percent == percent.to_integral_value() else str(percent),
        "valid": format_duration(valid),
    }


def voucher_value(option: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the block stores for an option."""
    option = option or {}
    valid = option.get("valid")
    return {
        "percent": str(option["percent"]) if "percent" in option else None,
        "valid": split_duration(parse_duration(str(valid)) if valid else DEFAULT_VALID),
    }
