"""Incentives: what a message can promise personally, as a voucher; made once, revoked if unsent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from ..exceptions import Problem
from ..registry import Registry


class Incentive(Protocol):
    """Something granted for one message."""

    def problems(self, options: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with a Send step's options for it."""
        ...

    def grant(
        self, message_id: int, contact_id: int | None, options: Mapping[str, Any], now: datetime
    ) -> Mapping[str, Any]:
        """Make the grant of a message, or return the one it has; returns its merge values."""
        ...

    def revoke(self, message_ids: Sequence[int], now: datetime) -> None:
        """Take back the grants of messages that were never sent."""
        ...


registry: Registry[Incentive] = Registry("incentive")


def revoke_all(message_ids: Sequence[int], now: datetime) -> None:
    """Take back everything that was promised in messages that will never be sent."""
    if message_ids:
        for incentive in registry.values():
            incentive.revoke(message_ids, now)
