"""Cursors for statements that run again and again: what Django finds out each time is kept.

Django searches a statement for its placeholders whenever SQLite runs it, which takes longer than
SQLite needs for the statement. Whoever watches Django's connection sees these statements too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

#: How many statements are remembered.
_MOST_KEPT = 512
_converted: dict[str, str] = {}


def cursor(connection: Any) -> Any:
    """Return a cursor like the connection's own."""
    if connection.vendor != "sqlite":
        return connection.cursor()
    connection.ensure_connection()
    made = connection.connection.cursor(factory=_of_sqlite())
    if connection.queries_logged:
        return connection.make_debug_cursor(made)
    return connection.make_cursor(made)


@cache
def _of_sqlite() -> type[Any]:
    from django.db.backends.sqlite3.base import SQLiteCursorWrapper

    class KnownCursor(SQLiteCursorWrapper):
        """Looks for placeholders in a statement when it is new."""

        def convert_query(self, query: str, *, param_names: Any = None) -> str:
            """Return the statement as SQLite writes it."""
            if param_names is not None:
                return str(super().convert_query(query, param_names=param_names))
            known = _converted.get(query)
            if known is None:
                if len(_converted) >= _MOST_KEPT:
                    _converted.clear()
                known = _converted[query] = super().convert_query(query)
            return known

    return KnownCursor
