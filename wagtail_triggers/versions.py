"""The published versions of a flow: who stands in each, and making an older one live again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows, moving
from oscar_triggers.engine.enrollments import UNFINISHED
from oscar_triggers.models import Enrollment, Flow, FlowState, FlowVersion
from oscar_triggers.models.sql import database_for

from .compiler import from_definition
from .models import FlowDraft

SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Version:
    """One line of the list."""

    number: int
    published_at: datetime
    #: Who published it; "" for a file, and for an account that is gone.
    by: str
    #: How many stand in it now.
    people: int
    is_live: bool


def versions_of(key: str) -> list[Version]:
    """Return the newest versions of a flow, the newest first; three queries."""
    flow = Flow.objects.filter(key=key).first() if key else None
    if flow is None:
        return []
    people: dict[int, int] = dict(
        Enrollment.objects.filter(flow=flow, state__in=UNFINISHED)
        .order_by()
        .values_list("version")
        .annotate(Count("pk"))
    )
    rows = (
        FlowVersion.objects.filter(flow=flow)
        .defer("definition")
        .select_related("published_by")
        .order_by("-number")[:SHOWN]
    )
    return [
        Version(
            number=row.number,
            published_at=row.published_at,
            by=_name(row.published_by),
            people=people.get(row.pk, 0),
            is_live=row.pk == flow.live_version_id and flow.state != FlowState.ARCHIVED,
        )
        for row in rows
    ]


def _name(user: Any) -> str:
    return str(user.get_full_name() or user.get_username()) if user is not None else ""


def definition_of(key: str, number: int | None = None) -> FlowDefinition:
    """Return the text of a version, the live one unless a number is given.

    Raises NoSuchFlow or NoSuchVersion.
    """
    flow = flows.get(key)
    if number is None and flow.live_version is not None:
        return FlowDefinition.from_dict(flow.live_version.definition)
    return FlowDefinition.from_dict(flows.older_version(flow, number).definition)


def roll_back(
    draft: FlowDraft, number: int, *, people: str = moving.KEEP, by: Any, now: datetime
) -> FlowDraft:
    """Make an older version live, and its text the draft; what was in the draft is in History.

    Raises NoSuchFlow, NoSuchVersion, and DefinitionError when it cannot be published today.
    """
    with transaction.atomic(using=database_for(Flow)), transaction.atomic():
        version = flows.rollback(draft.key, number, now=now, people=people).version
        found = FlowDraft.objects.get(pk=draft.pk)
        for name, value in from_definition(FlowDefinition.from_dict(version.definition)).items():
            setattr(found, name, value)
        found.people = people
        # The same text again: the engine makes no new version of it.
        revision = found.save_revision(user=by, log_action=True)
        found.publish(revision, user=by, skip_permission_checks=True)
    return found
