"""The sweep over those who wait: whose turn is it, and what became of whose turn it was?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...engine import sweeping
from ...models import Pulse
from . import alerts, endings, outcomes, terms, waves


@sweeping.register
class RequestSweep(sweeping.Sweep):
    """Takes Oscar's alerts in, sends waves, and puts back in the line whom no letter reached."""

    name = "requests"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at everything that is waited for; without a flow, only at what still is under way."""
        found: dict[str, Any] = {}
        current = terms.current()
        # Before anything is told: what is sold and what Oscar told of is not reserved any more.
        found["ended_by_oscar"] = alerts.follow(now)
        if terms.is_ours():
            found["adopted"] = alerts.adopt(now)
        found |= outcomes.settle(now)
        found["expired"] = endings.expire(current, now)
        gone_for = terms.gone_for()
        if gone_for is not None:
            found["discontinued"] = endings.discontinue(gone_for, now)
        if current is not None:
            found["told"] = waves.send(current, now)
        return found
