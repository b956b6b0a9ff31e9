"""The box “Why did, or didn't, they get it?”: a flow, a person, and the answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from oscar_triggers.models import Contact, Flow

from ..contacts import asking, finding
from ..forms.contacts import WhyForm
from ..permissions import VIEW_CONTACTS
from .access import requires


@require_http_methods(["GET", "POST"])
@requires(VIEW_CONTACTS)
def why(request: HttpRequest) -> HttpResponse:
    """Answer. A known person comes by number; an address is posted, so that no URL holds it."""
    number = request.GET.get("contact", "")
    contact: Contact | None = None
    if number.isdecimal():
        contact = get_object_or_404(Contact.objects.select_related("joined_into"), pk=number)
        contact = contact.joined_into or contact
    known = contact is not None
    told = request.POST if request.method == "POST" else request.GET
    asked = request.method == "POST" or (known and "flow" in request.GET)
    form = WhyForm(told if asked else None, known=known)
    context: dict[str, Any] = {"form": form, "contact": contact}
    if asked and form.is_valid():
        context.update(_answered(form.cleaned_data["flow"], contact, form.cleaned_data.get("who")))
    return TemplateResponse(request, "wagtail_triggers/why.html", {**_frame(), **context})


def _answered(flow: Flow, contact: Contact | None, who: str | None) -> dict[str, Any]:
    now = timezone.now()
    if contact is None:
        contact = finding.find(who or "").first()
    reply = asking.nobody(now) if contact is None else asking.ask(contact, flow, now)
    name = finding.name_of(contact) if contact is not None else ""
    return {"flow": flow, "contact": contact, "name": name, "reply": reply}


def _frame() -> dict[str, Any]:
    title = pgettext("triggers", "Why did they get it, or not?")
    return {
        "page_title": title,
        "header_title": title,
        "header_icon": "help",
        "breadcrumbs_items": [
            {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
            {
                "url": reverse("triggers_contacts:index"),
                "label": pgettext("triggers", "Contacts"),
            },
            {"url": "", "label": title},
        ],
    }
