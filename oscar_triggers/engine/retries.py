"""Retries: how long to wait before the next try, with full jitter and no dice.

What failed together must not come back together. The spread is a keyed hash of the dispatch and
its attempt, so a step needs no source of randomness and a rerun waits the same.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from ..channels import Receipt
from ..conf import triggers_settings

#: Pauses of RETRY_AFTER are spread over so much of themselves ("full jitter" of what is added).
_SPREAD = 0.5

_SECOND = timedelta(seconds=1)
#: Pauses of the classes that receipts name: too many connections pass quickly, a full mailbox
#: or greylisting (RFC 6647: retry after minutes) does not.
_CLASSES = {
    "quick": (10 * _SECOND, 30 * _SECOND, 60 * _SECOND, 120 * _SECOND, 300 * _SECOND),
    "slow": (
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=6),
    ),
}


def pause(receipt: Receipt, dispatch_id: int, attempt: int) -> timedelta | None:
    """Return how long to wait after this attempt (1 for the first); None: it was the last.

    A pause that the provider asked for is kept in full.
    """
    pauses = _CLASSES.get(receipt.retry_class) or triggers_settings().retry_after
    if attempt > len(pauses):
        return None
    length = pauses[max(attempt, 1) - 1]
    spread = length * (1 - _SPREAD * unit(f"{dispatch_id}:{attempt}"))
    return max(spread, timedelta(seconds=receipt.retry_after_seconds))


def uncounted_pause(receipt: Receipt, dispatch_id: int, attempt: int) -> timedelta:
    """Return how long a message waits whose provider was down: it cost no attempt."""
    length = triggers_settings().tick_every * (1 + unit(f"{dispatch_id}:{attempt}:down"))
    return max(length, timedelta(seconds=receipt.retry_after_seconds))


def unit(text: str) -> float:
    """Return a number from 0 up to 1 that a text always gives."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=b"retries").digest()
    return int.from_bytes(digest) / 2**64
