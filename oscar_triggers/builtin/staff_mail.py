"""The project's own mail, for words to staff that must not keep the tick from going on."""

from __future__ import annotations

import copy
from typing import Any

from django.core import mail

#: For a connection and for each read (seconds): who tells staff something must not wait longer.
TIMEOUT = 5


def connection() -> Any:
    """Return the project's mail connection, as one that is not waited for longer than TIMEOUT.

    Mail that hangs is what an alarm may be about.
    """
    mailers = getattr(mail, "mailers", None)  # Since Django 6.1.
    found = copy.copy(mail.get_connection() if mailers is None else mailers.default)
    if hasattr(found, "timeout"):
        found.timeout = min(found.timeout or TIMEOUT, TIMEOUT)
    return found
