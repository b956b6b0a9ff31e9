"""The form of a flow draft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail.admin.forms.models import WagtailAdminModelForm

from oscar_triggers import events
from oscar_triggers.conf import triggers_settings
from oscar_triggers.definitions import FlowDefinition

from ..checking import FORM_FIELDS, draft_problems, errors_by_field
from .durations import DurationField
from .rules import FlowRulesForm


def topic_choices() -> list[tuple[str, Any]]:
    """Return the mailing groups of the shop."""
    return list(triggers_settings().topics.items())


def goal_choices() -> list[tuple[str, Any]]:
    """Return every event, as something that may have been achieved."""
    return [
        (kind, capfirst(event.label or kind.replace("_", " ")))
        for kind, event in events.registry.items()
    ]


class FlowForm(FlowRulesForm, WagtailAdminModelForm):
    """Saves any draft; lets only what the engine would take be published."""

    topic = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Mailing group"),
        choices=topic_choices,
        help_text=pgettext_lazy(
            "triggers", "What people subscribed to, and what they leave with one click."
        ),
    )
    goals = forms.MultipleChoiceField(
        label=pgettext_lazy("triggers", "Goals"),
        choices=goal_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=pgettext_lazy("triggers", "Whoever does one of these leaves the flow at once."),
    )
    max_lateness = DurationField(
        label=pgettext_lazy("triggers", "Send at most this late"),
        initial=FlowDefinition.max_lateness,
        help_text=pgettext_lazy(
            "triggers", "After an outage, messages that are later than this are not sent any more."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.first_published_at and "key" in self.fields:
            self.fields["key"].disabled = True
        self._keep_unknown("topic")
        self._keep_unknown("goals")
        self._keep_unknown("sender")

    def _keep_unknown(self, name: str) -> None:
        """Offer stored values that the shop no longer knows, or saving would lose them."""
        if name not in self.fields:
            return
        stored = getattr(self.instance, name)
        values = stored if isinstance(stored, list) else [stored]
        field: Any = self.fields[name]
        known = {value for value, _label in field.choices}
        missing = [(value, value) for value in values if value and value not in known]
        if missing:
            field.choices = [*field.choices, *missing]

    def clean(self) -> dict[str, Any]:
        """Refuse to publish what the engine would refuse, each problem at its place."""
        cleaned: dict[str, Any] = super().clean()
        if self.is_deferred_validation or self.errors:
            return cleaned
        draft: Any = SimpleNamespace(
            **{name: cleaned.get(name, getattr(self.instance, name)) for name in FORM_FIELDS}
        )
        for field, errors in errors_by_field(draft_problems(draft), draft.steps).items():
            for error in errors:
                self.add_error(field if field in self.fields else None, error)
        return cleaned
