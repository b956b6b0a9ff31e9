"""The dashboard: what was sent and what came of it, what comes next, and what is wrong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from oscar_triggers.insight.reports import Period, report
from oscar_triggers.insight.standing import standings
from oscar_triggers.insight.troubles import troubles
from oscar_triggers.insight.upcoming import waiting
from oscar_triggers.models import RUNNING, Flow, SegmentRoll

from .. import segment_filter
from ..board.cards import cards
from ..board.charts import chart
from ..board.forms import DashboardForm
from ..board.tables import upcoming_rows
from ..board.troubles import trouble_rows
from ..permissions import VIEW_MESSAGES
from .access import requires
from .ready import may_see_flows


@require_GET
@requires(VIEW_MESSAGES)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the figures of a period, who waits, and what is wrong; in a fixed number of queries."""
    segment_filter.refuse_strangers(request)
    now = timezone.now()
    flows = list(Flow.objects.only("pk", "key", "name", "state").order_by("name", "pk"))
    may_narrow = segment_filter.may_narrow(request.user)
    form = DashboardForm(
        request.GET, flows=flows, segments=segment_filter.choices() if may_narrow else ()
    )
    flow_id = form.flow_id
    narrowed = None
    if form.segment_key:
        url = segment_filter.page_of(request.path, request)
        narrowed = segment_filter.narrowed(form.segment_key, url)
    # Before the first count is finished nobody belongs.
    roll = (narrowed.standing.roll or SegmentRoll(pk=0)) if narrowed else None
    figures = report(Period(days=form.day_count, now=now), flow_id=flow_id, roll=roll)
    ahead = waiting(now, flow_id=flow_id, roll=roll)
    names = {flow.pk: flow.name for flow in flows}
    standing = list(standings(now).values())
    found = troubles(now, standing, running=any(flow.state in [*RUNNING] for flow in flows))
    return TemplateResponse(
        request,
        "wagtail_triggers/dashboard.html",
        {
            "page_title": pgettext("triggers", "Dashboard"),
            "header_title": pgettext("triggers", "Dashboard"),
            "header_icon": "triggers-flow",
            "breadcrumbs_items": [
                {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
                {"url": "", "label": pgettext("triggers", "Dashboard")},
            ],
            "form": form,
            "days": form.day_count,
            "has_flows": bool(flows),
            "is_empty": figures.is_empty and narrowed is None,
            "narrowed": narrowed,
            "cards": cards(figures, ahead),
            "chart": chart(figures, names),
            "upcoming": upcoming_rows(ahead, names),
            "troubles": trouble_rows(found, request.user),
            "may_see_flows": may_see_flows(request.user),
        },
    )
