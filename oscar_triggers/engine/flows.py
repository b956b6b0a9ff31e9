"""Flows: publishing, pausing, resuming, switching off."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import pgettext

from .. import signals
from ..definitions import FlowDefinition
from ..events import TriggerOptions, WaitingNow
from ..exceptions import DefinitionError, Problem, TriggersError
from ..kinds import to_json
from ..models import (
    RUNNING,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    FlowVersion,
    Message,
    MessageState,
    Owner,
    Step,
)
from ..models.sql import database_for
from . import checking, enrollments, plans

logger = logging.getLogger(__name__)


class NoSuchFlow(TriggersError):
    """A flow key that was never published."""


def check(definition: FlowDefinition) -> list[Problem]:
    """Return everything that keeps a flow from being published."""
    return checking.problems_of(definition)


def publish(
    definition: FlowDefinition,
    *,
    owner: str,
    by: Any = None,
    now: datetime,
    take_over: bool = False,
) -> FlowVersion:
    """Make a definition the live, immutable version of its flow, and return it.

    People on their way finish the version they entered with. Publishing an unchanged flow
    returns the live version. A paused flow stays paused; one that was switched off starts
    again, from now on. Who was held tries again. Raises DefinitionError with every problem.
    """
    problems = check(definition)
    if problems:
        raise DefinitionError(problems)
    with transaction.atomic(using=database_for(Flow)):
        flow, created = Flow.objects.get_or_create(
            key=definition.key,
            defaults={
                "name": definition.name,
                "owner": owner,
                "trigger_kind": definition.trigger,
                "active_since": now,
                "created_at": now,
            },
        )
        flow = Flow.objects.select_for_update().get(pk=flow.pk)
        if flow.owner != owner and not take_over:
            raise DefinitionError([_owned_elsewhere(flow)])
        version = _live_version(flow)
        digest = definition.content_hash()
        if version is None or version.content_hash != digest:
            version = _write_version(flow, definition, digest, by, now)
        flow.live_version = version
        flow.name = definition.name
        flow.owner = owner
        flow.trigger_kind = definition.trigger
        if flow.state == FlowState.ARCHIVED and not created:
            flow.state = FlowState.LIVE
            flow.active_since = now
        flow.save()
        Enrollment.objects.filter(flow=flow, state=EnrollmentState.HELD).update(
            state=EnrollmentState.ACTIVE, crashes=0
        )
    published = version
    transaction.on_commit(
        lambda: signals.flow_published.send_robust(
            sender=None, flow_id=flow.pk, version_id=published.pk
        ),
        using=database_for(Flow),
        robust=True,
    )
    return version


def _owned_elsewhere(flow: Flow) -> Problem:
    side = Owner(flow.owner).label
    return Problem(
        where="flow",
        message=pgettext(
            "triggers", "'%(key)s' is written in %(side)s; take it over there or choose another key"
        )
        % {"key": flow.key, "side": side},
    )


def _live_version(flow: Flow) -> FlowVersion | None:
    return (
        FlowVersion.objects.filter(pk=flow.live_version_id).first()
        if flow.live_version_id
        else None
    )


def _write_version(
    flow: Flow, definition: FlowDefinition, digest: str, by: Any, now: datetime
) -> FlowVersion:
    highest = FlowVersion.objects.filter(flow=flow).aggregate(highest=Max("number"))["highest"]
    version = FlowVersion(
        flow=flow,
        number=(highest or 0) + 1,
        # An author's YAML may hold dates.
        definition=to_json(definition.to_dict()),
        content_hash=digest,
        published_at=now,
        published_by=by,
    )
    version.save()
    rows: dict[str, Step] = {}
    for step, parent, branch, position, _depth in definition.walk():
        row = Step(
            version=version,
            key=step.key,
            kind=step.kind,
            options=to_json(step.options),
            parent=rows[parent.key] if parent else None,
            branch=branch,
            position=position,
        )
        row.save()
        rows[step.key] = row
    return version


def get(key: str) -> Flow:
    """Return a flow; raises NoSuchFlow."""
    flow = Flow.objects.filter(key=key).first()
    if flow is None:
        raise NoSuchFlow(
            pgettext("triggers", "The flow '%(key)s' does not exist; publish it.") % {"key": key}
        )
    return flow


def pause(key: str, now: datetime, by: Any = None) -> Flow:
    """Stop a flow where it stands: nobody enters, moves on or gets a message of it."""
    return _set_state(key, FlowState.LIVE, FlowState.PAUSED, now)


def resume(key: str, now: datetime, by: Any = None) -> Flow:
    """Let a paused flow go on; messages that became too late are not sent."""
    return _set_state(key, FlowState.PAUSED, FlowState.LIVE, now)


def _set_state(key: str, before: FlowState, after: FlowState, now: datetime) -> Flow:
    flow = get(key)
    Flow.objects.filter(pk=flow.pk, state=before).update(
        state=after, paused_at=now if after == FlowState.PAUSED else None
    )
    flow.refresh_from_db()
    return flow


def archive(key: str, now: datetime, by: Any = None) -> Flow:
    """Switch a flow off: nobody enters any more, and those on their way are let out."""
    flow = get(key)
    Flow.objects.filter(pk=flow.pk).update(state=FlowState.ARCHIVED, paused_at=None)
    waiting = Message.objects.filter(flow_id=flow.pk, state=MessageState.PLANNED)
    ids = Enrollment.objects.filter(flow_id=flow.pk, state__in=enrollments.UNFINISHED).values_list(
        "pk", flat=True
    )
    enrollments.exit_many(
        list(ids), ExitReason.CANCELLED, now, rule="switched_off", compared={"flow": key}
    )
    # Also the last letters of those who went through: nothing of this flow leaves any more.
    enrollments.cancel_planned(
        list(waiting.values_list("pk", flat=True)), ExitReason.CANCELLED.value, now
    )
    flow.refresh_from_db()
    return flow


def entry_preview(definition: FlowDefinition, now: datetime) -> WaitingNow | None:
    """Count what already waits for a flow, before it is published (W9); None: nobody can tell."""
    event_class, options = definition.trigger_event()
    return event_class.waiting_now(options, now)


def live_trigger_options(kind: str) -> list[TriggerOptions]:
    """Return the trigger options of the live flows that listen to a kind of event."""
    found = []
    for flow in Flow.objects.filter(
        trigger_kind=kind, state__in=RUNNING, live_version__isnull=False
    ).select_related("live_version"):
        assert flow.live_version is not None
        try:
            _event_class, options = plans.plan_of(flow.live_version).definition.trigger_event()
        except TriggersError as error:
            logger.error("The flow %s takes nobody in: %s", flow.key, error)
            continue
        found.append(options)
    return found
