"""The pages behind the links in letters.

An id or token that names nothing gets the very same answer as one that does, so that nobody
learns anything by trying.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hmac import compare_digest
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.utils.translation import pgettext
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .conf import site_settings, triggers_settings
from .engine import clicks, unsubscribing, wording
from .insight import health as engine_health
from .insight import metrics as engine_metrics
from .shop import restoring, visitors

View = Callable[..., HttpResponse]


def private_page(view: View) -> View:
    """Keep a page out of caches, search engines, frames and the Referer of what it links to."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "private, no-store"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return xframe_options_deny(answer)


@private_page
@csrf_exempt  # RFC 8058: mailboxes post without cookie; the random id in the path is the proof.
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what unsubscribing stops; a POST does it, for a mailbox's one click or the button."""
    page = "unsubscribe"
    if request.method == "POST":
        now = timezone.now()
        if request.POST.get("action") == "subscribe":
            shown = request.POST.get("shown", "")
            unsubscribing.subscribe_again(public_id, now, shown=shown)
            page = "subscribed"
        else:
            one_click = request.POST.get("List-Unsubscribe") == "One-Click"
            source = "one_click" if one_click else "unsubscribe_page"
            unsubscribing.unsubscribe(public_id, now, source=source)
            page = "unsubscribed"
    site_id = visitors.site_id(request)
    context = {
        **_shop(site_id),
        "topics": [str(label) for label in triggers_settings().topics.values()],
        "again": wording.subscribe_again(site_id=site_id),
    }
    return render(request, f"oscar_triggers/public/{page}.html", context)


@private_page
@require_http_methods(["GET", "HEAD"])
def basket(request: HttpRequest, token: str) -> HttpResponse:
    """Put what a letter was about into the visitor's basket, and go there, or on to the checkout.

    The token is not in the address that the visitor ends at. HEAD, which scanners send, gets
    the same answer and changes nothing.
    """
    now = timezone.now()
    if request.method == "HEAD":
        outcome = restoring.check(token, now)
    else:
        outcome = restoring.restore(request, token, now)
    restored = request.method == "GET" and outcome is restoring.Outcome.RESTORED
    clicks.note_basket(token, _request(request), restored=restored)
    if outcome is restoring.Outcome.RESTORED:
        if request.method == "GET":
            text = pgettext("triggers", "Your basket is back, with today's prices and stock.")
            messages.success(request, text)
        # Oscar's gateway leads on to the step that the checkout needs next.
        return redirect(
            "checkout:index" if request.GET.get("to") == "checkout" else "basket:summary"
        )
    too_often = outcome is restoring.Outcome.TOO_OFTEN
    response = render(
        request,
        "oscar_triggers/public/basket_gone.html",
        {
            **_shop(visitors.site_id(request)),
            "nothing_left": outcome is restoring.Outcome.NOTHING_LEFT,
            "too_often": too_often,
        },
        status=429 if too_often else 404,
    )
    if too_often:
        response["Retry-After"] = str(int(restoring.TRIES_WITHIN.total_seconds()))
    return response


@private_page
@require_http_methods(["GET", "HEAD"])
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Lead on to where a letter's link leads; whatever names no link leads to the front page.

    The address comes from the letter itself, never from the request.
    """
    target = clicks.follow(token, _request(request))
    response = HttpResponse(status=302)
    response["Location"] = iri_to_uri(target) if target else get_script_prefix()
    return response


def _request(request: HttpRequest) -> clicks.Request:
    purpose = request.headers.get("Sec-Purpose") or request.headers.get("Purpose", "")
    return clicks.Request(
        at=timezone.now(),
        method=request.method or "GET",
        user_agent=request.headers.get("User-Agent", ""),
        looks_ahead="prefetch" in purpose or "preview" in purpose or "X-Moz" in request.headers,
        basket_id=visitors.cookie_basket_id(request),
    )


@private_page
@require_http_methods(["GET", "HEAD"])
def health(request: HttpRequest, token: str) -> HttpResponse:
    """Say how the engine is, as JSON for monitoring: 503 when messages do not go out."""
    _know_monitor(token)
    data = engine_health.as_data(engine_health.examine(timezone.now()))
    return JsonResponse(data, status=200 if data["ok"] else 503)


@private_page
@require_http_methods(["GET", "HEAD"])
def metrics(request: HttpRequest, token: str) -> HttpResponse:
    """Give the engine's figures as Prometheus reads them."""
    _know_monitor(token)
    if not engine_metrics.is_possible():
        raise Http404
    text, content_type = engine_metrics.as_text(timezone.now())
    return HttpResponse(text, content_type=content_type)


def _know_monitor(token: str) -> None:
    secret = triggers_settings().health_token
    if not secret or not compare_digest(token.encode(), secret.encode()):
        raise Http404


def _shop(site_id: int | None) -> dict[str, Any]:
    return {"shop_name": site_settings(site_id).shop_name, "shop_url": get_script_prefix()}
