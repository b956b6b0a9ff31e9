"""A channel that keeps what it is given, for tests of flows that write by other ways than e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .. import channels
from ..channels import Channel, Outcome, Parcel, Receipt

#: What the channel took over, oldest first; empty it between tests (the fixtures do).
outbox: list[Parcel] = []


@channels.register
@dataclass(frozen=True, kw_only=True)
class MemoryChannel(Channel):
    """Takes over every parcel and keeps it in `outbox`."""

    kind: ClassVar[str] = "memory"
    label: ClassVar[Any] = "Memory"
    content: ClassVar[str] = channels.EMAIL_CONTENT

    def normalise(self, value: str) -> str:
        """Return the point in small letters; raises ValueError for an empty one."""
        point = value.strip().lower()
        if not point:
            raise ValueError("A point of the memory channel cannot be empty.")
        return point

    def send(self, parcel: Parcel) -> Receipt:
        """Keep the parcel."""
        outbox.append(parcel)
        return Receipt(
            dispatch_id=parcel.dispatch_id,
            outcome=Outcome.SENT,
            provider="memory",
            provider_id=f"memory-{len(outbox)}",
        )
