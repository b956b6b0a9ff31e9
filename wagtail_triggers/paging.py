"""Pages of lists whose rows say how many there are: no query of its own counts them."""

from __future__ import annotations

from typing import Any

from django.core.paginator import EmptyPage, PageNotAnInteger
from django.db.models import Count, QuerySet, Window
from wagtail.admin.paginator import WagtailPaginator

_COLUMN = "listed_in_all"


class CountingPaginator(WagtailPaginator):
    """Reads a page first, and the number of all rows with it; what is no page is counted."""

    def get_page(self, number: Any) -> Any:
        """Return a page; the nearest one where there is no such page."""
        try:
            wanted = max(int(number), 1)
        except (TypeError, ValueError):
            wanted = 1
        rows = self._read(wanted)
        if not rows and wanted == 1 and isinstance(self.object_list, QuerySet):
            self._learn(0)
            return self._get_page(rows, wanted, self)
        if not rows:
            try:
                return self.page(number)
            except PageNotAnInteger:
                return self.page(1)
            except EmptyPage:
                return self.page(self.num_pages)
        first = rows[0]
        self._learn(first[_COLUMN] if isinstance(first, dict) else getattr(first, _COLUMN))
        return self._get_page(rows, wanted, self)

    def _told(self) -> Any:
        """Return the column that says how many rows there are."""
        return Window(Count("*"))

    def _learn(self, count: int) -> None:
        # It is a cached property of Django's.
        self.__dict__["count"] = count

    def _read(self, number: int) -> list[Any]:
        found = self.object_list
        if not isinstance(found, QuerySet):
            return []
        start = (number - 1) * self.per_page
        counted = found.annotate(**{_COLUMN: self._told()})
        return list(counted[start : start + self.per_page])
