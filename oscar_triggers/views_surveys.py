"""The pages on which people answer surveys and write reviews; a link alone records nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .conf import site_settings
from .shop import visitors
from .shop.reviews.pages import review_page
from .shop.surveys import answering, links
from .views import private_page


@private_page
@csrf_exempt  # The signed token is the proof, and with no-referrer a browser's Origin is "null".
@require_http_methods(["GET", "HEAD", "POST"])
def survey(request: HttpRequest, token: str) -> HttpResponse:
    """Ask one question, with the answer chosen that was clicked; a POST keeps the answer."""
    opened = answering.open_link(token)
    if opened is None:
        return _page(request, "survey_gone", status=404)
    if request.method != "POST":
        chosen = answering.read_score(opened, request.GET.get("score", ""))
        return _page(request, "survey", **_form(opened, chosen))
    if not answering.may_answer(token):
        return _page(request, "survey_gone", status=429, too_often=True)
    score = answering.read_score(opened, request.POST.get("score", ""))
    text = request.POST.get("text", "")
    if score is None:
        return _page(request, "survey", status=400, missing=True, text=text, **_form(opened, None))
    answering.answer(opened, score, text, timezone.now())
    following = answering.next_of(opened)
    form = _form(following, None) if following is not None else {}
    return _page(request, "survey_done", **form)


@xframe_options_deny
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, product_id: int) -> HttpResponse:
    """Show the shop's own review form, with the stars chosen that were clicked."""
    response = review_page(request, product_id)
    # The form is sent under the shop's own rules, which want to know where it comes from.
    response["Referrer-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _form(opened: answering.Opened, chosen: int | None) -> dict[str, Any]:
    return {
        "survey": opened.survey,
        "chosen": chosen,
        "action": links.path_of(opened.invitation),
        "longest": answering.LONGEST_TEXT,
    }


def _page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    shop = {
        "shop_name": site_settings(visitors.site_id(request)).shop_name,
        "shop_url": get_script_prefix(),
    }
    template = f"oscar_triggers/public/{name}.html"
    return render(request, template, {**shop, **context}, status=status)
