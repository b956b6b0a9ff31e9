"""The Django app: the editor in Wagtail's admin."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import pgettext_lazy


class WagtailTriggersConfig(AppConfig):
    """The editor."""

    name = "wagtail_triggers"
    label = "wagtail_triggers"
    verbose_name = pgettext_lazy("triggers", "Triggers editor")
    default_auto_field = "django.db.models.BigAutoField"
