"""Lists of tables that grow for ever: nothing that they ask the database grows with the table.

Rows are counted up to a limit only, pages end there, and an export is written while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import pgettext

from ..paging import CountingPaginator

#: As many rows can be paged through; whoever looks for others narrows the list.
MOST_LISTED = 10_000
#: As many rows an export holds; a workbook stands in memory until it is whole.
MOST_EXPORTED = {"csv": 50_000, "xlsx": 10_000}


class _CountOf(Subquery):
    """How many rows another query finds, as a column."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class CappedPaginator(CountingPaginator):
    """Counts up to MOST_LISTED rows, and says "more than" beyond; the page's rows bring the count."""

    def _told(self) -> _CountOf:
        return _CountOf(self._some)

    @property
    def _some(self) -> QuerySet[Any]:
        # Without order and columns: as few as possible are read.
        rows: QuerySet[Any] = self.object_list
        return rows.order_by().values("pk")[: MOST_LISTED + 1]

    def _learn(self, count: int) -> None:
        # It is a cached property.
        self.__dict__["_counted"] = count

    def _read(self, number: int) -> list[Any]:
        if (number - 1) * self.per_page >= MOST_LISTED:
            return []
        return super()._read(number)

    @cached_property
    def _counted(self) -> int:
        return self._some.count()

    @property
    def is_capped(self) -> bool:
        """Say whether there are more rows than can be paged through."""
        return self._counted > MOST_LISTED

    @cached_property
    def count(self) -> int:
        """Return how many rows can be paged through."""
        return min(self._counted, MOST_LISTED)

    @cached_property
    def items_count_label(self) -> str:
        """Return how many there are, as the foot of the list says it."""
        if not self.is_capped:
            return str(super().items_count_label)
        return pgettext("triggers", "More than %(count)s") % {
            "count": number_format(MOST_LISTED, force_grouping=True)
        }


class LargeListMixin:
    """Mixed into a list view: capped pages, and exports that are cut and streamed."""

    paginator_class = CappedPaginator
    is_export: bool
    request: HttpRequest

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with the list, or with a spreadsheet of what the filters leave."""
        if self.is_export:
            return self._export(str(request.GET["export"]))
        response: HttpResponse = super().get(request, *args, **kwargs)  # type: ignore[misc]  # the view that it is mixed into has it
        return response

    def _export(self, format_: str) -> HttpResponse:
        view: Any = self
        most = MOST_EXPORTED[format_]
        found = view.get_queryset()[:most]
        response: HttpResponse = view.as_spreadsheet(_Rows(found), format_)
        return response


class _Rows:
    """Rows of an export, each read when it is written."""

    def __init__(self, found: QuerySet[Any]) -> None:
        self._found = found
        self.model = found.model

    def __iter__(self) -> Iterator[Any]:
        yield from self._found.iterator(chunk_size=1_000)
