"""Wagtail's histories, with the browser's own field for dates: a strict policy holds there too."""

from __future__ import annotations

import django_filters
from django.utils.translation import pgettext_lazy
from wagtail.admin.views.generic import history
from wagtail.snippets.views import snippets

from ..forms.dates import DateRange


class HistoryFilterSet(history.HistoryFilterSet):
    """Narrows a history."""

    timestamp = django_filters.DateFromToRangeFilter(
        label=pgettext_lazy("triggers", "Date"), widget=DateRange
    )


class DraftHistoryView(snippets.HistoryView):
    """What was done to a draft."""

    filterset_class = HistoryFilterSet


class RowHistoryView(history.HistoryView):
    """What was done to a row that has no drafts."""

    filterset_class = HistoryFilterSet
