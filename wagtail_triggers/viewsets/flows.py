"""Flows in Wagtail's admin."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import (
    FieldPanel,
    MultiFieldPanel,
    ObjectList,
    TabbedInterface,
    TitleFieldPanel,
)
from wagtail.admin.ui.tables import Column, StatusTagColumn, UpdatedAtColumn
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.snippets.views.snippets import (
    CopyView,
    CreateView,
    EditView,
    IndexView,
    SnippetViewSet,
)

from oscar_triggers import events
from oscar_triggers.models import Flow, FlowState

from ..desk_panels import MatchingPanel, VersionsPanel
from ..forms.dates import hour_input, publishing_panel
from ..gallery import starts
from ..leaving import FlowUnpublishView
from ..models import FlowDraft
from ..paging import CountingPaginator
from ..panels import FlowNowPanel
from ..permissions import PAUSE_FLOW
from ..side_panels import WithFlowPanels
from ..states import CHANGED, DRAFT, LABELS, flow_runs, flow_state_label, with_engine_state
from ..views.access import ExportsForSome
from ..views.ready import DRAFTING
from .closed import ClosedChooserViewSet, ClosedConfirmView
from .flow_figures import FIGURE_COLUMNS, FlowFiguresMixin, HealthFilter, exported_flow
from .history import DraftHistoryView
from .refusals import ApprovesKnowingly, AsksBeforeApproving, PublishesOrSaysWhy


def trigger_label(draft: FlowDraft) -> str:
    """Say what starts a draft, without building its blocks."""
    raw = draft.trigger.raw_data
    kind = str(raw[0].get("type", "")) if len(raw) else ""
    if kind not in events.registry:
        return kind or "–"
    return str(capfirst(events.registry.get(kind).label or kind))


def trigger_choices() -> list[tuple[str, Any]]:
    """Return the events that can start a flow."""
    return [
        (kind, capfirst(event.label or kind))
        for kind, event in events.registry.items()
        if event.can_trigger and event.is_offered
    ]


class FlowFilterSet(WagtailFilterSet):
    """Narrows the list of flows."""

    state = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=list(LABELS.items()),
        method="with_state",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    trigger = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Starts when"),
        choices=trigger_choices,
        method="with_trigger",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    health = HealthFilter()

    class Meta:
        model = FlowDraft
        fields: list[str] = []

    def with_state(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the flows in a state of states.LABELS."""
        if value == DRAFT:
            return queryset.filter(Q(engine_state="") | Q(engine_state="live", live=False))
        if value == CHANGED:
            return queryset.filter(engine_state="live", live=True, has_unpublished_changes=True)
        if value == FlowState.LIVE:
            return queryset.filter(engine_state="live", live=True, has_unpublished_changes=False)
        return queryset.filter(engine_state=value)

    def with_trigger(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the flows that start by a kind of event."""
        return queryset.filter(trigger__0__type=value)


#: What may be done with a flow in a state: view, words, icon.
_ACTS: dict[str, list[tuple[str, Any, str]]] = {
    FlowState.LIVE: [
        ("pause_flow", pgettext_lazy("triggers", "Pause"), "no-view"),
        ("rehearse_flow", pgettext_lazy("triggers", "Only rehearse"), "view"),
    ],
    FlowState.PAUSED: [
        ("resume_flow", pgettext_lazy("triggers", "Resume"), "resubmit"),
        ("rehearse_flow", pgettext_lazy("triggers", "Only rehearse"), "view"),
    ],
    FlowState.SHADOW: [("go_live_flow", pgettext_lazy("triggers", "Go live"), "resubmit")],
}


def running_buttons(draft: Any, user: Any) -> list[Any]:
    """Return the buttons that let a flow run, pause or rehearse, for those who may."""
    state = getattr(draft, "engine_state", None)
    if state is None:
        state = Flow.objects.filter(key=draft.key).values_list("state", flat=True).first()
    if not user.has_perm(PAUSE_FLOW):
        return []
    return [
        Button(
            label,
            icon_name=icon,
            attrs={
                "data-controller": "w-action",
                "data-action": "w-action#post",
                "data-w-action-url-value": reverse(f"wagtail_triggers:{view}", args=[draft.key]),
            },
            priority=15 + number,
        )
        for number, (view, label, icon) in enumerate(_ACTS.get(state or "", []))
    ]


class FlowIndexView(ExportsForSome, FlowFiguresMixin, IndexView):
    """The list of flows, with the engine's state in the same query."""

    #: Wagtail's own puts the model's name into a sentence, which not every language can.
    add_item_label = pgettext_lazy("triggers", "Add a flow")
    paginator_class = CountingPaginator

    def get_base_queryset(self) -> QuerySet[Any]:
        """Annotate the drafts and leave the large columns in the database."""
        drafts: QuerySet[Any] = super().get_base_queryset()
        return with_engine_state(drafts).defer("steps", "entry", "stay", "goals")

    @cached_property
    def header_buttons(self) -> list[Any]:
        """Lead to the flows that ship, and to those kept in files when there are any."""
        buttons = list(super().header_buttons)
        buttons.append(
            HeaderButton(
                label=pgettext("triggers", "Ready flows"),
                url=reverse("wagtail_triggers:ready"),
                icon_name="triggers-flow",
            )
        )
        if any(one.standing.is_in_file for one in self.known.by_key.values()):
            buttons.append(
                HeaderButton(
                    label=pgettext("triggers", "Kept in files"),
                    url=reverse("wagtail_triggers:files"),
                    icon_name="doc-full-inverse",
                )
            )
        return buttons

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Offer the flows that ship, for those who may make one of them theirs."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        return {
            **context,
            # Called by the templates that show it: results alone do not.
            "starts": starts,
            "may_draft": self.request.user.has_perms(DRAFTING),
        }

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        """Return one row of the export."""
        place = {"state": str(flow_state_label(item)), "trigger": trigger_label(item)}
        return exported_flow(item, self.known, **place)

    def get_list_more_buttons(self, instance: Any) -> list[Any]:
        """Add what lets a flow run to what Wagtail offers."""
        buttons: list[Any] = super().get_list_more_buttons(instance)
        return [*buttons, *running_buttons(instance, self.request.user)]


