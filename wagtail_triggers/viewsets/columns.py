"""Columns that several lists share."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from wagtail.admin.ui.tables import Column


class WrittenColumn(Column):
    """What somebody wrote, in its own direction: a phone number in an Arabic page begins with its plus."""

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        """Keep the words apart from those of the page."""
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        if context["value"]:
            context["value"] = format_html("<bdi>{}</bdi>", context["value"])
        return context
