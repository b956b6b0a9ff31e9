"""The language of staff, where Wagtail forgets to ask for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.utils import translation

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def in_staff_language(view: View[P]) -> View[P]:
    """Answer in the language that the reader chose for Wagtail's admin.

    Wagtail makes previews by a request of its own, which speaks the shop's language.
    """

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        with translation.override(_language_of(getattr(request, "user", None))):
            response: Any = view(request, *args, **kwargs)
            if not getattr(response, "is_rendered", True):
                response.render()
            answered: HttpResponse = response
            return answered

    return answer


def _language_of(user: Any) -> str:
    profile = getattr(user, "wagtail_userprofile", None)
    return str(getattr(profile, "preferred_language", "") or translation.get_language() or "en")
