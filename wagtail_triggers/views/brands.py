"""Publishing letters again after their looks changed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import npgettext, pgettext
from django.views.decorators.http import require_POST
from wagtail.log_actions import log

from .. import brands
from ..permissions import CHANGE_LOOKS, PUBLISH_TEMPLATE
from .access import requires


@require_POST
@requires(CHANGE_LOOKS, PUBLISH_TEMPLATE)
def publish_again(request: HttpRequest) -> HttpResponse:
    """Give every published letter made of blocks the looks of today."""
    done = brands.publish_again(brands.older_letters(), by=request.user, now=timezone.now())
    for draft in done.published:
        log(draft, "wagtail.publish", user=request.user)
    if done.published:
        count = len(done.published)
        messages.success(
            request,
            npgettext(
                "triggers",
                "%(count)d letter was published again in the looks of today.",
                "%(count)d letters were published again in the looks of today.",
                count,
            )
            % {"count": count},
        )
    for draft, reason in done.refused:
        messages.error(
            request,
            pgettext("triggers", "“%(letter)s” keeps its old looks: %(reason)s")
            % {"letter": draft, "reason": reason},
        )
    return redirect(reverse("wagtailsettings:edit", args=["wagtail_triggers", "letterbrand"]))
