"""A duration as editors write it: an amount and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import pgettext_lazy
from wagtail import blocks

#: Units from large to small, with their seconds.
UNITS: dict[str, int] = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
UNIT_CHOICES = [
    ("m", pgettext_lazy("triggers", "minutes")),
    ("h", pgettext_lazy("triggers", "hours")),
    ("d", pgettext_lazy("triggers", "days")),
    ("w", pgettext_lazy("triggers", "weeks")),
]
_SECONDS = ("s", pgettext_lazy("triggers", "seconds"))


def split_duration(duration: timedelta) -> dict[str, Any]:
    """Write a duration as an amount of the largest unit that divides it, weeks left out."""
    seconds = int(duration.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds % UNITS[unit] == 0 and (seconds or unit == "h"):
            return {"amount": seconds // UNITS[unit], "unit": unit}
    return {"amount": seconds, "unit": "s"}


def join_duration(value: Mapping[str, Any] | None) -> timedelta | None:
    """Read what split_duration wrote; None where a part is missing."""
    if not value or value.get("amount") in (None, "") or value.get("unit") not in UNITS:
        return None
    return timedelta(seconds=int(value["amount"]) * UNITS[value["unit"]])


class DurationBlock(blocks.StructBlock):
    """An amount and a unit, side by side."""

    def __init__(self, *, default: timedelta | None = None, **kwargs: Any) -> None:
        required = kwargs.pop("required", True)
        start = split_duration(default) if default is not None else {"amount": None, "unit": "h"}
        # A duration in odd seconds comes from a file; the unit is offered only to keep it.
        choices = UNIT_CHOICES if start["unit"] != "s" else [_SECONDS, *UNIT_CHOICES]
        children = [
            (
                "amount",
                blocks.IntegerBlock(
                    label=pgettext_lazy("triggers", "Amount"),
                    min_value=0,
                    required=required,
                    default=start["amount"],
                ),
            ),
            (
                "unit",
                _UnitBlock(
                    label=pgettext_lazy("triggers", "Unit"), choices=choices, default=start["unit"]
                ),
            ),
        ]
        super().__init__(children, **kwargs)

    class Meta:
        icon = "time"
        label_format = "{amount} {unit}"
        form_classname = "struct-block triggers-side-by-side"


class _UnitBlock(blocks.ChoiceBlock):
    """The unit, with seconds accepted even where they are not offered."""

    def clean(self, value: Any) -> Any:
        return value if value == "s" else super().clean(value)
