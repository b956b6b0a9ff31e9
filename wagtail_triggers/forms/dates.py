"""Dates and moments by the browser's own fields: Wagtail's bring an inline script."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django_filters.widgets import SuffixedMultiWidget
from wagtail.admin.panels import FieldPanel, PublishingPanel


class DateRange(SuffixedMultiWidget):
    """From one day to another, under a policy that forbids inline scripts."""

    template_name = "wagtailadmin/widgets/range_input.html"
    suffixes = ["from", "to"]

    def __init__(self, attrs: Any = None) -> None:
        """Show two fields of the browser's own."""
        names = (pgettext_lazy("triggers", "Date from"), pgettext_lazy("triggers", "Date to"))
        widgets = [
            forms.DateInput(attrs={"type": "date", "aria-label": name}, format="%Y-%m-%d")
            for name in names
        ]
        super().__init__(widgets, attrs)

    def decompress(self, value: Any) -> list[Any]:
        """Return both ends of what was chosen."""
        return [value.start, value.stop] if value else [None, None]


#: What Wagtail's dialog does with its fields when it is closed.
_IN_THE_DIALOG = {
    "data-controller": "w-action",
    "data-action": "w-dialog:hidden->w-action#reset",
    "data-w-dialog-target": "notify",
}


def moment_input(**attrs: str) -> forms.DateTimeInput:
    """Return the browser's own field for a date and an hour."""
    return forms.DateTimeInput(attrs={"type": "datetime-local", **attrs}, format="%Y-%m-%dT%H:%M")


def hour_input() -> forms.TimeInput:
    """Return the browser's own field for an hour of the day."""
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


def publishing_panel() -> PublishingPanel:
    """Return Wagtail's dialog for publishing at a chosen moment."""
    return PublishingPanel(
        children=[
            FieldPanel(name, widget=moment_input(**_IN_THE_DIALOG))
            for name in ("go_live_at", "expire_at")
        ]
    )


class ShopMomentField(forms.DateTimeField):
    """A date and an hour in the shop's time, whatever time zone the person at the desk has."""

    widget = moment_input()

    def prepare_value(self, value: Any) -> Any:
        """Show it by the shop's clock."""
        with timezone.override(timezone.get_default_timezone()):
            return super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        """Read it by the shop's clock."""
        with timezone.override(timezone.get_default_timezone()):
            return super().to_python(value)
