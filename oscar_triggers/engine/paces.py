"""Pace: how many messages this process hands over in a moment, learned from the last batches.

Nobody can be overtaken within a batch. So a batch is as large as a short time allows: some dozens
where a provider is quick, one or two where it is slow.
"""

from __future__ import annotations

from ..conf import triggers_settings

#: How long one batch is meant to take (seconds).
MEANT = 0.25
#: What is assumed of a provider of which nothing is known yet (seconds a message).
_UNKNOWN = 0.01
#: What a batch of one costs beside its message (seconds).
_FOR_ANY = 0.02
#: How much the last batch weighs against those before it.
_WEIGHT = 0.5

_learned = {"seconds_each": _UNKNOWN}


def size() -> int:
    """Return how many messages the next batch should have, from 1 to BATCH_SIZE."""
    return max(1, min(int(MEANT / _learned["seconds_each"]), triggers_settings().batch_size))


def learn(messages: int, seconds: float) -> None:
    """Learn from a batch of so many messages that took so long."""
    if messages > 0:
        each = max((seconds - _FOR_ANY) / messages, 1e-4)
        _learned["seconds_each"] += _WEIGHT * (each - _learned["seconds_each"])
