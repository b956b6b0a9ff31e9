"""Incentives: what is promised to one person, as a voucher; made once, revoked if never told.

A Send step promises in its message, a Voucher step to the enrollment, whose later messages name
it. Over all flows a person gets one in OSCAR_TRIGGERS["INCENTIVE_EVERY"] (C25, W10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from django.core.exceptions import ImproperlyConfigured

from ..conf import triggers_settings
from ..exceptions import Problem, UnknownKind
from ..models import VoucherGrant
from ..registry import Registry

#: Why a message or a step promises nothing.
INCENTIVE_LIMIT = "incentive_limit"
#: In an incentive's options: what becomes of a letter that may not promise it.
WITHOUT = "without"
SEND_WITHOUT = "send"
#: The incentive that Voucher steps grant.
VOUCHER = "voucher"


@dataclass(frozen=True, kw_only=True)
class Limited:
    """Nothing was granted: the person had something not long ago, or the incentive says why."""

    reason: str = INCENTIVE_LIMIT
    compared: Mapping[str, Any] = field(default_factory=dict)


class Incentive(Protocol):
    """Something granted for one message."""

    def problems(self, options: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with a Send step's options for it."""
        ...

    def grant(
        self, message_id: int, contact_id: int | None, options: Mapping[str, Any], now: datetime
    ) -> Mapping[str, Any] | Limited:
        """Make the grant of a message, or return the one it has; returns its merge values."""
        ...

    def revoke(self, message_ids: Sequence[int], now: datetime) -> None:
        """Take back the grants of messages that were never sent."""
        ...


@runtime_checkable
class StepIncentive(Incentive, Protocol):
    """An incentive that Voucher steps can grant as well, and rehearsals can show."""

    def grant_for_step(
        self,
        enrollment_id: int,
        step_key: str,
        pass_no: int,
        contact_id: int,
        options: Mapping[str, Any],
        now: datetime,
    ) -> VoucherGrant | Limited:
        """Make the grant of an enrollment's coming to a step, or return the one it has."""
        ...

    def granted_to(self, enrollment_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the merge values of what steps granted, by enrollment; the newest counts."""
        ...

    def rehearse(self, options: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
        """Return merge values as a grant would have them; nothing is made."""
        ...

    def revoke_untold(self, enrollment_ids: Sequence[int], now: datetime) -> None:
        """Take back what steps granted to enrollments that ended before a message told of it."""
        ...


registry: Registry[Incentive] = Registry("incentive")


def revoke_all(message_ids: Sequence[int], now: datetime) -> None:
    """Take back everything that was promised in messages that will never be sent."""
    if message_ids:
        for incentive in registry.values():
            incentive.revoke(message_ids, now)


def check_setting() -> None:
    """Read INCENTIVE_EVERY; raises ImproperlyConfigured saying what to write instead."""
    every: Any = triggers_settings().incentive_every
    if every is not None and (not isinstance(every, timedelta) or every <= timedelta(0)):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['INCENTIVE_EVERY'] is {every!r}; write a timedelta, as in "
            "timedelta(days=30), or None for any number of vouchers."
        )


def revoke_untold(enrollment_ids: Sequence[int], now: datetime) -> None:
    """Take back what Voucher steps granted to those who left before they were told of it."""
    vouchers = registry.get(VOUCHER) if VOUCHER in registry else None
    if enrollment_ids and isinstance(vouchers, StepIncentive):
        vouchers.revoke_untold(enrollment_ids, now)


def grant_for_step(
    enrollment_id: int,
    step_key: str,
    pass_no: int,
    contact_id: int,
    options: Mapping[str, Any],
    now: datetime,
) -> VoucherGrant | Limited:
    """Grant once for each coming of an enrollment to a step, or say why nothing is granted.

    Raises UnknownKind when no installed app brings vouchers.
    """
    vouchers = registry.get(VOUCHER)
    if not isinstance(vouchers, StepIncentive):
        raise UnknownKind(
            f"The incentive {VOUCHER!r} ({type(vouchers).__name__}) cannot be granted by a step; "
            "let it define the methods of StepIncentive."
        )
    return vouchers.grant_for_step(enrollment_id, step_key, pass_no, contact_id, options, now)


def granted_to(enrollment_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """Return the merge values of the vouchers that steps granted, by enrollment."""
    vouchers = registry.get(VOUCHER) if VOUCHER in registry else None
    if not enrollment_ids or not isinstance(vouchers, StepIncentive):
        return {}
    return vouchers.granted_to(enrollment_ids)


def rehearse(incentive: Incentive, options: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """Return merge values as a grant would have them, {} where the incentive has no such thing."""
    return incentive.rehearse(options, now) if isinstance(incentive, StepIncentive) else {}
