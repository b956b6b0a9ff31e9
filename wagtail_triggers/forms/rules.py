"""The form fields of a flow's rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.limits import AFTER, WEEKDAYS
from oscar_triggers.policy import senders

from .durations import DurationField

_DAYS = {
    "mon": pgettext_lazy("triggers", "Monday"),
    "tue": pgettext_lazy("triggers", "Tuesday"),
    "wed": pgettext_lazy("triggers", "Wednesday"),
    "thu": pgettext_lazy("triggers", "Thursday"),
    "fri": pgettext_lazy("triggers", "Friday"),
    "sat": pgettext_lazy("triggers", "Saturday"),
    "sun": pgettext_lazy("triggers", "Sunday"),
}


def sender_choices() -> list[tuple[str, Any]]:
    """Return the senders of the shop; the usual one first."""
    return [("", pgettext_lazy("triggers", "The shop's usual one")), *senders.named().items()]


class FlowRulesForm(forms.Form):
    """Durations as amount and unit, days as boxes, and what belongs together checked together."""

    reentry_after = DurationField(label=pgettext_lazy("triggers", "How long after"), required=False)
    max_age = DurationField(
        label=pgettext_lazy("triggers", "Ignore what happened longer ago than"),
        help_text=pgettext_lazy(
            "triggers", "Empty: whatever we learn of starts the flow, however old it is."
        ),
        required=False,
    )
    bundle = DurationField(
        label=pgettext_lazy("triggers", "Collect for"),
        help_text=pgettext_lazy(
            "triggers",
            "What happens to one person within this time is told in one message. "
            "Empty: one message each.",
        ),
        required=False,
    )
    attribution_window = DurationField(
        label=pgettext_lazy("triggers", "Count orders until so long after a click"),
        initial=FlowDefinition.attribution_window,
        required=False,
    )
    sender = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Sender"),
        choices=sender_choices,
        required=False,
        help_text=pgettext_lazy(
            "triggers", "Whose name and address readers see, and where their answers go."
        ),
    )
    window_days = forms.MultipleChoiceField(
        label=pgettext_lazy("triggers", "Send on"),
        choices=[(day, _DAYS[day]) for day in WEEKDAYS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=pgettext_lazy("triggers", "None marked: on every day."),
    )

    def clean_attribution_window(self) -> Any:
        """Keep the usual window where it was left empty."""
        given = self.cleaned_data["attribution_window"]
        return given or FlowDefinition.attribution_window

    def clean(self) -> dict[str, Any]:
        """Ask for the time where coming in again depends on it."""
        cleaned: dict[str, Any] = super().clean() or {}
        if (
            not getattr(self, "is_deferred_validation", False)
            and cleaned.get("reentry") == AFTER
            and not cleaned.get("reentry_after")
        ):
            self.add_error("reentry_after", pgettext("triggers", "Say how long."))
        return cleaned
