"""The languages of one letter, as tabs above its form: each is a draft of its own under one key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.urls import reverse

from oscar_triggers.engine import templates

from . import localizing
from .models import TemplateDraft
from .publishing import language_choices
from .states import template_state_label


@dataclass(frozen=True, kw_only=True)
class LanguageTab:
    """One language of the shop: written already, or begun by a copy."""

    code: str
    name: str
    #: Of its form, or of the copy with which it begins; "" for who may not do that.
    url: str
    is_current: bool = False
    #: Whether its address is wagtail-localize's and no copy's.
    is_asked_for: bool = False
    #: "" while nobody has written it.
    state: str = ""
    #: What people of a language that is not published get instead; "" where nothing is.
    instead: str = ""


def tabs_of(draft: TemplateDraft, user: Any) -> Sequence[LanguageTab]:
    """Return the languages of a saved letter in the shop's order, in one query.

    wagtail-localize, where it is installed, asks a few more to offer its translations.
    """
    names = dict(language_choices())
    written = {one.language: one for one in TemplateDraft.objects.filter(key=draft.key)}
    published = sorted(code for code, one in written.items() if one.live)
    # Languages that the shop has no longer are shown where something is written in them.
    codes = [*names, *sorted(set(written) - set(names))]
    return tuple(
        _tab(code, str(names.get(code, code)), draft, written.get(code), published, user)
        for code in codes
    )


def _tab(
    code: str,
    name: str,
    draft: TemplateDraft,
    row: TemplateDraft | None,
    published: Sequence[str],
    user: Any,
) -> LanguageTab:
    instead = ""
    if published and code not in published:
        chosen = templates.preferred(published, code)
        instead = str(dict(language_choices()).get(chosen, chosen))
    if row is None:
        asked = localizing.submit_url(draft, code, user)
        return LanguageTab(
            code=code,
            name=name,
            url=asked or _copy(draft, code, user),
            is_asked_for=bool(asked),
            instead=instead,
        )
    return LanguageTab(
        code=code,
        name=name,
        url=reverse(draft.snippet_viewset.get_url_name("edit"), args=[quote(row.pk)]),
        is_current=row.pk == draft.pk,
        state=str(template_state_label(row)),
        instead=instead,
    )


def _copy(draft: TemplateDraft, code: str, user: Any) -> str:
    if not user.has_perm("wagtail_triggers.add_templatedraft"):
        return ""
    url = reverse(draft.snippet_viewset.get_url_name("copy"), args=[quote(draft.pk)])
    return f"{url}?{urlencode({'language': code})}"


def context_of(draft: Any, user: Any) -> dict[str, Any]:
    """Return what the form's page adds to its context: nothing in a shop of one language."""
    if not draft.key or len(language_choices()) < 2:
        return {}
    return {"letter_languages": tabs_of(draft, user)}
