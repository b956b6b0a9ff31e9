"""The panel of a segment: how many belong now, counted while it is written, and where it is used."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse
from wagtail.admin.panels import Panel

from oscar_triggers.engine import saved_segments

from .crowds import count_in_words, link_kind

CROWDS = forms.Media(
    css={"all": ["wagtail_triggers/editor.css", "wagtail_triggers/crowds.css"]},
    js=["wagtail_triggers/asking.js", "wagtail_triggers/crowds.js"],
)


class SegmentNowPanel(Panel):
    """How many people belong now, and what uses the segment."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one segment."""

        template_name = "wagtail_triggers/panels/segment_now.html"

        @property
        def media(self) -> forms.Media:
            """Bring what counts while conditions change."""
            return CROWDS

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add the last count, and what uses it."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            row = self.instance
            used = saved_segments.uses([row.key]).get(row.key, []) if row.pk else []
            context.update(
                count_url=(
                    reverse("wagtail_triggers:count_segment", args=[row.pk])
                    if row.pk
                    else reverse("wagtail_triggers:count_new_segment")
                ),
                last=count_in_words(row) if row.pk else "",
                uses=[(link_kind(one.kind), one.name) for one in used],
            )
            return context
