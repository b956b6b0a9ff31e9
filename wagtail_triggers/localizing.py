"""wagtail-localize, where a shop has it: what it may translate of a letter, and what it publishes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.urls import reverse
from wagtail.models import Locale

from .letter_checking import look_at, texts_of

#: Its permission to begin a translation.
SUBMIT = "wagtail_localize.submit_translation"
#: What is words. MJML is none: who may translate may not write that.
WORDS = ("name", "subject", "preheader", "blocks", "text")
#: What a translation has in common with its letter. Its language is what makes it another.
COMMON = ("key", "channel", "body")


def is_installed() -> bool:
    """Return whether the shop translates by wagtail-localize."""
    return apps.is_installed("wagtail_localize")


def say_what_is_words(model: Any) -> None:
    """Tell wagtail-localize which fields of a letter are translated and which are copied."""
    from wagtail_localize.fields import SynchronizedField, TranslatableField

    model.translatable_fields = [
        *(TranslatableField(name) for name in WORDS),
        *(SynchronizedField(name, overridable=False) for name in COMMON),
    ]


def translation_of(draft: Any) -> Any:
    """Return the translation that a draft is the target of; None for an ordinary draft."""
    if not is_installed() or draft.locale_id is None:
        return None
    from wagtail_localize.models import Translation

    return Translation.objects.filter(
        source__object_id=draft.translation_key, target_locale_id=draft.locale_id, enabled=True
    ).first()


def is_bound(draft: Any) -> bool:
    """Return whether translations hang on a draft's key and language."""
    if not is_installed() or draft.pk is None:
        return False
    from wagtail_localize.models import TranslationSource

    return bool(TranslationSource.objects.filter(object_id=draft.translation_key).exists())


def submit_url(draft: Any, language: str, user: Any) -> str:
    """Return where the translation of a saved letter is begun; "" where it is begun by a copy."""
    if not is_installed() or draft.locale_id is None or not user.has_perm(SUBMIT):
        return ""
    if translation_of(draft) is not None:
        return ""  # translated itself; wagtail-localize translates sources only
    if not Locale.objects.filter(language_code=language).exists():
        return ""
    model = draft._meta
    return reverse(
        "wagtail_localize:submit_snippet_translation",
        args=[model.app_label, model.model_name, draft.pk],
    )


def is_only_asked_for(draft: Any, revision: Any, user: Any) -> bool:
    """Return whether publishing a draft would send a letter that nobody has translated yet.

    wagtail-localize publishes the copy of a live object in the moment a translation is asked for,
    without asking who may publish. Readers would get it in the wrong language.
    """
    is_first = user is None and not draft.revisions.exclude(pk=revision.pk).exists()
    return is_first and translation_of(draft) is not None


def refuse_broken(draft: Any) -> None:
    """Raise ValidationError where a translation is live, or about to be, and would not compile.

    wagtail-localize keeps the words then, and says so; it publishes after its transaction, where
    nobody would hear the engine.
    """
    if translation_of(draft) is None:
        return
    texts = list(texts_of(look_at(draft).errors, draft))
    if texts:
        raise ValidationError({NON_FIELD_ERRORS: texts})


def translated(draft: Any) -> Any:
    """Return an unsaved letter with the words that are translated so far; None for an ordinary one."""
    translation = translation_of(draft)
    if translation is None:
        return None
    return translation.source.get_ephemeral_translated_instance(
        translation.target_locale, fallback=True
    )


def problems_of(draft: Any, user: Any) -> Iterator[str]:
    """Yield what keeps the words that were translated so far from being published, with places."""
    letter = translated(draft)
    if letter is None:
        return
    lock = draft.get_lock()
    if lock is not None and lock.for_user(user):
        yield str(lock.get_message(user))
    yield from texts_of(look_at(letter).errors, letter)
