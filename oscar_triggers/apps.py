"""The Django app: finds every app's `triggers.py` and connects the shop room's receivers."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import pgettext_lazy


class OscarTriggersConfig(AppConfig):
    """The engine."""

    name = "oscar_triggers"
    label = "oscar_triggers"
    verbose_name = pgettext_lazy("triggers", "Triggers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what ships, then what other apps bring, then listen to the shop."""
        from . import builtin, checks, shop  # noqa: F401 - importing registers

        builtin.register()
        shop.register()
        autodiscover_modules("triggers")
        builtin.connect()
        shop.connect()
