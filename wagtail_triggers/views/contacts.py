"""Acts for one person: what it does is said first, a reason is asked, then it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from oscar_triggers.models import Contact

from ..contacts import history
from ..contacts.acts import ACTS, Act, Wish, target_of
from ..contacts.finding import name_of
from ..permissions import CHANGE_CONTACTS, VIEW_CONTACTS
from .access import requires


@require_http_methods(["GET", "POST"])
@requires(VIEW_CONTACTS, CHANGE_CONTACTS)
def act(request: HttpRequest, pk: int, verb: str, target: int) -> HttpResponse:
    """Ask why, and do it; what became of it is said on the person's page."""
    contact = get_object_or_404(Contact, pk=pk)
    chosen = ACTS.get(verb)
    if chosen is None:
        raise Http404
    try:
        row = target_of(chosen, contact, target)
    except ObjectDoesNotExist:
        raise Http404 from None
    form = chosen.form_class(request.POST or None, initial={"topic": request.GET.get("topic")})
    if request.method == "POST" and form.is_valid():
        wish = Wish(
            contact=contact,
            target=row,
            values=form.cleaned_data,
            by=request.user,
            now=timezone.now(),
        )
        # What was done and who did it are kept together, or neither is.
        with transaction.atomic():
            said = chosen.do(wish)
            if said.done:
                reason = form.cleaned_data["reason"]
                history.write(
                    contact, f"contact_{verb}", request.user, reason=reason, about=said.about
                )
        tell = messages.success if said.done else messages.error
        tell(request, said.text)
        return redirect("triggers_contacts:inspect", contact.pk)
    return TemplateResponse(
        request,
        "wagtail_triggers/act.html",
        {**_frame(chosen, contact), "form": form, "target": row},
    )


def _frame(chosen: Act, contact: Contact) -> dict[str, Any]:
    page = reverse("triggers_contacts:inspect", args=[contact.pk])
    return {
        "page_title": f"{chosen.label}: {name_of(contact)}",
        "header_title": capfirst(str(chosen.label)),
        "header_icon": "user",
        "act": chosen,
        "contact": contact,
        "back_url": page,
        "breadcrumbs_items": [
            {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
            {"url": reverse("triggers_contacts:index"), "label": pgettext("triggers", "Contacts")},
            {"url": page, "label": name_of(contact)},
            {"url": "", "label": str(chosen.label)},
        ],
    }
