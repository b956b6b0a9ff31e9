"""The list of blocked addresses: who is on it and why, adding one, and lifting one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from oscar_triggers import channels
from oscar_triggers.engine import by_staff, suppressing
from oscar_triggers.models import ContactPoint, Suppression, SuppressionReason, point_hash
from oscar_triggers.policy import points

from ..contacts import history
from ..contacts.ledger import channel_name
from ..forms.contacts import ReasonForm
from ..permissions import CHANGE_CONTACTS, VIEW_CONTACTS
from .access import requires
from .sending import frame

PAGE = 50
#: Of an address that several contacts have, so many points are read.
_MOST_POINTS = 500


def _channels() -> list[tuple[str, str]]:
    known = dict.fromkeys((points.EMAIL, points.SMS, *channels.registry))
    return [(kind, capfirst(channel_name(kind))) for kind in known]


class BlockForm(ReasonForm):
    """An address that is never written to again."""

    channel = forms.ChoiceField(label=pgettext_lazy("triggers", "Channel"), choices=_channels)
    address = forms.CharField(label=pgettext_lazy("triggers", "Address"), max_length=320)
    field_order = ["channel", "address", "reason"]

    def clean(self) -> dict[str, Any]:
        """Bring the address into its one spelling."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("channel") and data.get("address"):
            try:
                data["normalised"] = points.normalise(data["channel"], data["address"])
            except ValueError as error:
                self.add_error("address", str(error))
        return data


class NarrowForm(forms.Form):
    """Narrows the list by reason."""

    reason = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Reason"),
        choices=[("", pgettext_lazy("triggers", "All")), *SuppressionReason.choices],
        required=False,
    )


@require_http_methods(["GET", "POST"])
@requires(VIEW_CONTACTS)
def suppressions(request: HttpRequest) -> HttpResponse:
    """Show the blocked addresses, the newest first; a POST asks about one address."""
    narrow = NarrowForm(request.GET)
    rows = Suppression.objects.order_by("-created_at", "-pk")
    looked_for = str(request.POST.get("find", "")) if request.method == "POST" else ""
    if looked_for:
        hashes = [
            point_hash(channel, normalised)
            for channel, _label in _channels()
            if (normalised := points.normalise_or_nothing(channel, looked_for))
        ]
        rows = rows.filter(point_hash__in=hashes)
    elif narrow.is_valid() and narrow.cleaned_data["reason"]:
        rows = rows.filter(reason=narrow.cleaned_data["reason"])
    page = Paginator(rows, PAGE).get_page(request.GET.get("p"))
    return _page(request, page, narrow, BlockForm(), looked_for=looked_for)


def _page(
    request: HttpRequest, page: Any, narrow: NarrowForm, form: BlockForm, *, looked_for: str
) -> HttpResponse:
    known = _people_of(page.object_list)
    return TemplateResponse(
        request,
        "wagtail_triggers/suppressions.html",
        {
            **frame(pgettext("triggers", "Blocked addresses"), below=True),
            "page": page,
            "narrow": narrow,
            "form": form,
            "looked_for": looked_for,
            "reason": request.GET.get("reason", ""),
            "rows": [
                {
                    "row": row,
                    "channel": capfirst(channel_name(row.channel)),
                    "points": known.get((row.channel, row.point_hash), []),
                    "liftable": row.reason in by_staff.LIFTABLE,
                }
                for row in page.object_list
            ],
            "may_change": request.user.has_perm(CHANGE_CONTACTS),
            "history": history.of_kind(Suppression),
        },
    )


def _people_of(rows: Any) -> dict[tuple[str, str], list[ContactPoint]]:
    """Return the points that still stand behind hashes, by one query."""
    found: dict[tuple[str, str], list[ContactPoint]] = {}
    known = ContactPoint.objects.filter(point_hash__in=[row.point_hash for row in rows])
    for point in known.order_by("pk")[:_MOST_POINTS]:
        found.setdefault((point.channel, point.point_hash), []).append(point)
    return found


@require_POST
@requires(VIEW_CONTACTS, CHANGE_CONTACTS)
def block(request: HttpRequest) -> HttpResponse:
    """Block an address, also one that nobody is known by."""
    form = BlockForm(request.POST)
    if not form.is_valid():
        page = Paginator(Suppression.objects.order_by("-created_at", "-pk"), PAGE).get_page(1)
        return _page(request, page, NarrowForm({}), form, looked_for="")
    data = form.cleaned_data
    hash_ = point_hash(data["channel"], data["normalised"])
    with transaction.atomic():
        new = suppressing.suppress(
            [(data["channel"], hash_)],
            SuppressionReason.MANUAL,
            timezone.now(),
            note=data["reason"],
        )
        if new:
            row = Suppression.objects.get(channel=data["channel"], point_hash=hash_)
            about = capfirst(channel_name(row.channel))
            history.write(row, "block_address", request.user, reason=data["reason"], about=about)
    if new:
        messages.success(request, pgettext("triggers", "Nothing is sent there any more."))
    else:
        messages.error(request, pgettext("triggers", "This address is blocked already."))
    return redirect("wagtail_triggers:suppressions")


@require_http_methods(["GET", "POST"])
@requires(VIEW_CONTACTS, CHANGE_CONTACTS)
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why, and lift a block that staff may lift."""
    row = get_object_or_404(Suppression, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            lifted = by_staff.lift(row.channel, row.point_hash)
            if lifted:
                history.write(
                    row,
                    "lift_block",
                    request.user,
                    reason=form.cleaned_data["reason"],
                    about=capfirst(channel_name(row.channel)),
                )
        if lifted:
            text = pgettext("triggers", "It may be written to again where consent allows it.")
            messages.success(request, text)
        else:
            text = pgettext(
                "triggers",
                "It stays blocked: who complained about a letter, or asked to be forgotten, is "
                "never written to again.",
            )
            messages.error(request, text)
        return redirect("wagtail_triggers:suppressions")
    return TemplateResponse(
        request,
        "wagtail_triggers/lift.html",
        {
            **frame(pgettext("triggers", "Lift a block"), below=True),
            "form": form,
            "row": row,
            "points": _people_of([row]).get((row.channel, row.point_hash), []),
        },
    )
