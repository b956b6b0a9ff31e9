"""Whether this installation may send: is it the one the database belongs to, and is sending on?

A production dump that is started as staging names another environment or address than its
settings: then nothing leaves until somebody says, by `triggers_adopt`, that this is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..conf import triggers_settings
from ..models import INSTALLATION_ID, Installation
from ..models.sql import insert_or_ignore

#: Why nothing is sent.
SENDING_OFF = "sending_off"
STOPPED = "stopped"
FOREIGN = "foreign_installation"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which installation something belongs to."""

    environment: str
    host: str
    base_url: str


def configured() -> Identity:
    """Return what the settings say this installation is."""
    general = triggers_settings()
    return Identity(environment=general.environment, host=general.host, base_url=general.base_url)


def ensure(now: datetime) -> Installation:
    """Return the row of this database; a database without one now belongs to this installation."""
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    if row is None:
        here = configured()
        insert_or_ignore(
            Installation,
            [{"id": INSTALLATION_ID, **vars(here), "adopted_at": now}],
            conflict="id",
        )
        row = Installation.objects.get(pk=INSTALLATION_ID)
    return row


def stored() -> Identity | None:
    """Return which installation the database says it belongs to; None before the first tick."""
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    if row is None:
        return None
    return Identity(environment=row.environment, host=row.host, base_url=row.base_url)


def hold_reason() -> str:
    """Say why nothing may be sent at all (STOPPED, FOREIGN, SENDING_OFF), "" when it may."""
    if not triggers_settings().sending:
        return SENDING_OFF
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    if row is None:
        return ""
    if row.stopped_at is not None:
        return STOPPED
    return "" if stored() == configured() else FOREIGN


def objections() -> QuerySet[Installation]:
    """Return the row when it forbids sending, else nothing: for the statement of the mark."""
    here = configured()
    return Installation.objects.filter(
        Q(stopped_at__isnull=False)
        | ~Q(environment=here.environment)
        | ~Q(host=here.host)
        | ~Q(base_url=here.base_url)
    )


def stop(now: datetime, *, by: Any = None, reason: str = "") -> bool:
    """Stop all sending before the next hand-over; return False when it was stopped already."""
    ensure(now)
    return bool(
        Installation.objects.filter(pk=INSTALLATION_ID, stopped_at=None).update(
            stopped_at=now, stopped_by=by, stop_reason=reason[:200]
        )
    )


def resume(now: datetime) -> bool:
    """Send again; messages that became too late meanwhile are not sent. False: it never stopped."""
    return bool(
        Installation.objects.filter(pk=INSTALLATION_ID, stopped_at__isnull=False).update(
            stopped_at=None, stopped_by=None, stop_reason=""
        )
    )


def adopt(now: datetime) -> Installation:
    """Make this the installation that the database belongs to."""
    ensure(now)
    Installation.objects.filter(pk=INSTALLATION_ID).update(**vars(configured()), adopted_at=now)
    return Installation.objects.get(pk=INSTALLATION_ID)
