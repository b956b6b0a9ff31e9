"""What went wrong, for logs: the kind of an error and its places, never what it says.

Databases quote the row that they refuse, and with it names and addresses of people.
"""

from __future__ import annotations

import traceback
from pathlib import Path

_MOST_CAUSES = 4
_MOST_PLACES = 8


def told(error: BaseException) -> str:
    """Return the kinds of an error and of its causes, each with the places it came through."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < _MOST_CAUSES:
        frames = traceback.extract_tb(current.__traceback__)[-_MOST_PLACES:]
        places = " < ".join(
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
        )
        state = getattr(current, "sqlstate", None)
        code = f" {state}" if state else ""
        parts.append(f"{type(current).__name__}{code} ({places})")
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return ", caused by ".join(parts)
