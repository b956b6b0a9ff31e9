"""Segments and one-off letters in Wagtail's admin."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import npgettext, pgettext, pgettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, TitleFieldPanel
from wagtail.admin.ui.tables import (
    Column,
    DateColumn,
    NumberColumn,
    StatusTagColumn,
    TitleColumn,
)
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from oscar_triggers.engine import one_off, saved_segments
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.insight import letters
from oscar_triggers.models import LetterState, OneOffLetter, SavedSegment

from ..crowds import count_in_words, in_words, letter_state, segment_names, when_in_words
from ..forms.crowds import LetterForm, SegmentForm
from ..panels_crowds import SegmentNowPanel
from ..views.access import ExportsForSome
from .history import RowHistoryView


class SegmentIndexView(ExportsForSome, generic.IndexView):
    """The list of segments: how many belong, who they are, and where it is used."""

    add_item_label = pgettext_lazy("triggers", "Add a segment")

    def get_base_queryset(self) -> Any:
        """Count the letters that need each, in the same query."""
        letters_to_it = saved_segments.letters_of(OuterRef("key")).order_by().values("segment")
        return (
            super()
            .get_base_queryset()
            .annotate(
                letters=Coalesce(Subquery(letters_to_it.annotate(n=Count("pk")).values("n")), 0)
            )
        )

    def get_table(self, object_list: Any) -> Any:
        """Say where those of the page are used, in a constant number of queries."""
        rows = list(object_list)
        used = saved_segments.uses([row.key for row in rows], with_letters=False)
        for row in rows:
            names = [one.name for one in used.get(row.key, [])]
            if row.letters:
                text = npgettext(
                    "triggers",
                    "%(count)d one-off letter",
                    "%(count)d one-off letters",
                    row.letters,
                )
                names.append(text % {"count": row.letters})
            row.used = ", ".join(names) or "–"
        return super().get_table(rows)


class SegmentCreateView(generic.CreateView):
    """The editor of a new segment."""

    def get_success_url(self) -> str:
        """Stay with it: the count is there."""
        return str(reverse(self.edit_url_name, args=[quote(self.object.pk)]))


class SegmentDeleteView(generic.DeleteView):
    """Deletes a segment that nothing asks for."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Refuse, with their names, what flows and letters need."""
        try:
            saved_segments.check_unused(self.object)
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(self.request, str(problem))
            return redirect(reverse(self.edit_url_name, args=[quote(self.object.pk)]))
        response: HttpResponse = super().form_valid(form)
        return response


class SegmentViewSet(ModelViewSet):
    """Segments: list, editor, history."""

    model = SavedSegment
    name = "triggers_segments"
    url_prefix = "triggers/segments"
    icon = "group"
    menu_label = pgettext_lazy("triggers", "Segments")
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = SegmentIndexView
    add_view_class = SegmentCreateView
    delete_view_class = SegmentDeleteView
    history_view_class = RowHistoryView
    index_results_template_name = "wagtail_triggers/segments_results.html"
    search_fields = ["name", "key"]
    search_backend_name = None
    ordering = ["name"]
    list_per_page = 50
    list_export = ["name", "key", "people", "looked_at", "known", "counted_at", "changed_at"]
    list_display = [
        TitleColumn(
            "name",
            label=pgettext_lazy("triggers", "Name"),
            url_name="triggers_segments:edit",
            sort_key="name",
        ),
        Column("people", label=pgettext_lazy("triggers", "People"), accessor=count_in_words),
        Column("who", label=pgettext_lazy("triggers", "Who belongs"), accessor=in_words),
        Column("used", label=pgettext_lazy("triggers", "Used by")),
        DateColumn("changed_at", label=pgettext_lazy("triggers", "Changed"), sort_key="changed_at"),
    ]
    edit_handler = ObjectList(
        [
            TitleFieldPanel("name", targets=["key"]),
            FieldPanel("key"),
            SegmentNowPanel(heading=pgettext_lazy("triggers", "Now")),
            FieldPanel("conditions"),
        ],
        base_form_class=SegmentForm,
    )


class LetterFilterSet(WagtailFilterSet):
    """Narrows the list of one-off letters."""

    state = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=LetterState.choices,
        empty_label=pgettext_lazy("triggers", "All"),
    )

    class Meta:
        model = OneOffLetter
        fields: list[str] = []


