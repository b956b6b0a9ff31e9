"""Alarms: telling staff what they must know, by every way that OSCAR_TRIGGERS["ALARMS"] names.

Raising one writes a row. The tick tells of it, by every route, so that a second one is there when
mail itself is down; what no route could tell is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Q

from ..conf import triggers_settings
from ..models import Alarm
from ..models.sql import insert_or_ignore
from ..registry import Registry
from . import faults, installation

logger = logging.getLogger(__name__)

#: While it lasts, staff are told again after so long.
AGAIN_AFTER = timedelta(hours=6)
#: What no route could tell is tried again after so long.
RETRY_AFTER = timedelta(minutes=3)
#: What is over is told as over after so long; what begins again before that has gone on.
OVER_AFTER = timedelta(minutes=10)
#: At most so many are told in one go.
_MOST_TOLD = 20


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What staff are told; never holds anything about a person."""

    key: str
    text: str
    advice: str
    raised_at: datetime
    #: Whether it tells that an alarm is over.
    is_over: bool
    count: int
    here: installation.Identity


class Route:
    """A way to reach staff; other apps register theirs under a name of their own."""

    def problem(self, options: Mapping[str, Any]) -> str:
        """Say why this route reaches nobody with these options, "" when it does."""
        return ""

    def tell(self, notice: Notice, options: Mapping[str, Any]) -> None:
        """Tell staff; raises whatever goes wrong. Takes five seconds at most."""
        raise NotImplementedError(f"{type(self).__name__} must define tell().")


routes: Registry[Route] = Registry("alarm route")


def raise_alarm(key: str, text: str, now: datetime, *, advice: str = "") -> None:
    """Tell staff; the same alarm again is counted, and told again only after a while.

    The tick does the telling: whoever raises an alarm does not wait for a mail server.
    """
    key = key[:120]
    said = {"text": text[:500], "advice": advice[:500]}
    added = insert_or_ignore(
        Alarm, [{"key": key, **said, "raised_at": now, "last_seen_at": now}], conflict="key"
    )
    if added:
        logger.error("Alarm %s: %s", key, text)
        return
    gone_on = Alarm.objects.filter(
        key=key, cleared_at__isnull=False, told_at__isnull=False, end_told_at=None
    ).update(**said, last_seen_at=now, cleared_at=None, count=F("count") + 1)
    if gone_on:
        return
    begun_again = Alarm.objects.filter(key=key, cleared_at__isnull=False).update(
        **said,
        raised_at=now,
        last_seen_at=now,
        cleared_at=None,
        told_at=None,
        tried_at=None,
        end_told_at=None,
        count=1,
    )
    if begun_again:
        logger.error("Alarm %s: %s", key, text)
        return
    Alarm.objects.filter(key=key, cleared_at=None).update(
        **said, last_seen_at=now, count=F("count") + 1
    )


def clear(key: str, now: datetime, *, by_staff: bool = False) -> None:
    """Note that what an alarm told of is over; staff who were told of it are told of that once.

    What staff ended themselves they need not be told, and it is news when it begins again.
    """
    said = {"end_told_at": now} if by_staff else {}
    open_one = Alarm.objects.filter(key=key[:120], cleared_at=None)
    if open_one.update(cleared_at=now, tried_at=None, **said):
        logger.warning("Alarm %s is over.", key)


def keep_only(prefix: str, keys: set[str], now: datetime) -> None:
    """Clear the alarms of one family that are not among these any more."""
    gone = Alarm.objects.filter(key__startswith=prefix, cleared_at=None).exclude(key__in=keys)
    for key in gone.values_list("key", flat=True):
        clear(key, now)


def open_alarms() -> list[Alarm]:
    """Return what lasts, the newest first."""
    return list(Alarm.objects.filter(cleared_at=None).order_by("-raised_at"))


def tell_due(now: datetime) -> int:
    """Tell staff of what is new, what still lasts, and what is over; return how many were told."""
    waiting = Q(tried_at=None) | Q(tried_at__lte=now - RETRY_AFTER)
    new = Q(cleared_at=None, told_at=None)
    lasting = Q(cleared_at=None, told_at__lte=now - AGAIN_AFTER)
    over = Q(cleared_at__lte=now - OVER_AFTER, told_at__isnull=False, end_told_at=None)
    due = Alarm.objects.filter(waiting, new | lasting | over).order_by("raised_at", "pk")
    told = 0
    for alarm in due[:_MOST_TOLD]:
        # One teller only: whoever moves `tried_at` first.
        mine = Alarm.objects.filter(pk=alarm.pk, tried_at=alarm.tried_at).update(tried_at=now)
        if mine and _tell(alarm, now):
            field = "told_at" if alarm.cleared_at is None else "end_told_at"
            Alarm.objects.filter(pk=alarm.pk).update(**{field: now})
            told += 1
    return told


def route_problems() -> list[str]:
    """Say which routes of the settings cannot reach anybody, and why."""
    found = []
    for name, options in triggers_settings().alarms.items():
        kind = name.partition(":")[0]
        if kind not in routes:
            known = ", ".join(sorted(routes))
            found.append(f"{name!r} is no route; known ones: {known}.")
            continue
        try:
            problem = routes.get(kind).problem(options)
        except Exception as error:  # noqa: BLE001 - one route's bug must not hide the others
            problem = f"it fails with {type(error).__name__}"
        if problem:
            found.append(f"{name!r}: {problem}")
    return found


def _tell(alarm: Alarm, now: datetime) -> bool:
    """Tell by every route; say whether staff know, or nobody is to be told but by the log."""
    notice = Notice(
        key=alarm.key,
        text=alarm.text,
        advice=alarm.advice,
        raised_at=alarm.raised_at,
        is_over=alarm.cleared_at is not None,
        count=alarm.count,
        here=installation.configured(),
    )
    tried = reached = 0
    for name, options in triggers_settings().alarms.items():
        try:
            route = routes.get(name.partition(":")[0])
            if route.problem(options):
                continue  # The settings' check says it.
            tried += 1
            route.tell(notice, options)
            reached += 1
        except Exception as error:  # noqa: BLE001 - the second route is there for the first one's failure
            logger.error(
                "The alarm %s could not be told by %s: %s", alarm.key, name, faults.told(error)
            )
    return bool(reached) or not tried


def check_routes() -> None:
    """Raise ImproperlyConfigured when OSCAR_TRIGGERS["ALARMS"] names what does not exist."""
    unknown = [name for name in triggers_settings().alarms if name.partition(":")[0] not in routes]
    if unknown:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['ALARMS'] names {', '.join(map(repr, unknown))}; "
            f"write one of {', '.join(map(repr, sorted(routes)))}, or register a route."
        )
