"""The letters that ship: a picture of each, and a button that makes drafts of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from ..letter_pictures import sheet_of
from ..models import TemplateDraft
from ..ready_letters import every, find, in_shops_languages, make_drafts, preferred
from .access import requires
from .letters import ADD, CHANGE


@require_GET
@requires(ADD)
def ready_letters(request: HttpRequest) -> HttpResponse:
    """Show every letter that ships."""
    names = dict(settings.LANGUAGES)
    return TemplateResponse(
        request,
        "wagtail_triggers/ready_letters.html",
        {
            "page_title": pgettext("triggers", "Ready letters"),
            "header_title": pgettext("triggers", "Ready letters"),
            "header_icon": "mail",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {"url": _list_url(), "label": pgettext("triggers", "Templates")},
                {"url": "", "label": pgettext("triggers", "Ready letters")},
            ],
            "letters": [
                {
                    "name": one.name,
                    "language": one.language,
                    "words": one.words[one.language],
                    "languages": ", ".join(
                        str(names.get(code, code)) for code in in_shops_languages(one)
                    ),
                    "sheet": sheet_of(one.kinds),
                }
                for one in every()
            ],
        },
    )


@require_POST
@requires(ADD)
def make_letter_draft(request: HttpRequest, name: str) -> HttpResponse:
    """Make drafts of a letter that ships, one in each language, and open the reader's."""
    letter = find(name)
    if letter is None:
        raise Http404
    user: Any = request.user
    drafts = make_drafts(letter, by=user)
    draft = drafts[preferred(drafts)]
    messages.success(
        request,
        pgettext("triggers", "“%(letter)s” is a draft in each language. Nothing is sent yet.")
        % {"letter": draft.name},
    )
    return redirect(_edit_url(draft) if user.has_perm(CHANGE) else _list_url())


def _edit_url(draft: TemplateDraft) -> str:
    return reverse(TemplateDraft.snippet_viewset.get_url_name("edit"), args=[quote(draft.pk)])


def _list_url() -> str:
    return reverse(TemplateDraft.snippet_viewset.get_url_name("list"))
