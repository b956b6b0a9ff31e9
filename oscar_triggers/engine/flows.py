"""Flows: publishing, pausing, resuming, switching off."""

from __future__ import annotations

import logging
from dataclasses import dataclass
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
from . import blast, checking, enrollments, moving, plans, rehearsing, resolving

logger = logging.getLogger(__name__)


class NoSuchFlow(TriggersError):
    """A flow key that was never published."""


class NoSuchVersion(TriggersError):
    """A number that no version of a flow has."""


def check(definition: FlowDefinition) -> list[Problem]:
    """Return everything that keeps a flow from being published."""
    return checking.problems_of(definition)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A version that is live now, and what became of people on their way."""

    version: FlowVersion
    #: Whether the text was new; publishing an unchanged flow makes no version.
    is_new: bool
    people: moving.Moved


def publish(
    definition: FlowDefinition,
    *,
    owner: str,
    by: Any = None,
    now: datetime,
    take_over: bool = False,
    people: str = moving.KEEP,
    shadow: bool = False,
) -> FlowVersion:
    """Make a definition the live, immutable version of its flow, and return it.

    `people` decides about those on their way in other versions, as `migration_preview` says:
    "keep" (they finish the version that they entered with), "move" or "stop". Publishing an
    unchanged flow returns the live version. A paused flow stays paused, a rehearsing one goes on
    rehearsing; one that was switched off starts again, from now on. With `shadow` it only
    rehearses. Who was held tries again. Raises DefinitionError with every problem.
    """
    return publish_version(
        definition,
        owner=owner,
        by=by,
        now=now,
        take_over=take_over,
        people=people,
        shadow=shadow,
    ).version


def publish_version(
    definition: FlowDefinition,
    *,
    owner: str,
    by: Any = None,
    now: datetime,
    take_over: bool = False,
    people: str = moving.KEEP,
    shadow: bool = False,
) -> Published:
    """Do what `publish` does, and also say what became of people on their way."""
    moving.check_choice(people)
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
        flow = _locked(flow.pk)
        if flow.owner != owner and not take_over:
            raise DefinitionError([_owned_elsewhere(flow)])
        version = _live_version(flow)
        digest = definition.content_hash()
        is_new = version is None or version.content_hash != digest
        if version is None or is_new:
            version = _write_version(flow, definition, digest, by, now)
        flow.owner = owner
        if flow.state == FlowState.ARCHIVED and not created:
            flow.state = FlowState.LIVE
            flow.active_since = now
            flow.blast_since = now
        if shadow and flow.state != FlowState.SHADOW:
            rehearsing.begin(flow)
        moved = _put_live(flow, version, definition, people, now)
    return Published(version=version, is_new=is_new, people=moved)


def _locked(flow_id: int) -> Flow:
    """Return a flow, locked; who writes rows that point to it need not wait for us."""
    return Flow.objects.select_for_update(no_key=True).get(pk=flow_id)


def _put_live(
    flow: Flow, version: FlowVersion, definition: FlowDefinition, people: str, now: datetime
) -> moving.Moved:
    """Make a version the live one of a locked flow, and place people as was chosen."""
    if flow.live_version_id != version.pk:
        # The blast guard counts anew: another text is another risk (W9).
        flow.blast_since = now
    flow.live_version = version
    flow.name = definition.name
    flow.trigger_kind = definition.trigger
    flow.save()
    moved = moving.place(flow, version, people, now)
    resolving.except_restored(
        Enrollment.objects.filter(flow=flow, version=version, state=EnrollmentState.HELD)
    ).update(state=EnrollmentState.ACTIVE, crashes=0)
    transaction.on_commit(
        lambda: signals.flow_published.send_robust(
            sender=None, flow_id=flow.pk, version_id=version.pk
        ),
        using=database_for(Flow),
        robust=True,
    )
    return moved


def migration_preview(
    old: FlowVersion | FlowDefinition,
    new: FlowVersion | FlowDefinition | None,
    now: datetime | None = None,
) -> moving.MigrationPreview:
    """Say who stands where, whose step no longer exists, and what each choice would do (W4).

    `old` is the live version, or the flow as it was; `new` is what is to be published; None
    only counts. `now` is kept as the moment of the counting.
    """
    return moving.preview(old, new, now)


def rollback(
    key: str, number: int | None = None, *, now: datetime, people: str = moving.KEEP
) -> Published:
    """Make an older version live again, the one before the live one unless a number is given.

    No version is written: history says twice that this one is live. Raises NoSuchFlow,
    NoSuchVersion, and DefinitionError when the old text cannot be published today.
    """
    moving.check_choice(people)
    found = get(key)
    with transaction.atomic(using=database_for(Flow)):
        flow = _locked(found.pk)
        version = older_version(flow, number)
        definition = plans.plan_of(version).definition
        problems = check(definition)
        if problems:
            raise DefinitionError(problems)
        moved = _put_live(flow, version, definition, people, now)
    return Published(version=version, is_new=False, people=moved)


def older_version(flow: Flow, number: int | None) -> FlowVersion:
    """Return a version by number, or the one before the live one; raises NoSuchVersion."""
    versions = FlowVersion.objects.filter(flow=flow)
    if number is not None:
        found = versions.filter(number=number).first()
    else:
        live = _live_version(flow)
        before = live.number if live else 0
        found = versions.filter(number__lt=before).order_by("-number").first()
    if found is None:
        known = ", ".join(str(one) for one in versions.values_list("number", flat=True))
        raise NoSuchVersion(
            pgettext("triggers", "The flow '%(key)s' has no such version (it has: %(known)s).")
            % {"key": flow.key, "known": known or "–"}
        )
    return found


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
    moments: dict[str, datetime | None] = {"paused_at": now if after == FlowState.PAUSED else None}
    if after == FlowState.LIVE:
        # Whom the blast guard stopped, and staff let go on, it does not stop again.
        moments["blast_since"] = blast.confirm(flow, now)
    Flow.objects.filter(pk=flow.pk, state=before).update(state=after, **moments)
    flow.refresh_from_db()
    return flow


def shadow(key: str, now: datetime, by: Any = None) -> Flow:
    """Let a flow only rehearse: it decides, records and shows its letters, and sends nothing.

    Those on their way rehearse the rest of it, and so do letters that still wait. A flow that
    is switched off takes people in again, into the rehearsal.
    """
    found = get(key)
    with transaction.atomic(using=database_for(Flow)):
        flow = _locked(found.pk)
        if flow.state != FlowState.SHADOW:
            if flow.state == FlowState.ARCHIVED:
                flow.active_since = now
            rehearsing.begin(flow)
            flow.save()
    return flow


def go_live(key: str, now: datetime, by: Any = None) -> Flow:
    """End a flow's rehearsal: from now on it sends, to those who enter from now on.

    Those who only rehearsed are let out, and nothing that was rehearsed is ever sent.
    """
    found = get(key)
    with transaction.atomic(using=database_for(Flow)):
        flow = _locked(found.pk)
        if flow.state == FlowState.SHADOW:
            flow.state = FlowState.LIVE
            flow.active_since = now
            flow.blast_since = now
            flow.save()
            rehearsing.end(flow, now)
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
