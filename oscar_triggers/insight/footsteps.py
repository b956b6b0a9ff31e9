"""How a flow does, step by step: who stands there now, who went on, and what was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from ..engine.enrollments import UNFINISHED
from ..models import Enrollment, Flow, Message, MessageState, Step

#: Over which time people and messages are counted; who stands there now always counts.
WINDOW = timedelta(days=30)
#: People looked at for "went through", newest first: the answer is a share, not a sum.
MOST_PEOPLE = 20_000


@dataclass(frozen=True, kw_only=True)
class Footsteps:
    """The numbers of one step."""

    #: Stand there now, in whichever version.
    waiting: int = 0
    #: Took the step and went on.
    through: int = 0
    sent: int = 0
    #: Of the sent ones: a person followed a link.
    clicked: int = 0


def of_flow(flow: Flow, now: datetime) -> Mapping[str, Footsteps]:
    """Return the numbers of each step of the live version by its key; four queries.

    Rehearsals count as people who go their way, and not as messages.
    """
    keys = list(Step.objects.filter(version=flow.live_version_id).values_list("key", flat=True))
    if not keys:
        return {}
    waiting: dict[str, int] = dict(
        Enrollment.objects.filter(flow=flow, state__in=UNFINISHED)
        .order_by()
        .values_list("step_key")
        .annotate(Count("pk"))
    )
    since = now - WINDOW
    through = _through(flow, keys, since)
    sent: dict[str, tuple[int, int]] = {
        key: (count, clicked)
        for key, count, clicked in Message.objects.filter(
            flow=flow, state=MessageState.SENT, is_shadow=False, planned_at__gte=since
        )
        .order_by()
        .values_list("step_key")
        .annotate(count=Count("pk"), clicks=Count("pk", filter=Q(clicked_at__isnull=False)))
    }
    found: dict[str, Footsteps] = defaultdict(Footsteps)
    for key in keys:
        count, clicked = sent.get(key, (0, 0))
        found[key] = Footsteps(
            waiting=waiting.get(key, 0), through=through[key], sent=count, clicked=clicked
        )
    return dict(found)


def _through(flow: Flow, keys: list[str], since: datetime) -> dict[str, int]:
    newest = Enrollment.objects.filter(flow=flow, entered_at__gte=since).order_by("-pk")
    counts = newest[:MOST_PEOPLE].aggregate(
        **{
            f"step_{number}": Count("pk", filter=Q(passes__has_key=key))
            for number, key in enumerate(keys)
        }
    )
    return {key: counts[f"step_{number}"] for number, key in enumerate(keys)}
