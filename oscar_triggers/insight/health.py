"""How the engine is: what runs, what is stuck, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseTrouble
from django.db import connections
from django.db.models import Count, Min, Q
from django.utils.timesince import timesince

from ..conf import PROMOTIONAL, triggers_settings
from ..definitions import FlowDefinition
from ..engine import checking, installation, sweeping
from ..exceptions import TriggersError
from ..models import (
    RUNNING,
    ConsentAction,
    ConsentEvent,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    Flow,
    FlowState,
    JournalEntry,
    Pulse,
)
from ..models.sql import database_for
from . import safety
from .findings import LOOK_BACK, PATIENCE, Finding, Level, ago, count_of, looks, minutes_of

__all__ = ["LOOK_BACK", "PATIENCE", "Finding", "Level", "as_data", "examine"]


def examine(now: datetime) -> list[Finding]:
    """Look at everything in the database that tells how the engine is; never raises for it."""
    try:
        return _examine(now)
    except DatabaseTrouble as error:
        return [
            Finding(
                level=Level.PROBLEM,
                text=f"The database does not answer as it should ({type(error).__name__}).",
                advice="See whether it runs; if it does, run 'manage.py migrate'.",
            )
        ]


def _examine(now: datetime) -> list[Finding]:
    missing = _missing_tables()
    if missing:
        return [
            Finding(
                level=Level.PROBLEM,
                text=f"{len(missing)} tables are missing.",
                advice="Run 'manage.py migrate'.",
            )
        ]
    live = list(Flow.objects.filter(state__in=RUNNING).select_related("live_version"))
    return [
        *safety.examine(now),
        *_flows(live),
        *_clock(now, needed=bool(live)),
        *_sweeps(now, needed=bool(live)),
        *_journal(now),
        *_enrollments(now),
        *_dispatches(now),
        *_consent(live),
        *(finding for look in looks() for finding in look(now)),
    ]


def _missing_tables() -> list[str]:
    connection = connections[database_for(Pulse)]
    present = set(connection.introspection.table_names())
    return [
        model._meta.db_table
        for model in Pulse._meta.apps.get_app_config("oscar_triggers").get_models()
        if model._meta.db_table not in present
    ]


def _flows(live: list[Flow]) -> Iterator[Finding]:
    if not live:
        yield Finding(level=Level.OK, text="Inert: no flow is live, so nothing is sent to anybody.")
        return
    for state, said in ((FlowState.LIVE, "live"), (FlowState.SHADOW, "rehearsing")):
        names = [flow.name for flow in live if flow.state == state]
        if names:
            number = count_of(len(names), "flow is", "flows are")
            yield Finding(level=Level.OK, text=f"{number} {said}: {', '.join(names)}.")
    for flow in live:
        yield from _flow_problems(flow)


def _flow_problems(flow: Flow) -> Iterator[Finding]:
    if flow.live_version is None:
        yield Finding(
            level=Level.PROBLEM,
            text=f"The flow “{flow.name}” is live but has no version.",
            advice="Publish it again.",
        )
        return
    try:
        problems = checking.problems_of(FlowDefinition.from_dict(flow.live_version.definition))
        said = [str(problem) for problem in problems]
    except TriggersError as error:
        said = [str(error)]
    for text in said:
        yield Finding(
            level=Level.PROBLEM,
            text=f"The flow “{flow.name}” cannot run as it was published: {text}",
            advice="Put back what it needs, or publish it again.",
        )


def _clock(now: datetime, *, needed: bool) -> Iterator[Finding]:
    pulse = Pulse.objects.filter(name="tick").first()
    ran_at = pulse.ran_at if pulse is not None else None
    patience = max(timedelta(minutes=1), triggers_settings().tick_every * 12)
    bad = Level.PROBLEM if needed else Level.OK
    advice = "Start a Celery worker and one beat, or 'manage.py triggers_run'." if needed else ""
    if ran_at is None:
        yield Finding(level=bad, text="The clockwork has never ticked.", advice=advice)
    elif ran_at > now + patience:
        yield Finding(
            level=Level.WARNING,
            text="The last tick is in the future: the clocks of two servers differ.",
            advice="Let all servers take their time from one source (NTP).",
        )
    elif now - ran_at > patience:
        yield Finding(
            level=bad,
            text=f"The clockwork stands still: it ticked {timesince(ran_at, now)} ago.",
            advice=advice,
        )
    else:
        yield Finding(level=Level.OK, text=f"The clockwork ticks (last {ago(ran_at, now)}).")


def _sweeps(now: datetime, *, needed: bool) -> Iterator[Finding]:
    pulses = {pulse.name: pulse for pulse in Pulse.objects.filter(name__startswith="sweep:")}
    fine = []
    for name, sweep in sweeping.registry.items():
        pulse = pulses.get(f"sweep:{name}")
        every = sweep.every if sweep.every is not None else triggers_settings().sweep_every
        patience = max(PATIENCE, every * 3)
        if pulse is None or pulse.ran_at is None or now - pulse.ran_at > patience:
            if needed:
                last = timesince(pulse.ran_at, now) if pulse and pulse.ran_at else ""
                yield Finding(
                    level=Level.PROBLEM,
                    text=f"The sweep “{name}” last ran {last} ago."
                    if last
                    else f"The sweep “{name}” has never run.",
                    advice="It runs with the clockwork; see above, and the worker's log.",
                )
        elif error := pulse.detail.get("error"):
            yield Finding(
                level=Level.PROBLEM,
                text=f"The sweep “{name}” fails with {error}.",
                advice="The worker's log has the traceback.",
            )
        else:
            fine.append(name)
    if fine:
        yield Finding(level=Level.OK, text=f"The sweeps run: {', '.join(fine)}.")


def _journal(now: datetime) -> Iterator[Finding]:
    broken = list(
        JournalEntry.objects.filter(routed_at=None)
        .filter(~Q(error="") | Q(crashes__gte=triggers_settings().max_crashes))
        .values("kind", "error")
        .annotate(count=Count("pk"))
        .order_by("kind", "error")[:10]
    )
    for row in broken:
        why = f": {row['error']}" if row["error"] else ""
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(row['count'], 'event', 'events')} “{row['kind']}” "
            f"could not be read{why}",
            advice="Install the app that registers it, or correct what the error names.",
        )
    waiting = JournalEntry.objects.filter(
        routed_at=None,
        error="",
        crashes__lt=triggers_settings().max_crashes,
        recorded_at__lt=now - PATIENCE,
    ).count()
    if waiting:
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(waiting, 'event waits', 'events wait')} for the clockwork "
            f"for more than {minutes_of(PATIENCE)}.",
            advice="Start the clockwork; nothing is lost.",
        )
    elif not broken:
        yield Finding(level=Level.OK, text="Every event in the journal was read.")


def _enrollments(now: datetime) -> Iterator[Finding]:
    held = list(
        Enrollment.objects.filter(state=EnrollmentState.HELD)
        .values("flow__name")
        .annotate(count=Count("pk"))
        .order_by("flow__name")
    )
    for row in held:
        last = (
            Decision.objects.filter(verdict="held", flow__name=row["flow__name"])
            .order_by("-last_seen_at")
            .values_list("reason", "compared")
            .first()
        )
        why = ""
        if last is not None:
            reason, compared = last
            why = f" ({compared.get('error') or reason})"
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(row['count'], 'person is', 'people are')} held "
            f"in “{row['flow__name']}”{why}.",
            advice="Correct what the reason names, then publish the flow again, or decide about "
            "each with 'manage.py triggers_resolve list --state held'.",
        )
    late = Enrollment.objects.filter(
        state=EnrollmentState.ACTIVE, flow__state__in=RUNNING, due_at__lt=now - PATIENCE
    ).count()
    if late:
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(late, 'person is', 'people are')} due "
            f"for more than {minutes_of(PATIENCE)}.",
            advice="See whether the clockwork ticks, and the worker's log.",
        )
    elif not held:
        yield Finding(level=Level.OK, text="Nobody is stuck in a flow.")


def _dispatches(now: datetime) -> Iterator[Finding]:
    waiting = Dispatch.objects.filter(
        state__in=[DispatchState.PLANNED, DispatchState.RETRY], due_at__lt=now - PATIENCE
    ).filter(Q(message__flow=None) | Q(message__flow__state__in=RUNNING))
    late = waiting.aggregate(count=Count("pk"), oldest=Min("due_at"))
    # What is kept on purpose is not late; why it is kept was said.
    is_late = late["count"] and not installation.hold_reason()
    if is_late:
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(late['count'], 'message is', 'messages are')} overdue, "
            f"the oldest by {timesince(late['oldest'], now)}.",
            advice="See whether the clockwork ticks and the mail server answers.",
        )
    left = Dispatch.objects.filter(
        state__in=[DispatchState.LEASED, DispatchState.SENDING], leased_until__lt=now - PATIENCE
    ).count()
    if left:
        yield Finding(
            level=Level.PROBLEM,
            text=f"{count_of(left, 'message was', 'messages were')} left behind by a worker.",
            advice="The next tick takes them over; see whether it ticks.",
        )
    recent = Dispatch.objects.filter(settled_at__gt=now - LOOK_BACK)
    dead = recent.filter(state=DispatchState.DEAD).count()
    if dead:
        last = (
            recent.filter(state=DispatchState.DEAD)
            .order_by("-settled_at")
            .values_list("detail", flat=True)
            .first()
        )
        said = f" The last one: {last}" if last else ""
        yield Finding(
            level=Level.WARNING,
            text=f"{count_of(dead, 'message', 'messages')} failed in the last week.{said}",
            advice="'manage.py triggers_resolve list --state dead' shows each with its reason; "
            "'retry' sends it again.",
        )
    unknown = Dispatch.objects.filter(state=DispatchState.UNKNOWN).count()
    if unknown:
        yield Finding(
            level=Level.WARNING,
            text=f"Of {count_of(unknown, 'message', 'messages')} nobody can tell "
            "whether the provider took them; they are not sent twice.",
            advice="Look at the provider's log, then decide with 'manage.py triggers_resolve "
            "list --state unknown'.",
        )
    if not is_late and not left:
        yield Finding(level=Level.OK, text="No message is overdue.")


def _consent(live: list[Flow]) -> Iterator[Finding]:
    promotes = any(
        flow.live_version is not None
        and flow.live_version.definition.get("stream", PROMOTIONAL) == PROMOTIONAL
        for flow in live
    )
    if promotes and not ConsentEvent.objects.filter(action=ConsentAction.GRANT).exists():
        yield Finding(
            level=Level.WARNING,
            text="Nobody has opted in yet, so promotional flows write to nobody.",
            advice="Put {% triggers_opt_in %} into the registration and checkout forms, or run "
            "'manage.py triggers_import_consents'.",
        )


def as_data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as plain values for programs: {"ok": …, "problems": …, "findings": […]}."""
    levels = [finding.level for finding in findings]
    return {
        "ok": Level.PROBLEM not in levels,
        "problems": levels.count(Level.PROBLEM),
        "warnings": levels.count(Level.WARNING),
        "findings": [
            {"level": one.level.value, "text": one.text, "advice": one.advice} for one in findings
        ],
    }
