"""A form field for durations: an amount and a unit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import pgettext_lazy

from ..blocks.durations import UNIT_CHOICES, join_duration, split_duration

SECONDS = ("s", pgettext_lazy("triggers", "seconds"))


class DurationWidget(forms.MultiWidget):
    """A number and a unit, side by side."""

    template_name = "wagtail_triggers/widgets/duration.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            {
                "amount": forms.NumberInput(
                    attrs={"min": 0, "aria-label": pgettext_lazy("triggers", "Amount")}
                ),
                "unit": forms.Select(
                    attrs={"aria-label": pgettext_lazy("triggers", "Unit")},
                    choices=[*UNIT_CHOICES, SECONDS],
                ),
            },
            attrs,
        )

    def decompress(self, value: timedelta | None) -> list[Any]:
        """Split a duration for the two inputs."""
        if value is None:
            return [None, "h"]
        parts = split_duration(value)
        return [parts["amount"], parts["unit"]]


class DurationField(forms.MultiValueField):
    """A duration as an amount and a unit; None when it is left empty."""

    widget = DurationWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            (
                forms.IntegerField(min_value=0),
                forms.ChoiceField(choices=[*UNIT_CHOICES, SECONDS]),
            ),
            **kwargs,
        )

    def compress(self, data_list: list[Any]) -> timedelta | None:
        """Join what the two inputs hold."""
        if not data_list:
            return None
        return join_duration({"amount": data_list[0], "unit": data_list[1]})
