"""The Django app: the editor in Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import pgettext_lazy


class WagtailTriggersConfig(AppConfig):
    """The editor."""

    name = "wagtail_triggers"
    label = "wagtail_triggers"
    verbose_name = pgettext_lazy("triggers", "Triggers editor")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Find the blocks of the shop's apps, and listen to Wagtail.

        Its views unpublish by an action that passes the model by.
        """
        from wagtail.signals import unpublished

        from .localizing import is_installed, say_what_is_words

        autodiscover_modules("letter_blocks")
        if is_installed():
            say_what_is_words(self.get_model("TemplateDraft"))
        post_save.connect(
            _give_new_locale,
            sender="wagtailcore.Locale",
            dispatch_uid="wagtail_triggers.new_locale",
        )
        unpublished.connect(_take_from_engine, dispatch_uid="wagtail_triggers.unpublished")


def _take_from_engine(*, instance: Any, **kwargs: Any) -> None:
    take = getattr(instance, "take_from_engine", None)
    if take is not None:
        take()


def _give_new_locale(*, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Give a locale that the site gets to the letters that are written in its language already."""
    from .models import TemplateDraft

    if created and not raw:
        TemplateDraft.objects.filter(language=instance.language_code).update(locale=instance)
