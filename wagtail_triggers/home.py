"""What the front page of Wagtail's admin says of the flows: a figure, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from wagtail import hooks
from wagtail.admin.site_summary import SummaryItem
from wagtail.admin.ui.components import Component

from oscar_triggers.insight.reports import Period, report
from oscar_triggers.insight.standing import standings
from oscar_triggers.insight.troubles import troubles
from oscar_triggers.models import RUNNING, Flow

from .board.money import amounts, whole
from .board.troubles import trouble_rows
from .permissions import VIEW_MESSAGES
from .views.ready import may_see_flows

#: Over how many days the front page counts, and how many troubles it names.
DAYS = 7
MOST_TROUBLES = 3


class TriggersSummaryItem(SummaryItem):
    """How many flows are switched on."""

    order = 250
    template_name = "wagtail_triggers/home/summary.html"

    def is_shown(self) -> bool:
        """Show it to those whom the dashboard lets in."""
        return bool(self.request.user.has_perm(VIEW_MESSAGES))

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        """Count the flows that run."""
        return {"running": Flow.objects.filter(state__in=RUNNING).count()}


class TriggersPanel(Component):
    """The last week in a line, and what is wrong."""

    order = 150
    template_name = "wagtail_triggers/home/panel.html"

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def media(self) -> forms.Media:
        """Bring the dashboard's style."""
        return forms.Media(css={"all": ["wagtail_triggers/dashboard.css"]})

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Count, and look for troubles."""
        now = timezone.now()
        total = report(Period(days=DAYS, now=now, compares=False)).total
        running = Flow.objects.filter(state__in=RUNNING).exists()
        found = troubles(now, list(standings(now).values()), running=running)
        return {
            "days": DAYS,
            "sent": whole(total.sent),
            "clicked": whole(total.clicked),
            "orders": whole(total.orders),
            "revenue": amounts(total.revenue),
            "running": running,
            "may_see_flows": may_see_flows(self.request.user),
            "troubles": trouble_rows(found[:MOST_TROUBLES], self.request.user),
            "more": max(0, len(found) - MOST_TROUBLES),
        }


def add_summary_item(request: HttpRequest, items: list[Any]) -> None:
    """Add the figure to the row at the top."""
    items.append(TriggersSummaryItem(request))


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for those whom the dashboard lets in."""
    user: Any = request.user
    if user.has_perm(VIEW_MESSAGES):
        panels.append(TriggersPanel(request))


def register() -> None:
    """Stand on the front page."""
    hooks.register("construct_homepage_summary_items", add_summary_item)
    hooks.register("construct_homepage_panels", add_panel)
