"""Lists narrowed to the people of a segment, as they were counted last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import pgettext_lazy
from wagtail.admin.filters import WagtailFilterSet

from oscar_triggers.engine import rolls
from oscar_triggers.engine.rolls import Standing

from .crowds import segment_names
from .permissions import SEES_SEGMENTS_OF_PEOPLE

PARAMETER = "segment"


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """The segment that a page was narrowed to, and how it stands."""

    key: str
    name: str
    standing: Standing
    #: The page, to come back to.
    url: str = ""


def may_narrow(user: Any) -> bool:
    """Say whether somebody may learn who belongs to a segment."""
    return bool(user.has_perms(SEES_SEGMENTS_OF_PEOPLE))


def refuse_strangers(request: HttpRequest) -> None:
    """Refuse a segment asked for by whom it is not offered to: the whole list would be wrong."""
    if request.GET.get(PARAMETER) and not may_narrow(request.user):
        raise PermissionDenied


def choices() -> list[tuple[str, str]]:
    """Return the segments to choose from, by name."""
    return sorted(segment_names().items(), key=lambda choice: choice[1].lower())


def narrowed(key: str, url: str = "") -> Narrowed:
    """Return how a segment stands that a page is narrowed to."""
    name = segment_names().get(key, key)
    return Narrowed(key=key, name=name, standing=rolls.standing(key), url=url)


def page_of(url: str, request: HttpRequest) -> str:
    """Return a page as it is narrowed, from its beginning."""
    query = request.GET.copy()
    for name in [one for one in query if one == "p" or one.startswith("_")]:
        del query[name]
    return f"{url}?{query.urlencode()}"


class OfSegment(WagtailFilterSet):
    """Narrows a list to rows about the people of a segment."""

    #: Column of the list's rows that holds the contact.
    contact_column = "contact_id"

    segment = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "People of the segment"),
        choices=choices,
        method="with_segment",
        empty_label=pgettext_lazy("triggers", "All"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Set once the list was narrowed.
        self.narrowed: Narrowed | None = None
        last = self.filters.pop(PARAMETER)
        if self.request is not None and may_narrow(self.request.user):
            self.filters[PARAMETER] = last

    def with_segment(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the rows about who was counted; nobody's before the first count is finished."""
        self.narrowed = narrowed(value)
        roll = self.narrowed.standing.roll
        return queryset.none() if roll is None else rolls.only(queryset, roll, self.contact_column)


class NarrowedBySegment:
    """Mixed into a list view whose filters are an OfSegment: says of when its people are."""

    request: Any
    index_url: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse segments to whom they are not offered."""
        refuse_strangers(request)
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # the view that it is mixed into has it
        return answer

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add how the segment stands."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)  # type: ignore[misc]  # as above
        filters: Any = context.get("filters")
        found = getattr(filters, "narrowed", None)
        if found is not None:
            # Results are fetched by themselves too; one comes back to the whole page.
            context["narrowed"] = replace(found, url=page_of(self.index_url, self.request))
        return context
