"""What a shop puts into its own pages: the opt-in box, the notice of a sale, the time zone."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..conf import triggers_settings
from ..engine import consents, wording
from ..models import ALL_TOPICS
from ..policy.points import EMAIL
from ..shop import visitors
from ..shop.requests import asking, showing

register = template.Library()


@register.inclusion_tag("oscar_triggers/partials/opt_in.html", takes_context=True)
def triggers_opt_in(context: Context, channel: str = EMAIL, topic: str = "") -> dict[str, Any]:
    """Show an unticked box by which a visitor allows messages of one topic on one channel.

    Without a topic: the first of OSCAR_TRIGGERS["TOPICS"]. The words are kept with the consent.
    """
    topic = topic or next(iter(triggers_settings().topics), ALL_TOPICS)
    box = f"{channel}:{topic}"
    request = context.get("request")
    return {
        "field": consents.OPT_IN_FIELD,
        "box": box,
        "element_id": f"{consents.OPT_IN_FIELD}_{channel}_{topic}".replace("*", "all"),
        "shown_field": f"{consents.SHOWN_FIELD}:{box}",
        "words": wording.opt_in(channel, topic, site_id=visitors.site_id(request)),
        "ticked": box in _posted(request, consents.OPT_IN_FIELD),
    }


@register.simple_tag(takes_context=True)
def triggers_sale_notice(context: Context) -> str:
    """Say that a sale allows letters, with a box to refuse; nothing unless SOFT_OPT_IN is on."""
    if not triggers_settings().soft_opt_in:
        return ""
    request = context.get("request")
    site_id = visitors.site_id(request)
    return render_to_string(
        "oscar_triggers/partials/sale_notice.html",
        {
            "field": consents.OPT_OUT_FIELD,
            "shown_field": f"{consents.SHOWN_FIELD}:{consents.OPT_OUT_FIELD}",
            "notice": wording.soft_opt_in(site_id=site_id),
            "words": wording.opt_out(site_id=site_id),
            "ticked": bool(_posted(request, consents.OPT_OUT_FIELD)),
        },
    )


@register.simple_tag(takes_context=True)
def triggers_tell_me(context: Context, product: Any) -> str:
    """Offer to write when a product is back in stock, or cheaper; nothing where no flow would.

    Without a strategy in the request, as on a shop's own page, both are offered.
    """
    request = context.get("request")
    form = showing.form(
        product,
        user=getattr(request, "user", None),
        strategy=getattr(request, "strategy", None),
    )
    if form is None:
        return ""
    values = {"form": form, "is_member": getattr(getattr(request, "user", None), "pk", None)}
    return render_to_string("oscar_triggers/requests/tell_me.html", values, request=request)


@register.simple_tag(takes_context=True)
def triggers_waiting_count(context: Context) -> int:
    """Count what the visitor's account waits for, for a link to the page that lists it."""
    user_id = getattr(getattr(context.get("request"), "user", None), "pk", None)
    return asking.requests_of(user_id).count() if user_id is not None else 0


def _posted(request: HttpRequest | None, field: str) -> list[str]:
    if request is None or request.method != "POST":
        return []
    return request.POST.getlist(field)


@register.simple_tag(takes_context=True)
def triggers_time_zone(context: Context) -> SafeString:
    """Load the few lines of script that tell the shop the visitor's time zone by a cookie."""
    source = static("oscar_triggers/public/time_zone.js")
    if nonce := context.get("csp_nonce"):
        return format_html('<script src="{}" nonce="{}" defer></script>', source, nonce)
    return format_html('<script src="{}" defer></script>', source)
