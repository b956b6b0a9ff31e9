"""Figures for monitoring, as Prometheus reads them where prometheus-client is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import util

from django.db.models import Count, Min, Q

from ..conf import triggers_settings
from ..engine import installation
from ..models import (
    RUNNING,
    Alarm,
    Breaker,
    BreakerState,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    JournalEntry,
    Pulse,
)

#: Over which time sent and failed messages are counted.
WINDOW = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number; never about a person."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def figures(now: datetime) -> Iterator[Figure]:
    """Measure everything; about a dozen queries, none of which reads more than what waits."""
    reason = installation.hold_reason()
    for name in (installation.STOPPED, installation.FOREIGN, installation.SENDING_OFF):
        yield Figure(
            name="triggers_sending_held",
            help="1 where nothing is sent at all, by reason.",
            value=float(reason == name),
            labels={"reason": name},
        )
    for pulse in Pulse.objects.exclude(ran_at=None).order_by("name"):
        assert pulse.ran_at is not None
        yield Figure(
            name="triggers_pulse_age_seconds",
            help="How long ago each part of the engine ran.",
            value=max(0.0, (now - pulse.ran_at).total_seconds()),
            labels={"part": pulse.name},
        )
    yield from _dispatches(now)
    yield Figure(
        name="triggers_events_unread",
        help="Events of the shop that no flow has looked at yet.",
        value=JournalEntry.objects.filter(routed_at=None).count(),
    )
    people = Enrollment.objects.filter(state__in=[EnrollmentState.ACTIVE, EnrollmentState.HELD])
    counts = dict(people.order_by().values_list("state").annotate(Count("pk")))
    for state in (EnrollmentState.ACTIVE, EnrollmentState.HELD):
        yield Figure(
            name="triggers_people",
            help="People in flows, by state.",
            value=counts.get(state.value, 0),
            labels={"state": state.value},
        )
    for breaker in Breaker.objects.order_by("name"):
        yield Figure(
            name="triggers_breaker_open",
            help="1 while a provider is left alone.",
            value=float(breaker.state != BreakerState.CLOSED),
            labels={"provider": breaker.name},
        )
    yield Figure(
        name="triggers_alarms_open",
        help="Alarms that last.",
        value=Alarm.objects.filter(cleared_at=None).count(),
    )


def _dispatches(now: datetime) -> Iterator[Figure]:
    due = Dispatch.objects.filter(
        Q(message__flow=None) | Q(message__flow__state__in=RUNNING),
        state__in=[DispatchState.PLANNED, DispatchState.RETRY],
        due_at__lte=now,
    )
    for lane, name in ((0, "transactional"), (1, "promotional"), (2, "one_off")):
        waiting = due.filter(lane=lane).aggregate(count=Count("pk"), oldest=Min("due_at"))
        labels = {"lane": name}
        yield Figure(
            name="triggers_messages_due",
            help="Messages that are due and have not left.",
            value=waiting["count"],
            labels=labels,
        )
        lag = (now - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0.0
        yield Figure(
            name="triggers_lag_seconds",
            help="How long the oldest due message waits.",
            value=lag,
            labels=labels,
        )
    yield Figure(
        name="triggers_leases_left",
        help="Messages that a dead worker left behind.",
        value=Dispatch.objects.filter(
            state__in=[DispatchState.LEASED, DispatchState.SENDING],
            leased_until__lt=now - triggers_settings().lease_for,
        ).count(),
    )
    for state in (DispatchState.UNKNOWN, DispatchState.DEAD):
        yield Figure(
            name="triggers_messages_open",
            help="Messages about which staff may decide (triggers_resolve), by state.",
            value=Dispatch.objects.filter(state=state).count(),
            labels={"state": state.value},
        )
    recent = Dispatch.objects.filter(settled_at__gt=now - WINDOW, settled_at__lte=now)
    settled = dict(recent.order_by().values_list("state").annotate(Count("pk")))
    for ended in (
        DispatchState.SENT,
        DispatchState.SKIPPED,
        DispatchState.EXPIRED,
        DispatchState.DEAD,
    ):
        yield Figure(
            name="triggers_messages_last_hour",
            help="Messages of the last hour, by what became of them.",
            value=settled.get(ended.value, 0),
            labels={"state": ended.value},
        )


def is_possible() -> bool:
    """Say whether prometheus-client is installed."""
    return util.find_spec("prometheus_client") is not None


def as_text(now: datetime) -> tuple[bytes, str]:
    """Return the figures as Prometheus reads them, with their content type."""
    import prometheus_client

    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    gauges: dict[str, prometheus_client.Gauge] = {}
    for figure in figures(now):
        if figure.name not in gauges:
            gauges[figure.name] = prometheus_client.Gauge(
                figure.name, figure.help, list(figure.labels), registry=registry
            )
        gauge = gauges[figure.name]
        (gauge.labels(**figure.labels) if figure.labels else gauge).set(figure.value)
    return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST
