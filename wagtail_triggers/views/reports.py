"""Lists that only tell: which products people wait for, and what they answered to surveys."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn
from wagtail.admin.views.reports.base import ReportView

from oscar_triggers.models import ProductRequest, RequestKind, RequestState, SurveyAnswer
from oscar_triggers.shop.requests import counting as requests
from oscar_triggers.shop.surveys import counting as answers
from oscar_triggers.shop.surveys import questions

from ..forms.dates import DateRange
from ..paging import CountingPaginator
from ..permissions import VIEW_PERSONAL_DATA, ReadOnlyPolicy
from ..wording import about_in_words
from .access import ExportsForSome

ALL = pgettext_lazy("triggers", "All")
#: Without a choice the list tells who waits now.
_OTHER_STATES = [
    (state, label) for state, label in RequestState.choices if state != RequestState.WAITING
]


class WaitingFilterSet(WagtailFilterSet):
    """Narrows the list of products that are waited for."""

    product = django_filters.CharFilter(
        label=pgettext_lazy("triggers", "Product"), method="with_product"
    )
    kind = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "What they want to be told"),
        choices=RequestKind.choices,
        empty_label=ALL,
    )
    state = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=_OTHER_STATES,
        empty_label=RequestState.WAITING.label,
    )

    class Meta:
        model = ProductRequest
        fields: list[str] = []

    def with_product(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the products whose title holds a text."""
        return queryset.filter(product_id__in=requests.called(value))


class WaitingView(ExportsForSome, ReportView):
    """How many people wait for each product, for how many units, and how many are free."""

    model = ProductRequest
    permission_policy = ReadOnlyPolicy(ProductRequest)
    permission_required = "view"
    page_title = pgettext_lazy("triggers", "Waiting for products")
    header_icon = "time"
    index_url_name = "wagtail_triggers:waiting"
    index_results_url_name = "wagtail_triggers:waiting_results"
    filterset_class = WaitingFilterSet
    results_template_name = "wagtail_triggers/waiting_results.html"
    paginator_class = CountingPaginator
    default_ordering = "-people"
    export_filename = "waiting"
    columns = [
        Column("title", label=pgettext_lazy("triggers", "Product")),
        Column("wanted", label=pgettext_lazy("triggers", "What they want to be told")),
        NumberColumn("people", label=pgettext_lazy("triggers", "People"), sort_key="people"),
        NumberColumn("units", label=pgettext_lazy("triggers", "Units"), sort_key="units"),
        Column("left", label=pgettext_lazy("triggers", "Free in stock")),
        DateColumn("since", label=pgettext_lazy("triggers", "Since"), sort_key="since"),
    ]
    list_export = ["product_id", "title", "wanted", "people", "units", "left", "since"]
    export_headings = {
        "product_id": pgettext_lazy("triggers", "Number of the product"),
        **{column.name: column.label for column in columns},
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        """Count by product; who waits now where no other state was chosen."""
        rows = requests.by_product()
        if not self.request.GET.get("state"):
            rows = rows.filter(state=RequestState.WAITING)
        return rows if self.is_export else requests.with_outside(rows)

    def decorate_paginated_queryset(self, object_list: Any) -> Any:
        """Say what the products of the page are called, and how many are free."""
        goods = requests.describe([row["product_id"] for row in object_list])
        for row in object_list:
            known = goods.get(row["product_id"])
            row["title"] = known.title if known else f"#{row['product_id']}"
            row["left"] = "–" if known is None or known.left is None else known.left
            row["wanted"] = capfirst(str(RequestKind(row["kind"]).label))
        return object_list

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Say how many wait in Oscar's own list, which the rows do not count."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        rows = context["object_list"]
        context["outside"] = (
            rows[0]["outside"] if rows and not self.is_export else requests.outside_the_line()
        )
        return context


def question_label(answer: SurveyAnswer) -> str:
    """Return what was asked."""
    if answer.survey not in questions.registry:
        return answer.survey
    return str(questions.registry.get(answer.survey).question)


class AnswersFilterSet(WagtailFilterSet):
    """Narrows the list of answers."""

    survey = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Survey"), choices=questions.choices, empty_label=ALL
    )
    at_least = django_filters.NumberFilter(
        label=pgettext_lazy("triggers", "Answer, at least"), field_name="score", lookup_expr="gte"
    )
    at_most = django_filters.NumberFilter(
        label=pgettext_lazy("triggers", "Answer, at most"), field_name="score", lookup_expr="lte"
    )
    answered_at = django_filters.DateFromToRangeFilter(
        label=pgettext_lazy("triggers", "Date"), widget=DateRange
    )

    class Meta:
        model = SurveyAnswer
        fields: list[str] = []


class AnswersView(ExportsForSome, ReportView):
    """What people answered, with the averages of what is shown; who said it only some may see."""

    model = SurveyAnswer
    permission_policy = ReadOnlyPolicy(SurveyAnswer)
    permission_required = "view"
    page_title = pgettext_lazy("triggers", "Answers to surveys")
    header_icon = "comment"
    index_url_name = "wagtail_triggers:answers"
    index_results_url_name = "wagtail_triggers:answers_results"
    results_template_name = "wagtail_triggers/survey_results.html"
    filterset_class = AnswersFilterSet
    default_ordering = "-answered_at"
    export_filename = "answers"
    export_headings = {
        "question": pgettext_lazy("triggers", "Survey"),
        "score": pgettext_lazy("triggers", "Answer"),
        "about": pgettext_lazy("triggers", "About"),
        "said": pgettext_lazy("triggers", "In their words"),
        "answered_at": pgettext_lazy("triggers", "Date"),
    }
    columns = [
        Column("question", label=export_headings["question"]),
        NumberColumn("score", label=export_headings["score"], sort_key="score"),
        Column("about", label=export_headings["about"]),
        Column("said", label=export_headings["said"]),
        DateColumn("answered_at", label=export_headings["answered_at"], sort_key="answered_at"),
    ]
    list_export = list(export_headings)

    def decorate_paginated_queryset(self, object_list: Any) -> Any:
        """Put codes into words; what somebody wrote is personal."""
        personal = self.request.user.has_perm(VIEW_PERSONAL_DATA)
        for answer in object_list:
            answer.question = question_label(answer)
            answer.about = about_in_words(answer.about_type, answer.about_id)
            answer.said = (answer.text if personal else "") or "–"
        return object_list

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add the averages of all that the filters leave, not of the page alone."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["summaries"] = answers.summaries(self.object_list)
        return context