class LetterIndexView(generic.IndexView):
    """The list of one-off letters, with what became of each."""

    add_item_label = pgettext_lazy("triggers", "Write a one-off letter")

    def get_base_queryset(self) -> Any:
        """Bring the flow, which knows whether the letter is paused."""
        return super().get_base_queryset().select_related("flow")

    def get_table(self, object_list: Any) -> Any:
        """Add figures and names, in a constant number of queries."""
        rows = list(object_list)
        told = letters.reports(rows)
        names = segment_names()
        for row in rows:
            report = told.get(row.pk, letters.Report())
            row.sent, row.clicked, row.orders = report.sent, report.clicked, report.orders
            row.to = names.get(row.segment, row.segment)
        return super().get_table(rows)


class GoesToItsPage:
    """A view of the form, after which the letter's own page says what would happen."""

    object: Any

    def get_success_url(self) -> str:
        """Return the page where it is confirmed."""
        return str(reverse("wagtail_triggers:one_off", args=[self.object.pk]))


class LetterCreateView(GoesToItsPage, generic.CreateView):
    """The form of a new letter."""


class LetterEditView(GoesToItsPage, generic.EditView):
    """The form of a draft; a letter that was confirmed has its page only."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead from what cannot change any more to its page."""
        self.object = self.get_object()
        if self.object.state != LetterState.DRAFT:
            return redirect(self.get_success_url())
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Save a draft; where somebody confirmed it meanwhile, nothing is saved."""
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(request, str(problem))
            return redirect("wagtail_triggers:one_off", self.object.pk)
        return response


class LetterDeleteView(generic.DeleteView):
    """Deletes a draft; what was confirmed is history."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Refuse what has a history."""
        if self.object.state != LetterState.DRAFT:
            messages.error(
                self.request,
                pgettext(
                    "triggers", "“%(letter)s” was confirmed; it can be cancelled, not deleted."
                )
                % {"letter": self.object.name},
            )
            return redirect("wagtail_triggers:one_off", self.object.pk)
        response: HttpResponse = super().form_valid(form)
        return response


class LetterViewSet(ModelViewSet):
    """One-off letters: list, form, history; their own pages stand in `views.one_off`."""

    model = OneOffLetter
    name = "triggers_one_off"
    url_prefix = "triggers/one-off-letters"
    icon = "mail"
    menu_label = pgettext_lazy("triggers", "One-off letters")
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = LetterIndexView
    add_view_class = LetterCreateView
    edit_view_class = LetterEditView
    delete_view_class = LetterDeleteView
    history_view_class = RowHistoryView
    index_results_template_name = "wagtail_triggers/one_off_results.html"
    filterset_class = LetterFilterSet
    search_fields = ["name"]
    search_backend_name = None
    ordering = ["-changed_at"]
    list_per_page = 50
    list_display = [
        TitleColumn(
            "name",
            label=pgettext_lazy("triggers", "Name"),
            url_name="wagtail_triggers:one_off",
            sort_key="name",
        ),
        StatusTagColumn(
            "state",
            label=pgettext_lazy("triggers", "State"),
            accessor=letter_state,
            primary=lambda letter: letter.state in one_off.OPEN,
            sort_key="state",
        ),
        Column("to", label=pgettext_lazy("triggers", "To")),
        Column(
            "when",
            label=pgettext_lazy("triggers", "When"),
            accessor=when_in_words,
            sort_key="start_at",
        ),
        NumberColumn("chosen", label=pgettext_lazy("triggers", "People"), sort_key="chosen"),
        NumberColumn("sent", label=pgettext_lazy("triggers", "Sent")),
        NumberColumn("clicked", label=pgettext_lazy("triggers", "Clicked")),
        NumberColumn("orders", label=pgettext_lazy("triggers", "Orders")),
    ]
    edit_handler = ObjectList(
        [
            FieldPanel("name"),
            FieldPanel("segment"),
            FieldPanel("template"),
            FieldPanel("topic"),
            FieldPanel("sender"),
            MultiFieldPanel(
                [
                    FieldPanel("send_at"),
                    FieldPanel("in_readers_time"),
                    FieldPanel("max_lateness"),
                ],
                heading=pgettext_lazy("triggers", "When"),
            ),
        ],
        base_form_class=LetterForm,
    )
