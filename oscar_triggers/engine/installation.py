"""Whether this installation may send: is it the one the database belongs to, and is sending on?

A production dump that is started as staging names another environment or address than its
settings: then nothing leaves until somebody says, by `triggers_adopt`, that this is meant.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..conf import triggers_settings
from ..models import INSTALLATION_ID, Installation
from ..models.questions import Question
from ..models.sql import insert_or_ignore

logger = logging.getLogger(__name__)

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
    return None if row is None else identity_of(row)


def identity_of(row: Installation) -> Identity:
    """Return which installation a row names."""
    return Identity(environment=row.environment, host=row.host, base_url=row.base_url)


def differences() -> list[tuple[str, str, str]]:
    """Return (setting, its value, what the database says) where the two differ."""
    there, here = stored(), configured()
    if there is None:
        return []
    return [
        (name.upper(), getattr(here, name), getattr(there, name))
        for name in ("environment", "host", "base_url")
        if getattr(here, name) != getattr(there, name)
    ]


def hold_reason() -> str:
    """Say why nothing may be sent at all (FOREIGN, SENDING_OFF, STOPPED), "" when it may."""
    row = next(iter(_SENDING.ask()), None)
    if (
        row is not None
        and Identity(environment=row[0], host=row[1], base_url=row[2]) != configured()
    ):
        return FOREIGN
    if not triggers_settings().sending:
        return SENDING_OFF
    return STOPPED if row is not None and row[3] is not None else ""


_SENDING = Question(
    lambda: Installation,
    lambda rows: rows.filter(pk=INSTALLATION_ID).values_list(
        "environment", "host", "base_url", "stopped_at"
    ),
)


def is_foreign() -> bool:
    """Say whether the database belongs to another installation: then the whole engine rests.

    A copy must send nothing, and it must not move people on or make vouchers either.
    """
    there = stored()
    return there is not None and there != configured()


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
    changed = bool(
        Installation.objects.filter(pk=INSTALLATION_ID, stopped_at=None).update(
            stopped_at=now, stopped_by=by, stop_reason=reason[:200]
        )
    )
    if changed:
        logger.warning("All sending is stopped.")
    return changed


def resume(now: datetime) -> bool:
    """Send again; messages that became too late meanwhile are not sent. False: it never stopped."""
    changed = bool(
        Installation.objects.filter(pk=INSTALLATION_ID, stopped_at__isnull=False).update(
            stopped_at=None, stopped_by=None, stop_reason=""
        )
    )
    if changed:
        logger.warning("Sending goes on.")
    return changed


def adopt(now: datetime) -> Installation:
    """Make this the installation that the database belongs to: what is due is sent from here."""
    ensure(now)
    for name, here, there in differences():
        logger.warning("This database is adopted: %s was %r and is %r now.", name, there, here)
    Installation.objects.filter(pk=INSTALLATION_ID).update(**vars(configured()), adopted_at=now)
    return Installation.objects.get(pk=INSTALLATION_ID)
