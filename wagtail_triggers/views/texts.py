"""Counting a text while it is written."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ..models import TemplateDraft
from ..permissions import VIEW_PERSONAL_DATA, WRITES_LETTERS
from ..publishing import language_choices
from ..text_counting import counted
from ..texts import is_text
from .access import requires


@require_POST
@requires(any_of=WRITES_LETTERS)
def count(request: HttpRequest) -> HttpResponse:
    """Say what the text in the form costs, and show it as it would arrive."""
    languages = dict(language_choices())
    language = request.POST.get("language", "")
    draft = TemplateDraft(
        channel=request.POST.get("channel", ""),
        text=request.POST.get("text", ""),
        language=language if language in languages else next(iter(languages)),
    )
    draft.preview_as = request.POST.get("preview_as", "")
    found = (
        counted(draft, personal=request.user.has_perm(VIEW_PERSONAL_DATA), now=timezone.now())
        if is_text(draft) and draft.text.strip()
        else None
    )
    return TemplateResponse(request, "wagtail_triggers/desk/words.html", {"counted": found})
