"""How many examples a test draws: a tenth with every change, all of them with `make test-long`."""

from __future__ import annotations

import os

_FEWEST = 20


def examples(full: int) -> int:
    """Return how many examples to draw now, where `full` are wanted in the long run."""
    if os.environ.get("TEST_LONG"):
        return full
    return min(full, max(full // 10, _FEWEST))
