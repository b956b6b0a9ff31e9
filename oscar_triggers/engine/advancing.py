"""Advancing: taking due enrollments, and sparing the others where one cannot go on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ..conf import triggers_settings
from ..exceptions import TriggersError
from ..models import (
    RUNNING,
    Enrollment,
    EnrollmentState,
    Flow,
)
from ..models.sql import database_for, lease
from . import contacts, faults, plans, walking, worker
from .decisions import Note, note_many

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = timedelta(minutes=5)


def advance(now: datetime, *, limit: int | None = None, ids: Collection[int] | None = None) -> int:
    """Move a batch of due enrollments as far as they can go; return how many were looked at.

    Those whose worker died are moved one by one, after all others. With `ids`, none but these
    enrollments are moved (a simulation plays one person's way).
    """
    general = triggers_settings()
    leased = _lease_due(now, "crashes = 0", limit or general.batch_size, ids)
    leased = leased or _lease_due(now, "crashes > 0", 1, ids)
    if not leased:
        return 0
    rows = list(
        Enrollment.objects.select_related("version")
        .defer("version__definition")
        .filter(pk__in=leased)
    )
    poisoned = [row for row in rows if row.crashes > general.max_crashes]
    _hold(poisoned, "crashed", {"crashes": general.max_crashes}, now)
    healthy = [row for row in rows if row not in poisoned]
    if healthy:
        _advance_rows(healthy, now)
    return len(leased)


def _lease_due(
    now: datetime, crashes: str, limit: int, ids: Collection[int] | None = None
) -> list[int]:
    if ids is not None:
        listed = ", ".join(str(int(pk)) for pk in ids) or "NULL"
        crashes = f"{crashes} AND id IN ({listed})"
    not_live = f"(SELECT id FROM {Flow._meta.db_table} WHERE state NOT IN (%s, %s))"  # noqa: S608 - our own table
    return lease(
        Enrollment,
        where=f"state = %s AND due_at <= %s AND flow_id NOT IN {not_live} "
        f"AND (leased_until IS NULL OR leased_until < %s) AND {crashes}",
        params=[EnrollmentState.ACTIVE.value, now, *(state.value for state in RUNNING), now],
        order_by="lane, due_at, id",
        owner=worker.name(),
        until=now + triggers_settings().lease_for,
        limit=limit,
        assignments="crashes = crashes + 1",
    )


def _advance_rows(rows: list[Enrollment], now: datetime) -> None:
    try:
        with transaction.atomic(using=database_for(Enrollment)):
            contacts.hold(
                row.contact_id for row in rows if plans.plan_of(row.version).holds_contacts
            )
            walking.walk(_locked(rows), now)
    except Exception as error:  # noqa: BLE001 - one step's bug must not stop the others
        said = faults.told(error)
        if len(rows) > 1:
            logger.error("Moving %d enrollments failed; trying each: %s", len(rows), said)
            for row in rows:
                _advance_rows([row], now)
            return
        logger.error("Enrollment %s cannot go on: %s", rows[0].pk, said)
        _set_aside(rows[0], error, now)


def _locked(rows: Sequence[Enrollment]) -> list[Enrollment]:
    """Return, as they are now, those that are still ours.

    Who ends one from now on waits for our commit, and finds the message that we planned.
    """
    return list(
        Enrollment.objects.select_for_update(of=("self",))
        .select_related("contact", "flow", "version", "woken_by")
        .filter(
            pk__in=[row.pk for row in rows],
            state=EnrollmentState.ACTIVE,
            lease_owner=rows[0].lease_owner,
        )
        .order_by("pk")
    )


def _set_aside(row: Enrollment, error: Exception, now: datetime) -> None:
    detail = str(error) if isinstance(error, TriggersError) else type(error).__name__
    if isinstance(error, TriggersError) or row.crashes >= triggers_settings().max_crashes:
        _hold([row], "broken_step", {"step": row.step_key, "error": detail}, now)
        return
    Enrollment.objects.filter(pk=row.pk).update(
        due_at=now + _PAUSE_AFTER_ERROR * row.crashes, leased_until=None, lease_owner=""
    )


def _hold(
    rows: Sequence[Enrollment], reason: str, compared: Mapping[str, Any], now: datetime
) -> None:
    for row in rows:
        Enrollment.objects.filter(pk=row.pk).update(
            state=EnrollmentState.HELD, leased_until=None, lease_owner=""
        )
        logger.error("Enrollment %s is held: %s (step %s).", row.pk, reason, row.step_key)
    note_many(
        [
            Note(
                rule="step",
                verdict="held",
                reason=reason,
                compared=compared,
                enrollment_id=row.pk,
                flow_id=row.flow_id,
            )
            for row in rows
        ],
        now,
    )
