"""Watching: what staff must know without asking, looked for once a minute by the tick.

What is looked for here is cheap and certain; `triggers_doctor` (insight.health) looks at more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.utils import translation
from django.utils.translation import npgettext, pgettext

from ..conf import triggers_settings
from ..models import (
    RUNNING,
    Breaker,
    BreakerState,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    JournalEntry,
    LetterState,
    OneOffLetter,
    Pulse,
)
from ..models.sql import insert_or_ignore, lease
from . import alarms, blast, faults, installation, worker

logger = logging.getLogger(__name__)

#: How often the engine looks at itself.
EVERY = timedelta(minutes=1)
#: How late something may be before it is said.
PATIENCE = timedelta(minutes=5)
#: Failed messages of the last hour are told from this number, and this share of all, on.
MOST_DEAD = 10
DEAD_SHARE = 0.05

#: For so long a one-off letter that nobody got is told of.
MISSED_FOR = timedelta(days=1)
#: With this the keys of their alarms begin; the letter's number follows.
MISSED_LETTER = "one-off:"

_PULSE = "alarms"


def watch(now: datetime) -> None:
    """Look at everything when it is time, then tell what is to be told; never raises."""
    with translation.override(settings.LANGUAGE_CODE):
        if _is_due(now):
            for check in CHECKS:
                _safely(check, now)
        _safely(alarms.tell_due, now)


def _safely(check: Callable[[datetime], Any], now: datetime) -> None:
    try:
        check(now)
    except Exception as error:  # noqa: BLE001 - watching must never stop what it watches
        logger.error("The check %s failed: %s", check.__name__, faults.told(error))


def _is_due(now: datetime) -> bool:
    try:
        insert_or_ignore(Pulse, [{"name": _PULSE}], conflict="name")
        return bool(
            lease(
                Pulse,
                # A pulse from the future (a clock that was set back) must not stop it.
                where="name = %s AND (ran_at IS NULL OR ran_at <= %s OR ran_at > %s)",
                params=[_PULSE, now - EVERY, now + EVERY],
                order_by="id",
                owner=worker.name(),
                until=now,
                limit=1,
            )
            and Pulse.objects.filter(name=_PULSE).update(ran_at=now, lease_owner="")
        )
    except Exception as error:  # noqa: BLE001 - as above
        logger.error("The engine cannot look at itself: %s", faults.told(error))
        return False


def foreign(now: datetime) -> None:
    """Tell that the database belongs to another installation."""
    differing = installation.differences()
    if not differing:
        alarms.clear("foreign", now)
        return
    values = "; ".join(f"{name}: {here!r} ≠ {there!r}" for name, here, there in differing)
    alarms.raise_alarm(
        "foreign",
        pgettext(
            "triggers",
            "Nothing is sent: this database belongs to another installation (%(values)s).",
        )
        % {"values": values},
        now,
        advice=pgettext(
            "triggers", "A copy for tests stays as it is. If it is meant: manage.py triggers_adopt."
        ),
    )


def left_leases(now: datetime) -> None:
    """Tell of messages that a dead worker left and nobody took over."""
    count = Dispatch.objects.filter(
        state__in=[DispatchState.LEASED, DispatchState.SENDING], leased_until__lt=now - PATIENCE
    ).count()
    _tell_if(
        count,
        "leases",
        npgettext(
            "triggers",
            "%(count)s message was left behind by a worker, and nobody takes it over.",
            "%(count)s messages were left behind by a worker, and nobody takes them over.",
            count,
        ),
        pgettext("triggers", "See whether workers run: manage.py triggers_doctor."),
        now,
    )


def late_messages(now: datetime) -> None:
    """Tell of messages that are due and do not leave, unless somebody wanted that."""
    channels = Breaker.objects.exclude(state=BreakerState.CLOSED).values("name")
    late = (
        Dispatch.objects.filter(
            Q(message__flow=None) | Q(message__flow__state__in=RUNNING),
            state__in=[DispatchState.PLANNED, DispatchState.RETRY],
            due_at__lt=now - PATIENCE,
        )
        # A provider that is left alone has an alarm of its own.
        .exclude(channel__in=channels)
        .aggregate(count=Count("pk"), oldest=Min("due_at"))
    )
    count = 0 if installation.hold_reason() else late["count"]
    _tell_if(
        count,
        "lag",
        npgettext(
            "triggers",
            "%(count)s message should have left more than five minutes ago.",
            "%(count)s messages should have left more than five minutes ago.",
            count,
        ),
        pgettext("triggers", "See whether workers run: manage.py triggers_doctor."),
        now,
    )


def late_people(now: datetime) -> None:
    """Tell of people who are due and are not moved on."""
    count = 0
    if not installation.is_foreign():
        count = Enrollment.objects.filter(
            state=EnrollmentState.ACTIVE,
            flow__state__in=RUNNING,
            due_at__lt=now - PATIENCE,
        ).count()
    _tell_if(
        count,
        "lag:people",
        npgettext(
            "triggers",
            "%(count)s person should have been moved on more than five minutes ago.",
            "%(count)s people should have been moved on more than five minutes ago.",
            count,
        ),
        pgettext("triggers", "See whether the clockwork ticks: manage.py triggers_doctor."),
        now,
    )


def held_people(now: datetime) -> None:
    """Tell of people whom the engine cannot move on, by flow."""
    held = (
        Enrollment.objects.filter(state=EnrollmentState.HELD)
        .values("flow__key", "flow__name")
        .annotate(count=Count("pk"))
    )
    keys = set()
    for row in held:
        key = f"held:{row['flow__key']}"
        keys.add(key)
        _tell_if(
            row["count"],
            key,
            npgettext(
                "triggers",
                "%(count)s person is held in “%(flow)s”.",
                "%(count)s people are held in “%(flow)s”.",
                row["count"],
            ),
            pgettext("triggers", "manage.py triggers_doctor says why and what to do."),
            now,
            flow=row["flow__name"],
        )
    alarms.keep_only("held:", keys, now)


def broken_sweeps(now: datetime) -> None:
    """Tell of sweeps that fail: what no signal told is not found any more."""
    keys = set()
    for pulse in Pulse.objects.filter(name__startswith="sweep:"):
        error = (pulse.detail or {}).get("error")
        if error:
            keys.add(pulse.name)
            alarms.raise_alarm(
                pulse.name,
                pgettext("triggers", "The sweep “%(name)s” fails with %(error)s.")
                % {"name": pulse.name.removeprefix("sweep:"), "error": error},
                now,
                advice=pgettext("triggers", "The worker's log has the places of the error."),
            )
    alarms.keep_only("sweep:", keys, now)


def unread_events(now: datetime) -> None:
    """Tell of events that nobody can read."""
    count = (
        JournalEntry.objects.filter(routed_at=None)
        .filter(~Q(error="") | Q(crashes__gte=triggers_settings().max_crashes))
        .count()
    )
    _tell_if(
        count,
        "journal",
        npgettext(
            "triggers",
            "%(count)s event of the shop could not be read.",
            "%(count)s events of the shop could not be read.",
            count,
        ),
        pgettext("triggers", "manage.py triggers_doctor names them."),
        now,
    )


def dead_letters(now: datetime) -> None:
    """Tell when many messages of the last hour failed."""
    settled = Dispatch.objects.filter(settled_at__gt=now - timedelta(hours=1), settled_at__lte=now)
    dead = settled.filter(state=DispatchState.DEAD).count()
    if dead >= MOST_DEAD:
        sent = settled.filter(state=DispatchState.SENT).count()
        dead = dead if dead > (dead + sent) * DEAD_SHARE else 0
    else:
        dead = 0
    _tell_if(
        dead,
        "dead",
        npgettext(
            "triggers",
            "%(count)s message failed for good in the last hour.",
            "%(count)s messages failed for good in the last hour.",
            dead,
        ),
        pgettext("triggers", "manage.py triggers_resolve list --state dead shows why."),
        now,
    )


def missed_letters(now: datetime) -> None:
    """Tell of one-off letters whose time passed while they could not be sent: nobody got them."""
    keys = set()
    missed = OneOffLetter.objects.filter(
        state=LetterState.MISSED, ended_at__gt=now - MISSED_FOR, ended_at__lte=now
    )
    for letter in missed.order_by("pk"):
        key = f"{MISSED_LETTER}{letter.pk}"
        keys.add(key)
        alarms.raise_alarm(
            key,
            pgettext("triggers", "The letter “%(name)s” was too late, and nobody got it.")
            % {"name": letter.name},
            now,
            advice=pgettext(
                "triggers",
                "The engine stood still, or its sending was paused, until it was too late. If "
                "it is still of use, make a new one under One-off letters.",
            ),
        )
    alarms.keep_only(MISSED_LETTER, keys, now)


def _tell_if(count: int, key: str, text: str, advice: str, now: datetime, **values: object) -> None:
    if count:
        alarms.raise_alarm(key, text % {"count": count, **values}, now, advice=advice)
    else:
        alarms.clear(key, now)


#: Everything that is looked for; each fails for itself.
CHECKS: tuple[Callable[[datetime], None], ...] = (
    foreign,
    left_leases,
    late_messages,
    late_people,
    held_people,
    broken_sweeps,
    unread_events,
    dead_letters,
    missed_letters,
    blast.forget,
)
