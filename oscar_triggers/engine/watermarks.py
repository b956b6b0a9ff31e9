"""Watermarks: where the last lease ended, so that the next need not step over what is done.

While something holds an old snapshot (a backup, a long report), PostgreSQL keeps the index entries
of rows that were leased before, and a search from the beginning walks over all of them. What
becomes due late, before the mark, is found by a search from the beginning once in a while, and
whenever a search from the mark finds too little.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

#: How often a search begins at the beginning although the mark would do (seconds).
LOOK_BACK_EVERY = 1.0
_MOST_KEPT = 100

Take = Callable[[datetime | None, int], list[tuple[int, datetime]]]


class Watermark:
    """The moment up to which one queue was leased by this thread; a hint, never a promise."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._looked_back = 0.0

    def take(self, take: Take, limit: int) -> list[int]:
        """Lease up to `limit` rows by `take(since, how many)`; complete whatever the hint says."""
        taken: list[tuple[int, datetime]] = []
        if self._since is not None and time.monotonic() - self._looked_back < LOOK_BACK_EVERY:
            taken = take(self._since, limit)
        if len(taken) < limit:
            self._looked_back = time.monotonic()
            taken += take(None, limit - len(taken))
        # A queue that is empty has nothing to step over.
        self._since = max(due for _pk, due in taken) if len(taken) >= limit else None
        return [pk for pk, _due in taken]


_kept = threading.local()


def of(name: str) -> Watermark:
    """Return this thread's watermark of a queue."""
    marks: OrderedDict[str, Watermark] = _kept.__dict__.setdefault("marks", OrderedDict())
    mark = marks.setdefault(name, Watermark())
    while len(marks) > _MOST_KEPT:
        marks.popitem(last=False)
    return mark
