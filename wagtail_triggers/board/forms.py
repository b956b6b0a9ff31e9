"""What the dashboard can be narrowed to: a length of time, one flow, the people of a segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import npgettext, pgettext_lazy

from oscar_triggers.models import Flow

PERIODS = (7, 30, 90)
USUAL = 30


def days_in_words(count: int) -> str:
    """Return "Last 30 days"."""
    return npgettext("triggers", "Last %(count)s day", "Last %(count)s days", count) % {
        "count": count
    }


class DashboardForm(forms.Form):
    """Chooses the period, the flow and the segment; what cannot be read is as if it were not there."""

    days = forms.TypedChoiceField(
        label=pgettext_lazy("triggers", "Period"), coerce=int, required=False
    )
    flow = forms.TypedChoiceField(
        label=pgettext_lazy("triggers", "Flow"), coerce=int, empty_value=None, required=False
    )

    segment = forms.ChoiceField(
        label=pgettext_lazy("triggers", "People of the segment"), required=False
    )

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        flows: Sequence[Flow],
        segments: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(
            {
                "days": data.get("days") or USUAL,
                "flow": data.get("flow") or "",
                "segment": data.get("segment") or "",
            }
        )
        choose = self.fields["days"]
        assert isinstance(choose, forms.ChoiceField)
        choose.choices = [(count, days_in_words(count)) for count in PERIODS]
        which = self.fields["flow"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [
            ("", pgettext_lazy("triggers", "All flows")),
            *((flow.pk, flow.name) for flow in flows),
        ]
        if segments:
            people = self.fields["segment"]
            assert isinstance(people, forms.ChoiceField)
            people.choices = [("", pgettext_lazy("triggers", "Everybody")), *segments]
        else:
            del self.fields["segment"]
        self.is_valid()

    @property
    def day_count(self) -> int:
        """Return how many days were chosen."""
        return self.cleaned_data.get("days") or USUAL

    @property
    def flow_id(self) -> int | None:
        """Return the chosen flow, None for all."""
        return self.cleaned_data.get("flow")

    @property
    def segment_key(self) -> str:
        """Return the chosen segment, "" for everybody."""
        return str(self.cleaned_data.get("segment") or "")