class FlowEditView(WithFlowPanels, AsksBeforeApproving, PublishesOrSaysWhy, EditView):
    """The editor of one flow."""

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        """Add what lets a flow run to what Wagtail offers."""
        buttons = list(super().header_more_buttons)
        return [*buttons, *running_buttons(self.object, self.request.user)]


class FlowCreateView(WithFlowPanels, PublishesOrSaysWhy, CreateView):
    """The editor of a new one."""


class FlowCopyView(WithFlowPanels, PublishesOrSaysWhy, CopyView):
    """A copy begins without a key, which no two flows share."""

    def get_initial_form_instance(self) -> Any:
        """Return the copied draft without what must differ."""
        instance = super().get_initial_form_instance()
        instance.key = ""
        instance.first_published_at = None
        return instance


class FlowViewSet(SnippetViewSet):
    """Flows: list, editor, history, preview."""

    model = FlowDraft
    icon = "triggers-flow"
    menu_label = pgettext_lazy("triggers", "Flows")
    menu_name = "triggers-flows"
    menu_order = 100
    url_prefix = "triggers/flows"
    index_view_class = FlowIndexView
    add_view_class = FlowCreateView
    edit_view_class = FlowEditView
    copy_view_class = FlowCopyView
    unpublish_view_class = FlowUnpublishView
    filterset_class = FlowFilterSet
    chooser_viewset_class = ClosedChooserViewSet
    confirm_workflow_cancellation_view_class = ClosedConfirmView
    workflow_action_view_class = ApprovesKnowingly
    create_template_name = "wagtail_triggers/drafts/create.html"
    edit_template_name = "wagtail_triggers/drafts/edit.html"
    history_view_class = DraftHistoryView
    index_template_name = "wagtail_triggers/flows.html"
    index_results_template_name = "wagtail_triggers/flows_results.html"
    #: ORM search: a search backend refuses to sort by counts, and misses rows made in bulk.
    search_backend_name = None
    search_fields = ["name", "key"]
    list_per_page = 50
    ordering = ["name"]
    list_display = [
        "name",
        StatusTagColumn(
            "state",
            label=pgettext_lazy("triggers", "State"),
            accessor=flow_state_label,
            primary=flow_runs,
            sort_key="engine_state",
        ),
        Column("trigger", label=pgettext_lazy("triggers", "Starts when"), accessor=trigger_label),
        *FIGURE_COLUMNS,
        UpdatedAtColumn(label=pgettext_lazy("triggers", "Changed")),
    ]

    edit_handler = TabbedInterface(
        [
            ObjectList(
                [
                    TitleFieldPanel("name", targets=["key"], required_on_save=True),
                    FlowNowPanel(heading=pgettext_lazy("triggers", "Now")),
                    FieldPanel("key", required_on_save=True),
                    FieldPanel("trigger"),
                    FieldPanel("include_waiting"),
                    FieldPanel("entry"),
                    MatchingPanel(heading=pgettext_lazy("triggers", "Who that is now")),
                    MultiFieldPanel(
                        [
                            FieldPanel("reentry"),
                            FieldPanel("reentry_after"),
                            FieldPanel("max_age"),
                        ],
                        heading=pgettext_lazy("triggers", "Coming in again"),
                    ),
                ],
                heading=pgettext_lazy("triggers", "When and who"),
            ),
            ObjectList([FieldPanel("steps")], heading=pgettext_lazy("triggers", "Steps")),
            ObjectList(
                [
                    FieldPanel("goals"),
                    FieldPanel("stay"),
                    MultiFieldPanel(
                        [
                            FieldPanel("stream"),
                            FieldPanel("topic"),
                            FieldPanel("sender"),
                            FieldPanel("max_lateness"),
                            FieldPanel("on_doubt"),
                            FieldPanel("bundle"),
                        ],
                        heading=pgettext_lazy("triggers", "Messages"),
                    ),
                    MultiFieldPanel(
                        [
                            FieldPanel("window_from", widget=hour_input()),
                            FieldPanel("window_until", widget=hour_input()),
                            FieldPanel("window_days"),
                            FieldPanel("when_limited"),
                            FieldPanel("priority"),
                            FieldPanel("blast_limit"),
                        ],
                        heading=pgettext_lazy("triggers", "Limits"),
                    ),
                    MultiFieldPanel(
                        [FieldPanel("holdout"), FieldPanel("attribution_window")],
                        heading=pgettext_lazy("triggers", "Measuring"),
                    ),
                    MultiFieldPanel(
                        [FieldPanel("people"), FieldPanel("rehearse")],
                        heading=pgettext_lazy("triggers", "Publishing"),
                    ),
                    publishing_panel(),
                ],
                heading=pgettext_lazy("triggers", "Goals and limits"),
            ),
            ObjectList([VersionsPanel()], heading=pgettext_lazy("triggers", "Versions")),
        ]
    )
