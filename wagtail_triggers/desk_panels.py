"""Panels of the flow form: how many people its conditions match, and its published versions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import quote
from django.urls import reverse
from wagtail.admin.panels import Panel

from .side_panels import MEDIA, address
from .versions import versions_of


class MatchingPanel(Panel):
    """Counts the people for whom the start conditions hold, again after each change of them."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/desk/matching.html"

        @property
        def media(self) -> forms.Media:
            """Bring its behaviour."""
            return MEDIA

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add where to ask."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["url"] = address("desk_count", self.instance)
            return context


class VersionsPanel(Panel):
    """What was published, by whom, and who stands in it now."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/desk/versions.html"

        @property
        def media(self) -> forms.Media:
            """Bring its style."""
            return MEDIA

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add the versions; a copy has none before it is saved under a key of its own."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            draft = self.instance
            found = versions_of(draft.key) if draft.pk else []
            context["versions"] = [(one, _address(draft, one.number)) for one in found]
            return context


def _address(draft: Any, number: int) -> str:
    return reverse("wagtail_triggers:flow_version", args=[quote(draft.pk), number])
