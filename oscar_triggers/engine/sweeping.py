"""Sweeps: looking for what no signal told, each at its own pace, one runner at a time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ..conf import triggers_settings
from ..models import Pulse
from ..models.sql import insert_or_ignore, lease
from ..registry import Registry
from . import faults, worker

logger = logging.getLogger(__name__)

_LEASE = timedelta(minutes=10)


class Sweep:
    """One look over the shop's tables."""

    #: Part of the pulse's name, as in "baskets".
    name: str = ""
    #: How often; None is OSCAR_TRIGGERS["SWEEP_EVERY"].
    every: timedelta | None = None

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look, record events, move the pulse's position_at or watermark; say what was found."""
        raise NotImplementedError(f"{type(self).__name__} must define run().")


registry: Registry[Sweep] = Registry("sweep")
S = TypeVar("S", bound=type[Sweep])


def register(sweep_class: S) -> S:
    """Register a sweep class under its name (a class decorator)."""
    if sweep_class.name not in registry:
        registry.add(sweep_class.name, sweep_class())
    return sweep_class


def run_due(now: datetime) -> dict[str, dict[str, Any]]:
    """Run the sweeps whose time has come; return what each found.

    A sweep that fails is logged and tried again at its next turn; the others still run.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, sweep in registry.items():
        pulse_name = f"sweep:{name}"
        insert_or_ignore(Pulse, [{"name": pulse_name}], conflict="name")
        every = sweep.every if sweep.every is not None else triggers_settings().sweep_every
        taken = lease(
            Pulse,
            where="name = %s AND (ran_at IS NULL OR ran_at <= %s OR ran_at > %s) "
            "AND (leased_until IS NULL OR leased_until < %s)",
            # A pulse from the future (a clock that was set back) must not stop the sweep.
            params=[pulse_name, now - every, now + every, now],
            order_by="id",
            owner=worker.name(),
            until=now + _LEASE,
            limit=1,
        )
        if taken:
            found[name] = _run_one(sweep, Pulse.objects.get(pk=taken[0]), now)
    return found


def _run_one(sweep: Sweep, pulse: Pulse, now: datetime) -> dict[str, Any]:
    try:
        detail = sweep.run(now, pulse)
    except Exception as error:  # noqa: BLE001 - one sweep's bug must not stop the others
        said = faults.told(error)
        logger.error("The sweep %s failed; it runs again at its next turn: %s", sweep.name, said)
        detail = {"error": type(error).__name__}
    Pulse.objects.filter(pk=pulse.pk, lease_owner=pulse.lease_owner).update(
        ran_at=now,
        position_at=pulse.position_at,
        watermark=pulse.watermark,
        detail=detail,
        lease_owner="",
        leased_until=None,
    )
    return detail
