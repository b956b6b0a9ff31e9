"""What Wagtail calls translations: letters with one key, each in the locale of its language."""

from __future__ import annotations

import uuid

from wagtail.models import Locale

#: Keys of letters become keys of translations within this name (RFC 9562 §5.5); a promise, for
#: both are stored.
_NAMES = uuid.UUID("3f0e5c0a-6f1d-4f0b-9a5e-0d8f3c1b7a42")


def translation_key_of(key: str) -> uuid.UUID:
    """Return what all languages of a letter have in common for Wagtail."""
    return uuid.uuid5(_NAMES, key)


def locale_of(language: str) -> Locale | None:
    """Return Wagtail's locale of a language; None where the site has none.

    Letters may be written in languages in which the site has no pages.
    """
    return Locale.objects.filter(language_code=language).first() if language else None
