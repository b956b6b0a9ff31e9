"""Figures in the list of flows: columns, order, filter and export, from three queries for all."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Case, DecimalField, QuerySet, Value, When
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail.admin.ui.tables import Column, NumberColumn, TitleColumn

from oscar_triggers.insight.reports import Figures
from oscar_triggers.insight.standing import LABELS

from ..board.money import amounts
from ..known import Known, KnownFlows, known_flows

#: What the list can be sorted by beside its own columns.
SORTED = ("waiting_count", "sent_count", "clicked_count", "order_count", "revenue")


class HealthColumn(Column):
    """How a flow is, in one word, with the reason below."""

    cell_template_name = "wagtail_triggers/tables/health.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        """Add how the flow is."""
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        context["standing"] = instance.standing
        return context


FIGURE_COLUMNS: tuple[Column, ...] = (
    NumberColumn(
        "waiting_count",
        label=pgettext_lazy("triggers", "On their way"),
        sort_key="waiting_count",
    ),
    NumberColumn(
        "sent_count", label=pgettext_lazy("triggers", "Sent, 30 days"), sort_key="sent_count"
    ),
    NumberColumn(
        "clicked_count", label=pgettext_lazy("triggers", "Clicked"), sort_key="clicked_count"
    ),
    NumberColumn("order_count", label=pgettext_lazy("triggers", "Orders"), sort_key="order_count"),
    NumberColumn("revenue", label=pgettext_lazy("triggers", "Revenue"), sort_key="revenue"),
    HealthColumn("health", label=pgettext_lazy("triggers", "Health"), accessor="pk", width="15%"),
)

_HEADINGS: dict[str, Any] = {
    "name": pgettext_lazy("triggers", "Flow"),
    "key": pgettext_lazy("triggers", "Key"),
    "state": pgettext_lazy("triggers", "State"),
    "trigger": pgettext_lazy("triggers", "Starts when"),
    **{column.name: column.label for column in FIGURE_COLUMNS},
    "reason": pgettext_lazy("triggers", "Why"),
}


class HealthFilter(django_filters.ChoiceFilter):
    """Keeps the flows that are fine, quiet, in trouble …"""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", pgettext_lazy("triggers", "Health"))
        kwargs.setdefault("choices", [(health.value, word) for health, word in LABELS.items()])
        kwargs.setdefault("empty_label", pgettext_lazy("triggers", "All"))
        super().__init__(**kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Keep the flows in a state of health."""
        if not value:
            return qs
        return qs.filter(key__in=known_flows(self.parent.request).with_health(value))


class FlowFiguresMixin:
    """Mixed into the list of flows: what is known of each stands in its row."""

    list_export = list(_HEADINGS)
    export_headings = _HEADINGS
    export_filename = "flows"
    request: Any
    ordering: Any

    @cached_property
    def columns(self) -> list[Any]:
        """Leave room for the names: so many figures would break them into pieces."""
        view: Any = super()
        found: list[Any] = view.columns
        for column in found:
            if isinstance(column, TitleColumn):
                column.width = "20%"
        return found

    @cached_property
    def known(self) -> KnownFlows:
        """Return what is known of all flows."""
        return known_flows(self.request)

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Sort by what is known of the flows where that was asked for."""
        view: Any = super()
        wanted = self.ordering if isinstance(self.ordering, str) else ""
        name = wanted.removeprefix("-")
        if name not in SORTED:
            ordered: QuerySet[Any] = view.order_queryset(queryset)
            return ordered
        number = DecimalField(max_digits=20, decimal_places=2)
        rank = Case(
            *(
                When(key=key, then=Value(value, output_field=number))
                for key, value in self.known.ranks(name).items()
            ),
            default=Value(0, output_field=number),
            output_field=number,
        )
        # The column of changes shows what Wagtail adds while it sorts.
        changed: QuerySet[Any] = view._annotate_queryset_updated_at(queryset)
        ranked: QuerySet[Any] = changed.annotate(known_rank=rank)
        return ranked.order_by("-known_rank" if wanted.startswith("-") else "known_rank", "name")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Tell each row what is known of its flow."""
        view: Any = super()
        context: dict[str, Any] = view.get_context_data(*args, **kwargs)
        for draft in context["object_list"]:
            _tell(draft, self.known.by_key.get(draft.key))
        return context


def exported_flow(draft: Any, known: KnownFlows, **place: str) -> dict[str, Any]:
    """Return one row of the export; `place` is what the list says beside the figures."""
    _tell(draft, known.by_key.get(draft.key))
    standing = draft.standing
    return {
        "name": draft.name,
        "key": draft.key,
        **place,
        "waiting_count": draft.waiting_count,
        "sent_count": draft.sent_count,
        "clicked_count": draft.clicked_count,
        "order_count": draft.order_count,
        "revenue": draft.revenue,
        "health": str(capfirst(standing.label)) if standing is not None else "",
        "reason": standing.reason if standing is not None else "",
    }


def _tell(draft: Any, known: Known | None) -> None:
    figures = known.figures if known is not None else Figures()
    draft.standing = known.standing if known is not None else None
    draft.waiting_count = known.standing.people if known is not None else 0
    draft.sent_count = figures.sent
    draft.clicked_count = figures.clicked
    draft.order_count = figures.orders
    draft.revenue = amounts(figures.revenue)
