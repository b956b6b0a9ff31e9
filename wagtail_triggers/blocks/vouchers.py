"""A personal voucher as an option of a step: how much, of what, how long, and how many a month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks

from oscar_triggers.engine.incentives import SEND_WITHOUT, WITHOUT
from oscar_triggers.kinds import format_duration, parse_duration
from oscar_triggers.shop import vouchers

from .durations import DurationBlock, join_duration, split_duration

DEFAULT_VALID = timedelta(days=7)
_NUMBERS = ("percent", "amount", "minimum", "monthly_budget")
_CENT = Decimal("0.01")


class VoucherBlock(blocks.StructBlock):
    """A share or an amount off; where it is not required, neither of them promises nothing."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        self.is_needed = required
        children = [
            ("percent", _number(pgettext_lazy("triggers", "Percent off"), 100, start=Decimal(1),
                help_text=pgettext_lazy("triggers", "Fill in this or the amount, not both.")
                if required
                else pgettext_lazy("triggers", "Fill in this or the amount. Neither: no voucher."))),
            ("amount", _number(pgettext_lazy("triggers", "Amount off"),
                help_text=pgettext_lazy("triggers", "Off the basket, in the shop's currency."))),
            ("valid", DurationBlock(
                label=pgettext_lazy("triggers", "Good for"), default=DEFAULT_VALID,
                required=False)),
            ("minimum", _number(pgettext_lazy("triggers", "Only from a basket worth"),
                help_text=pgettext_lazy(
                    "triggers", "Empty: any basket. Goods in other offers do not count."))),
            ("categories", blocks.MultipleChoiceBlock(
                label=pgettext_lazy("triggers", "Only goods of these categories"),
                help_text=pgettext_lazy(
                    "triggers", "With all categories below them. None chosen: everything."),
                choices=vouchers.category_choices, required=False)),
            ("exclude_reduced", blocks.BooleanBlock(
                label=pgettext_lazy("triggers", "Not for goods that are reduced already"),
                help_text=pgettext_lazy(
                    "triggers",
                    "Goods in one of the shop's offers, or whose price fell within 30 days, stay "
                    "as they are."),
                required=False)),
            ("monthly_limit", blocks.IntegerBlock(
                label=pgettext_lazy("triggers", "Vouchers in a month at most"),
                help_text=pgettext_lazy("triggers", "Empty: any number."),
                required=False, min_value=1)),
            ("monthly_budget", _number(pgettext_lazy("triggers", "Budget of a month"),
                help_text=pgettext_lazy(
                    "triggers",
                    "How much discount may be given away. Orders of this month count, and amounts "
                    "that are promised. Codes that are out stay good. Empty: no budget."))),
        ]  # fmt: skip
        if not required:
            children.append((WITHOUT, _without()))
        super().__init__(children, **kwargs)

    def clean(self, value: Any) -> Any:
        """Refuse a share beside an amount, and what the engine would not grant."""
        cleaned = super().clean(value)
        option = voucher_option(cleaned)
        if option is None and not self.is_needed:
            return cleaned
        if option is None or ("percent" in option and "amount" in option):
            said = pgettext("triggers", "Fill in either the percentage or the amount.")
            raise blocks.StructBlockValidationError(block_errors={"percent": ValidationError(said)})
        try:
            vouchers.VoucherOptions.read(option)
        except ValueError as error:
            raise blocks.StructBlockValidationError(non_block_errors=[str(error)]) from error
        return cleaned

    class Meta:
        icon = "tag"
        form_classname = "struct-block triggers-voucher"
        help_text = pgettext_lazy(
            "triggers",
            "A code for this person and one order; taken back if the message is not sent.",
        )


def voucher_option(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the option that a block's value stands for; None for no voucher."""
    value = value or {}
    option: dict[str, Any] = {
        name: _plain(value[name]) for name in _NUMBERS if value.get(name) not in (None, "")
    }
    if "percent" not in option and "amount" not in option:
        return None
    option["valid"] = format_duration(join_duration(value.get("valid")) or DEFAULT_VALID)
    if value.get("categories"):
        option["categories"] = [str(one) for one in value["categories"]]
    if value.get("exclude_reduced"):
        option["exclude_reduced"] = True
    if value.get("monthly_limit") not in (None, ""):
        option["monthly_limit"] = int(value["monthly_limit"])
    if value.get(WITHOUT) == SEND_WITHOUT:
        option[WITHOUT] = SEND_WITHOUT
    return option


def voucher_value(option: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the block stores for an option."""
    option = option or {}
    valid = option.get("valid")
    value: dict[str, Any] = {
        name: str(option[name]) if option.get(name) not in (None, "") else None for name in _NUMBERS
    }
    value["valid"] = split_duration(parse_duration(str(valid)) if valid else DEFAULT_VALID)
    value["categories"] = _by_number(option.get("categories") or ())
    value["exclude_reduced"] = bool(option.get("exclude_reduced"))
    value["monthly_limit"] = option.get("monthly_limit")
    value[WITHOUT] = option.get(WITHOUT) or vouchers.SKIP
    return value


def _number(label: Any, most: int | None = None, *, start: Decimal = _CENT, help_text: Any) -> Any:
    return blocks.DecimalBlock(
        label=label,
        help_text=help_text,
        required=False,
        min_value=start,
        max_value=None if most is None else Decimal(most),
        max_digits=12,
        decimal_places=2,
    )


def _without() -> Any:
    return blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "When no voucher may be given"),
        help_text=pgettext_lazy(
            "triggers", "Because this person had one lately, or the month's vouchers are used up."
        ),
        choices=[
            (vouchers.SKIP, pgettext_lazy("triggers", "do not send the letter")),
            (SEND_WITHOUT, pgettext_lazy("triggers", "send the letter without a voucher")),
        ],
        default=vouchers.SKIP,
        required=False,
    )


def _plain(value: Any) -> int | str:
    number = Decimal(str(value))
    return int(number) if number == number.to_integral_value() else f"{number.normalize():f}"


def _by_number(named: Any) -> list[str]:
    """Return the categories of a file, named there in any way, as the form chooses them."""
    known = vouchers.categories_named([str(one) for one in named])
    # What the shop does not have stays, so that the check can name it.
    chosen: list[str] = []
    for text, numbers in known.items():
        chosen += [str(pk) for pk in numbers] or [text]
    return chosen
