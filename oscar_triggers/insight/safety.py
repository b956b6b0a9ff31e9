"""Whether anything may leave at all: whose installation it is, stops, catches, breakers, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

from ..conf import triggers_settings
from ..engine import alarms, catches, installation
from ..models import INSTALLATION_ID, Breaker, BreakerState, Installation, Pulse
from ..models.sql import database_now
from .findings import Finding, Level, ago

#: Clocks of one shop may differ so much before it is said.
CLOCK_WARNING = timedelta(seconds=10)
CLOCK_PROBLEM = timedelta(minutes=2)


def examine(now: datetime) -> Iterator[Finding]:
    """Look at everything that may keep all messages at home."""
    yield from _installation(now)
    yield from _catches()
    yield from _breakers(now)
    yield from _clock(now)
    yield from _alarms(now)


def _installation(now: datetime) -> Iterator[Finding]:
    differing = installation.differences()
    if differing:
        values = "; ".join(f"{name} is {here!r}, not {there!r}" for name, here, there in differing)
        yield Finding(
            level=Level.PROBLEM,
            text=f"This database belongs to another installation ({values}): nothing is sent, and "
            "nobody is moved on.",
            advice="A copy for tests may stay so. If it is meant: 'manage.py triggers_adopt'.",
        )
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    if row is not None and row.stopped_at is not None:
        why = f": {row.stop_reason}" if row.stop_reason else "."
        yield Finding(
            level=Level.WARNING,
            text=f"All sending was stopped {ago(row.stopped_at, now)}{why}",
            advice="Let it go on with 'manage.py triggers_resume'.",
        )
    if not triggers_settings().sending:
        yield Finding(
            level=Level.WARNING,
            text="OSCAR_TRIGGERS['SENDING'] is False: nothing is sent.",
            advice="Set it to True, or remove it.",
        )


def _catches() -> Iterator[Finding]:
    try:
        kept = catches.current()
    except ImproperlyConfigured:
        return  # The settings' checks say it.
    if kept.redirects is not None:
        yield Finding(
            level=Level.WARNING,
            text="REDIRECT_ALL_TO is on: every message goes there, and none to customers.",
            advice="Remove it from OSCAR_TRIGGERS where customers are to be written to.",
        )
    if kept.has_list:
        count = len(kept.points) + len(kept.channel_points) + len(kept.domains)
        yield Finding(
            level=Level.WARNING,
            text=f"ONLY_TO is on: nobody gets anything but who is on its list of {count}.",
            advice="Remove it from OSCAR_TRIGGERS where customers are to be written to.",
        )


def _breakers(now: datetime) -> Iterator[Finding]:
    for breaker in Breaker.objects.exclude(state=BreakerState.CLOSED).order_by("name"):
        since = f", which began {ago(breaker.opened_at, now)}" if breaker.opened_at else ""
        said = f" It said: {breaker.detail}" if breaker.detail else ""
        yield Finding(
            level=Level.PROBLEM,
            text=f"The provider of “{breaker.name}” does not work and is left alone{since}.{said}",
            advice="Messages wait and spend no tries; it is tried again by itself.",
        )


def _clock(now: datetime) -> Iterator[Finding]:
    difference = abs(database_now(Pulse) - now)
    if difference <= CLOCK_WARNING:
        return
    yield Finding(
        level=Level.PROBLEM if difference > CLOCK_PROBLEM else Level.WARNING,
        text=f"The clocks of this host and of the database differ by "
        f"{int(difference.total_seconds())} seconds.",
        advice="Let all servers take their time from one source (NTP).",
    )


def _alarms(now: datetime) -> Iterator[Finding]:
    for alarm in alarms.open_alarms():
        if alarm.told_at is None and alarm.tried_at is not None:
            yield Finding(
                level=Level.PROBLEM,
                text=f"No route could tell staff of “{alarm.key}”: {alarm.text}",
                advice="See OSCAR_TRIGGERS['ALARMS'] and the worker's log.",
            )
