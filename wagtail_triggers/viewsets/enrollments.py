"""Who is on the way through which flow, in Wagtail's admin: it can be read, and nothing else."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.contrib.admin.utils import unquote
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.ui.tables import Column, DateColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views.generic import IndexView, InspectView
from wagtail.admin.viewsets.model import ModelViewSet

from oscar_triggers.engine import plans
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import (
    ContactPoint,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
)

from ..forms.dates import DateRange
from ..naming import step_names
from ..permissions import VIEW_PERSONAL_DATA
from ..segment_filter import NarrowedBySegment, OfSegment
from ..views.access import ExportsForSome
from ..way import way_of
from ..wording import about_in_words, about_types
from .large import LargeListMixin


def who_label(enrollment: Any, *, personal: bool) -> str:
    """Return the address for those who may see it, else the contact's number."""
    address = getattr(enrollment, "address", "") or ""
    if personal and address:
        return str(address)
    return pgettext("triggers", "Contact %(number)s") % {"number": enrollment.contact_id}


def with_addresses(enrollments: QuerySet[Any]) -> QuerySet[Any]:
    """Tell each row the first address of its contact, in the same query."""
    points = ContactPoint.objects.filter(contact=OuterRef("contact")).order_by("pk")
    told: QuerySet[Any] = enrollments.annotate(address=Subquery(points.values("value")[:1]))
    return told


def flow_label(enrollment: Enrollment) -> str:
    """Return the name of the flow."""
    return enrollment.flow.name


def about_label(enrollment: Enrollment) -> str:
    """Return what it is about, as in "Basket 7"."""
    if not enrollment.about_id:
        return "–"
    return about_in_words(enrollment.about_type, enrollment.about_id)


def step_label(enrollment: Enrollment) -> str:
    """Return the step at which they are, by its place and name."""
    if enrollment.state == EnrollmentState.ENDED or not enrollment.step_key:
        return "–"
    try:
        names = step_names(plans.plan_of(enrollment.version).definition)
    except TriggersError:
        # A version that nobody can read any more; the row still says where it stood.
        return enrollment.step_key
    return names.get(enrollment.step_key, enrollment.step_key)


def exit_label(enrollment: Enrollment) -> str:
    """Return why they left."""
    return str(capfirst(enrollment.get_exit_reason_display())) or "–"


class EnrollmentFilterSet(OfSegment):
    """Narrows the list."""

    flow = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Flow"),
        field_name="flow_id",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    state = django_filters.MultipleChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=EnrollmentState.choices,
        widget=forms.CheckboxSelectMultiple,
        # Every row is there once; to make sure of that, all would be read.
        distinct=False,
    )
    exit_reason = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Why they left"),
        choices=ExitReason.choices,
        method="with_reason",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    entered_at = django_filters.DateFromToRangeFilter(
        label=pgettext_lazy("triggers", "Entered"), widget=DateRange
    )

    class Meta:
        model = Enrollment
        fields: list[str] = []

    def with_reason(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep who left, and of those for this reason: in the words of its index."""
        return queryset.filter(exit_reason=value).exclude(exit_reason="")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Asked once: a form reads its choices again and again.
        flows = Flow.objects.order_by("name", "pk").values_list("pk", "name")
        self.filters["flow"].extra["choices"] = list(flows)


class WhoColumn(TitleColumn):
    """Who is on the way: the address for those who may see it, else a number."""

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        """Choose what to show by the reader's permission."""
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        request = parent_context.get("request")
        personal = request is not None and request.user.has_perm(VIEW_PERSONAL_DATA)
        context["value"] = who_label(instance, personal=personal)
        return context


class EnrollmentIndexView(NarrowedBySegment, ExportsForSome, LargeListMixin, IndexView):
    """The list."""

    list_export = ["who", "flow", "about", "step", "due", "state", "exit", "entered", "ended"]
    export_filename = "on-their-way"
    export_headings = {
        "who": pgettext_lazy("triggers", "Who"),
        "flow": pgettext_lazy("triggers", "Flow"),
        "about": pgettext_lazy("triggers", "About"),
        "step": pgettext_lazy("triggers", "Step"),
        "due": pgettext_lazy("triggers", "Waits until"),
        "state": pgettext_lazy("triggers", "State"),
        "exit": pgettext_lazy("triggers", "Why they left"),
        "entered": pgettext_lazy("triggers", "Entered"),
        "ended": pgettext_lazy("triggers", "Ended"),
    }

    @cached_property
    def is_personal(self) -> bool:
        """Say whether the reader may see who somebody is."""
        return bool(self.request.user.has_perm(VIEW_PERSONAL_DATA))

    def get_base_queryset(self) -> QuerySet[Any]:
        """Fetch what the columns show, without what is large."""
        rows: QuerySet[Any] = super().get_base_queryset()
        rows = rows.select_related("flow", "version").defer(
            "payload", "watermarks", "passes", "skips", "version__definition"
        )
        return with_addresses(rows) if self.is_personal else rows

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Find by the number of what it is about, and by the flow's name: both have an index."""
        query = self.search_query
        if not query:
            return queryset
        number = str(query).strip()
        choices = self.filters.filters["flow"].extra["choices"]
        named = [pk for pk, name in choices if number.lower() in name.lower()]
        about_it = Q(about_type__in=about_types(), about_id=number)
        return queryset.filter(about_it | Q(flow_id__in=named))

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        """Return one row of the export; who somebody is only for those who may see it."""
        return {
            "who": who_label(item, personal=self.is_personal),
            "flow": flow_label(item),
            "about": about_label(item),
            "step": step_label(item),
            "due": item.due_at,
            "state": str(item.get_state_display()),
            "exit": exit_label(item),
            "entered": item.entered_at,
            "ended": item.ended_at,
        }

    def get_page_title(self) -> str:
        """Return the page's title."""
        return pgettext("triggers", "On their way")


class EnrollmentInspectView(InspectView):
    """One way through a flow: each step with what was decided there, and what was sent."""

    page_title = pgettext_lazy("triggers", "One way through a flow")

    @cached_property
    def is_personal(self) -> bool:
        """Say whether the reader may see who somebody is."""
        return bool(self.request.user.has_perm(VIEW_PERSONAL_DATA))

    def get_object(self, queryset: Any = None) -> Enrollment:
        """Fetch the enrollment with its flow."""
        rows = with_addresses(Enrollment.objects.select_related("flow", "version"))
        found: Enrollment = get_object_or_404(rows, pk=unquote(str(self.pk)))
        return found

    def get_page_subtitle(self) -> str:
        """Return who it is, through which flow."""
        return f"{self.object.flow.name}, {who_label(self.object, personal=self.is_personal)}"

    def get_fields_context(self) -> list[dict[str, Any]]:
        """Leave Wagtail's list of all columns out."""
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the parts of the page."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context.update(
            enrollment=self.object,
            who=who_label(self.object, personal=self.is_personal),
            about=about_label(self.object),
            step=step_label(self.object),
            why=exit_label(self.object),
            way=way_of(self.object),
        )
        return context


class EnrollmentViewSet(ModelViewSet):
    """Enrollments: the list and the page of each."""

    model = Enrollment
    name = "triggers_enrollments"
    url_prefix = "triggers/on-their-way"
    icon = "group"
    menu_label = pgettext_lazy("triggers", "On their way")
    menu_name = "triggers-enrollments"
    menu_order = 250
    add_to_reference_index = False
    copy_view_enabled = False
    inspect_view_enabled = True
    form_fields: list[str] = []
    index_view_class = EnrollmentIndexView
    inspect_view_class = EnrollmentInspectView
    inspect_template_name = "wagtail_triggers/enrollment.html"
    index_results_template_name = "wagtail_triggers/enrollments_results.html"
    filterset_class = EnrollmentFilterSet
    search_fields = ["about_id"]
    list_per_page = 50
    ordering = ["-entered_at", "-pk"]
    list_display = [
        WhoColumn(
            "who",
            label=pgettext_lazy("triggers", "Who"),
            accessor="contact_id",
            url_name="triggers_enrollments:inspect",
        ),
        Column("flow", label=pgettext_lazy("triggers", "Flow"), accessor=flow_label),
        Column("about", label=pgettext_lazy("triggers", "About"), accessor=about_label),
        Column("step", label=pgettext_lazy("triggers", "Step"), accessor=step_label),
        DateColumn("due_at", label=pgettext_lazy("triggers", "Waits until")),
        StatusTagColumn(
            "state",
            label=pgettext_lazy("triggers", "State"),
            accessor="get_state_display",
            primary=lambda row: row.state == EnrollmentState.ACTIVE,
        ),
        Column(
            "exit_reason", label=pgettext_lazy("triggers", "Why they left"), accessor=exit_label
        ),
        DateColumn("entered_at", label=pgettext_lazy("triggers", "Entered"), sort_key="entered_at"),
    ]

    def get_urlpatterns(self) -> list[URLPattern]:
        """Return the pages that read; there are no others."""
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"inspect/<{self.pk_path_converter}:pk>/", self.inspect_view, name="inspect"),
        ]
