"""How each flow is, in one word with its reason: fine, quiet, in trouble, or kept from running."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat
from django.utils.translation import npgettext, pgettext, pgettext_lazy

from .. import events, steps
from ..conf import triggers_settings
from ..engine import blast, installation
from ..models import (
    RUNNING,
    Alarm,
    Breaker,
    BreakerState,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    Owner,
    Step,
    TemplateVersion,
)
from ..models.partial import OneOf
from .findings import LOOK_BACK
from .upcoming import unfinished

#: A running flow that nobody entered for so long is worth a look.
QUIET_AFTER = timedelta(days=30)


class Health(StrEnum):
    """How a flow is."""

    FINE = "fine"
    #: It runs, and nobody entered it lately.
    QUIET = "quiet"
    #: Letters failed, or people are held.
    ERRORS = "errors"
    #: What it was published with is gone: it cannot run as it is.
    BROKEN = "broken"
    #: It wanted to send far more than expected.
    BLASTED = "blasted"
    #: Nothing is sent at all, or a provider is down.
    KEPT = "kept"
    #: It does not run because staff want that.
    RESTS = "rests"


LABELS: Mapping[Health, Any] = {
    Health.FINE: pgettext_lazy("triggers", "fine"),
    Health.QUIET: pgettext_lazy("triggers", "quiet"),
    Health.ERRORS: pgettext_lazy("triggers", "errors"),
    Health.BROKEN: pgettext_lazy("triggers", "broken"),
    Health.BLASTED: pgettext_lazy("triggers", "stopped by the guard"),
    Health.KEPT: pgettext_lazy("triggers", "kept back"),
    Health.RESTS: pgettext_lazy("triggers", "rests"),
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one flow is, and why."""

    flow_id: int
    key: str
    name: str
    health: Health
    #: Whether a file says what it does.
    is_in_file: bool = False
    #: One sentence; "" where there is nothing to say.
    reason: str = ""
    #: On their way, and of these held because the engine cannot go on.
    people: int = 0
    held: int = 0
    dead: int = 0
    unknown: int = 0
    #: Whether something stops all sending: the same for every flow.
    is_held_up: bool = False

    @property
    def label(self) -> Any:
        """Return the word."""
        return LABELS[self.health]


def standings(now: datetime) -> dict[str, Standing]:
    """Return how every flow is, by key; two queries, however many flows there are."""
    trouble = _trouble(now)
    return {flow.key: _standing(flow, trouble[flow.pk]) for flow in _flows(now)}


def _flows(now: datetime) -> QuerySet[Any]:
    """Return all flows with what decides how they are."""
    lately = Enrollment.objects.filter(flow=OuterRef("pk"), entered_at__gte=now - QUIET_AFTER)
    alarm = Alarm.objects.filter(
        key=Concat(Value(blast.alarm_key("")), OuterRef("key"), output_field=CharField()),
        cleared_at=None,
    )
    return (
        Flow.objects.annotate(
            entered_lately=Exists(lately),
            is_blasted=Exists(alarm),
            is_broken=Case(
                When(live_version=None, then=Value(True)),
                When(~Q(trigger_kind__in=list(events.registry)), then=Value(True)),
                default=Exists(_steps_that_cannot_run()),
            ),
            is_held_up=Exists(installation.objections()),
            is_alone=Exists(Breaker.objects.exclude(state=BreakerState.CLOSED)),
        )
        .only("key", "name", "state", "owner")
        .order_by("name", "pk")
    )


def _steps_that_cannot_run() -> QuerySet[Step]:
    """Return the steps of a live version whose kind is gone, or whose letter is not published."""
    published = TemplateVersion.objects.values("template__key")
    letter = Cast(KeyTextTransform("template", "options"), CharField())
    return (
        Step.objects.filter(version=OuterRef("live_version"))
        .order_by()
        .annotate(letter=letter)
        .filter(
            ~Q(kind__in=list(steps.registry)) | Q(kind="send") & ~Q(letter__in=Subquery(published))
        )
    )


def _trouble(now: datetime) -> dict[int | None, dict[str, int]]:
    """Count who is on the way or held, and which messages failed lately or are in doubt."""
    people = unfinished().order_by().values_list("flow_id", "state").annotate(count=Count("pk"))
    # By the index that holds only these.
    odd = Dispatch.objects.filter(OneOf("state", DispatchState.DEAD, DispatchState.UNKNOWN))
    doubtful = (
        Dispatch.objects.filter(pk__in=odd.order_by().values("pk"))
        .filter(
            Q(state=DispatchState.DEAD, settled_at__gt=now - LOOK_BACK)
            | Q(state=DispatchState.UNKNOWN)
        )
        .order_by()
        .values_list("message__flow_id", "state")
        .annotate(count=Count("pk"))
    )
    found: dict[int | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for flow_id, what, count in people.union(doubtful, all=True):
        found[flow_id][what] += count
    return found


def _standing(flow: Any, trouble: Mapping[str, int]) -> Standing:
    held, dead = trouble[EnrollmentState.HELD], trouble[DispatchState.DEAD]
    unknown = trouble[DispatchState.UNKNOWN]
    health, reason = _health(flow, held, dead, unknown)
    return Standing(
        flow_id=flow.pk,
        key=flow.key,
        name=flow.name,
        health=health,
        is_in_file=flow.owner == Owner.FILE,
        reason=reason,
        people=trouble[EnrollmentState.ACTIVE] + held,
        held=held,
        dead=dead,
        unknown=unknown,
        is_held_up=flow.is_held_up,
    )


def _health(flow: Any, held: int, dead: int, unknown: int) -> tuple[Health, str]:
    if flow.state == FlowState.PAUSED and flow.is_blasted:
        return Health.BLASTED, pgettext(
            "triggers", "It wanted to send far more than expected in its first hour."
        )
    if flow.state not in RUNNING:
        return Health.RESTS, ""
    if flow.is_broken:
        return Health.BROKEN, pgettext(
            "triggers", "A letter or a step that it was published with is not there any more."
        )
    if held or dead:
        return Health.ERRORS, " ".join(_said(held, dead))
    if not triggers_settings().sending or flow.is_held_up:
        return Health.KEPT, pgettext("triggers", "All sending is stopped.")
    if flow.is_alone:
        return Health.KEPT, pgettext("triggers", "The mail provider does not work at the moment.")
    if not flow.entered_lately:
        return Health.QUIET, pgettext("triggers", "Nobody entered it in the last 30 days.")
    if unknown:
        return Health.FINE, _unknown(unknown)
    return Health.FINE, ""


def _said(held: int, dead: int) -> list[str]:
    found = []
    if held:
        text = npgettext(
            "triggers", "%(count)s person is held.", "%(count)s people are held.", held
        )
        found.append(text % {"count": held})
    if dead:
        text = npgettext(
            "triggers",
            "%(count)s message failed in the last week.",
            "%(count)s messages failed in the last week.",
            dead,
        )
        found.append(text % {"count": dead})
    return found


def _unknown(count: int) -> str:
    text = npgettext(
        "triggers",
        "Of %(count)s message nobody can tell whether it arrived.",
        "Of %(count)s messages nobody can tell whether they arrived.",
        count,
    )
    return text % {"count": count}
