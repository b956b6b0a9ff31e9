"""The pages on which people ask to be told of a product, confirm it, see it and take it back."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from .conf import site_settings, triggers_settings
from .engine import unsubscribing
from .models import ProductRequest, RequestKind
from .shop import visitors
from .shop.requests import asking, showing
from .shop.requests.asking import Answer, Wish
from .views import private_page


@require_POST
def ask(request: HttpRequest, product_id: int) -> HttpResponse:
    """Note what a visitor wants to be told, and go back to the product."""
    shown = showing.one(product_id)
    if shown is None or not shown.url:
        raise Http404
    now = timezone.now()
    answer = asking.ask(
        _wish(request, product_id),
        visitors.person(
            request,
            user=request.user if request.user.is_authenticated else None,
            email=request.POST.get("email", "")[:320],
        ),
        now,
        site_id=visitors.site_id(request),
        visitor=_visitor(request),
    )
    level, text = _said(answer)
    messages.add_message(request, level, text)
    return redirect(shown.url)


def _wish(request: HttpRequest, product_id: int) -> Wish:
    kind = request.POST.get("kind", RequestKind.BACK)
    if kind not in RequestKind.values:
        raise Http404
    return Wish(
        product_id=showing.variant_of(product_id, request.POST.get("variant", "")),
        kind=kind,
        quantity=_whole(request.POST.get("quantity", "")),
        target_price=_price(request.POST.get("target_price", "")),
        currency=showing.currency(request),
    )


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _price(text: str) -> Decimal | None:
    """Read a price as people write it; None for what is none."""
    field = ProductRequest._meta.get_field("target_price")
    assert isinstance(field, models.DecimalField)
    try:
        price = Decimal(text.strip().replace(",", "."))
        price = price.quantize(Decimal("0.01"))
        field.run_validators(price)
    except (InvalidOperation, ValidationError):
        return None
    return price if price > 0 else None


def _visitor(request: HttpRequest) -> str:
    """Return what tells visitors apart: who throws cookies away still has an address.

    Behind a proxy that address is the proxy's own and everybody's: then only a session tells.
    """
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        address = None
    if address is not None and address.is_global:
        return str(address)
    return request.session.session_key or ""


def _said(answer: Answer) -> tuple[int, str]:
    if answer is Answer.NOTED:
        return messages.SUCCESS, pgettext("triggers", "We will write to you.")
    if answer is Answer.CONFIRM:
        return messages.SUCCESS, pgettext(
            "triggers",
            "Please look into your mailbox: we write to you once you have followed the link "
            "in our letter.",
        )
    if answer is Answer.TOO_OFTEN:
        return messages.ERROR, pgettext(
            "triggers", "You have asked very often. Please try again in an hour."
        )
    if answer is Answer.NO_ADDRESS:
        return messages.ERROR, pgettext("triggers", "Please write your e-mail address.")
    return messages.ERROR, pgettext("triggers", "We cannot tell you about this product.")


@private_page
@csrf_exempt  # The page sends no Referer and so no Origin; the signed token is the proof.
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask a guest to confirm; the button does it. A token that names nothing gets the same page."""
    found = asking.confirmable(token)
    page = "request_confirm"
    if request.method == "POST":
        asking.confirm(token, timezone.now())
        page = "request_confirmed"
    return _page(request, page, found)


@private_page
@csrf_exempt  # As above: the random id in the path is the proof.
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what a letter's reader waits for; the button takes it back."""
    found = asking.by_public_id(public_id)
    page = "request_cancel"
    if request.method == "POST":
        if found is not None:
            asking.cancel(found, timezone.now())
        page = "request_cancelled"
    return _page(request, page, found)


def _page(request: HttpRequest, page: str, found: ProductRequest | None) -> HttpResponse:
    shown = showing.one(found.product_id) if found is not None else None
    context: dict[str, Any] = {
        **_shop(request),
        "product": shown,
        "cheaper": found is not None and found.kind == RequestKind.CHEAPER,
    }
    return render(request, f"oscar_triggers/public/{page}.html", context)


@private_page
@csrf_exempt  # As above.
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a letter's reader what they wait for, and the way to stop all else; a POST takes back.

    An id that names no letter gets the page of somebody who waits for nothing.
    """
    reader = unsubscribing.reader_of(public_id)
    waiting = (
        ProductRequest.objects.none() if reader is None else asking.requests_of_contact(reader)
    )
    cancelled = False
    if request.method == "POST":
        found = waiting.filter(public_id=request.POST.get("request", "")).first()
        cancelled = found is not None and asking.cancel(found, timezone.now())
    context: dict[str, Any] = {
        **_shop(request),
        "requests": showing.listed(waiting),
        "cancelled": cancelled,
        "topics": [str(label) for label in triggers_settings().topics.values()],
        "unsubscribe_url": reverse("oscar_triggers:unsubscribe", args=[public_id]),
    }
    return render(request, "oscar_triggers/public/preferences.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest) -> HttpResponse:
    """Show a customer what they wait for; a POST takes one back."""
    waiting = asking.requests_of(request.user.pk)
    if request.method == "POST":
        found = waiting.filter(public_id=request.POST.get("request", "")).first()
        if found is not None:
            asking.cancel(found, timezone.now())
            messages.success(request, pgettext("triggers", "We will not write to you about it."))
        return redirect("oscar_triggers:requests")
    return render(
        request,
        "oscar_triggers/requests/list.html",
        {**_shop(request), "requests": showing.listed(waiting)},
    )


def _shop(request: HttpRequest) -> dict[str, Any]:
    shop_name = site_settings(visitors.site_id(request)).shop_name
    return {"shop_name": shop_name, "shop_url": get_script_prefix()}
