"""Work that is done again when PostgreSQL undid it, because two transactions waited for each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError

_Answer = TypeVar("_Answer")

#: PostgreSQL's deadlock_detected (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_DEADLOCK = "40P01"


def again_after_deadlock(work: Callable[[], _Answer], *, attempts: int = 5) -> _Answer:
    """Do work that is one transaction, or one savepoint, again where it was a deadlock's victim.

    What was undone gave its locks back, so that the other one goes on. Raises OperationalError
    when every attempt ended so.
    """
    for left in reversed(range(attempts)):
        try:
            return work()
        except OperationalError as error:
            if not left or getattr(error.__cause__, "sqlstate", None) != _DEADLOCK:
                raise
    raise AssertionError("the last attempt returns or raises")
