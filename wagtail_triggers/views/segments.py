"""Counting who belongs to a segment: as it stands in the form, and by name for the lists."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from oscar_triggers.engine import audience, rolls, saved_segments
from oscar_triggers.engine.segments import Segment
from oscar_triggers.exceptions import InvalidOptions, TriggersError
from oscar_triggers.models import SavedSegment

from ..blocks import stream_block
from ..compiler import to_conditions
from ..crowds import count_sentence
from ..permissions import SEES_SEGMENTS_OF_PEOPLE
from .access import requires

ADD = "oscar_triggers.add_savedsegment"
CHANGE = "oscar_triggers.change_savedsegment"


@require_POST
@requires(any_of=(ADD, CHANGE))
def count(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Say how many people fit what stands in the form; the count of a saved text is kept."""
    row = get_object_or_404(SavedSegment, pk=pk) if pk is not None else None
    return TemplateResponse(
        request, "wagtail_triggers/crowds/count.html", {"sentences": _sentences(request, row)}
    )


@require_POST
@requires(*SEES_SEGMENTS_OF_PEOPLE)
def count_people(request: HttpRequest, key: str) -> HttpResponse:
    """Begin to count who belongs, and stay with it for a second: in a small shop that is enough."""
    now = timezone.now()
    try:
        rolls.go_on(rolls.begin(key, now).pk, now)
    except InvalidOptions as error:
        raise Http404(str(error)) from error
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(wanted if is_ours else reverse("triggers_segments:index"))


def _sentences(request: HttpRequest, row: SavedSegment | None) -> list[str]:
    block = stream_block("segments")
    try:
        value: Any = block.value_from_datadict(request.POST, request.FILES, "conditions")
        if not value:
            return [pgettext("triggers", "Add a condition to see how many people belong.")]
        asked = to_conditions(block.clean(value))
        key = row.key if row is not None else "as-written"
        problems = saved_segments.problems_of(key, asked, is_new=False)
        if problems:
            return [str(problem) for problem in problems]
        now = timezone.now()
        if row is not None and asked == row.conditions:
            return [count_sentence(saved_segments.count_again(row, now))]
        segment = Segment(key=key, label=key, conditions=tuple(asked))
        return [count_sentence(audience.count(segment, now))]
    except (ValidationError, TypeError, ValueError, KeyError):
        return [pgettext("triggers", "Complete the conditions to see how many people belong.")]
    except TriggersError as error:
        return [str(error)]
