"""Who this process is, for leases."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import threading
from functools import cache

#: After how many new objects the garbage collector looks for cycles among them.
_YOUNG_OBJECTS = 20_000


@cache
def _process_tag(pid: int) -> str:
    return f"{socket.gethostname()[:16]}:{pid}:{secrets.token_hex(3)}"


def name() -> str:
    """Return a name that no other running worker has: host, process, thread."""
    return f"{_process_tag(os.getpid())}:{threading.get_ident() % 10_000}"[:40]


def settle_in() -> None:
    """Leave what a long-lived process has loaded out of every later garbage collection.

    Looking through all of Django and the shop takes 0.2 s, and it came about once in 200 letters.
    A batch makes some ten thousand objects that all live until its end; they are not looked
    through again and again either.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
