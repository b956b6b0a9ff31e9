"""The editor's side of a letter's template."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import pgettext_lazy
from wagtail.locks import BaseLock
from wagtail.models import Locale, TranslatableMixin

from oscar_triggers.models import Owner, Template

from .. import localizing, translations
from ..fields import RegistryStreamField
from ..forms.templates import TemplateForm
from ..locks import FileLock
from ..permissions import TAKE_OVER_TEMPLATE
from ..previews import modes_of, preview_letter
from ..publishing import publish_template
from .base import EngineDraft

#: What a letter in another language does not have from the one that it was copied from.
OF_THE_PAST = (
    "id",
    "live",
    "live_revision",
    "latest_revision",
    "first_published_at",
    "last_published_at",
    "go_live_at",
    "expire_at",
    "expired",
    "has_unpublished_changes",
    "locked",
    "locked_at",
    "locked_by",
)


class TemplateDraft(TranslatableMixin, EngineDraft):
    """One letter or text in one language; those with the same key are each other's translations.

    Wagtail's two fields follow from `key` and `language`, whoever writes these.
    """

    translation_key = models.UUIDField(default=uuid.uuid4, editable=False)
    #: None where the site has no locale of the language.
    locale = models.ForeignKey(
        Locale,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        editable=False,
        verbose_name=pgettext_lazy("triggers", "locale"),
    )
    locale.wagtail_reference_index_ignore = True  # type: ignore[attr-defined]  # Wagtail's own way
    name = models.CharField(pgettext_lazy("triggers", "name"), max_length=200)
    key = models.SlugField(
        pgettext_lazy("triggers", "key"),
        max_length=80,
        help_text=pgettext_lazy(
            "triggers", "The same for all languages of one letter. It cannot change once published."
        ),
    )
    language = models.CharField(pgettext_lazy("triggers", "language"), max_length=20)
    channel = models.CharField(pgettext_lazy("triggers", "channel"), max_length=40, default="email")
    subject = models.CharField(pgettext_lazy("triggers", "subject"), max_length=255, blank=True)
    preheader = models.CharField(
        pgettext_lazy("triggers", "preheader"),
        max_length=255,
        blank=True,
        help_text=pgettext_lazy("triggers", "What inboxes show after the subject."),
    )
    blocks = RegistryStreamField(
        registry="letter_blocks", blank=True, verbose_name=pgettext_lazy("triggers", "blocks")
    )
    body = models.TextField(pgettext_lazy("triggers", "body"), blank=True)
    text = models.TextField(
        pgettext_lazy("triggers", "plain text"),
        blank=True,
        help_text=pgettext_lazy("triggers", "Left empty, it is made from the body."),
    )

    base_form_class = TemplateForm

    class Meta:
        verbose_name = pgettext_lazy("triggers", "template")
        verbose_name_plural = pgettext_lazy("triggers", "templates")
        constraints = [
            models.UniqueConstraint(
                fields=["key", "language"],
                name="triggers_template_draft_once",
                violation_error_message=pgettext_lazy(
                    "triggers", "There is already a template with this key in this language."
                ),
            ),
            models.UniqueConstraint(
                fields=["translation_key", "locale"], name="triggers_template_translation_once"
            ),
        ]
        permissions = [
            ("send_test_templatedraft", "Can send themselves test letters"),
            ("take_over_templatedraft", "Can take templates over from files"),
            ("write_mjml_templatedraft", "Can write letters as MJML"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})" if self.language else self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row, and say in Wagtail's words which letter it is and in which language."""
        self.translation_key = translations.translation_key_of(self.key)
        self.locale = self.get_default_locale()
        if self.live and self.first_published_at is None and not self._state.adding:
            # wagtail-localize says that it is live before it publishes it for the first time.
            localizing.refuse_broken(self)
        super().save(*args, **kwargs)

    def get_default_locale(self) -> Locale | None:
        """Return the locale of the language, and never the site's own for another."""
        return translations.locale_of(self.language)

    def copy_for_translation(self, locale: Locale, exclude_fields: Any = None) -> TemplateDraft:
        """Return an unsaved copy in a locale's language, which was never published."""
        past = [*(exclude_fields or []), *OF_THE_PAST]
        copy: TemplateDraft = super().copy_for_translation(locale, past)
        copy.language = locale.language_code
        return copy

    def get_translations(self, inclusive: bool = False) -> models.QuerySet[Any]:
        """Return the letter in the site's other locales."""
        found: models.QuerySet[Any] = super().get_translations(inclusive)
        return found.exclude(locale=None)

    def clean(self) -> None:
        """Refuse what wagtail-localize is about to publish and the engine would not take."""
        super().clean()
        if self.live:
            localizing.refuse_broken(self)

    def publish(self, revision: Any, user: Any = None, **kwargs: Any) -> None:
        """Publish a revision; a translation that was only asked for stays a draft."""
        if not localizing.is_only_asked_for(self, revision, user):
            super().publish(revision, user=user, **kwargs)

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        """Return the ways to look at it: of a text there is one."""
        return modes_of(self)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Show the letter as it would arrive, or what is wrong with it."""
        return preview_letter(request, self, mode_name)

    def get_lock(self) -> BaseLock | None:
        """Lock what a file owns."""
        if Template.objects.filter(key=self.key, owner=Owner.FILE).exists():
            return FileLock(
                self,
                take_over_url_name="wagtail_triggers:take_over_template",
                permission=TAKE_OVER_TEMPLATE,
            )
        return super().get_lock()

    def hand_to_engine(self, by: Any) -> None:
        """Compile and publish this text as a template version."""
        publish_template(self, by=by)

    def take_from_engine(self) -> None:
        """Leave published versions: messages that were sent stand on them."""
