"""Conditions in the words of an index: SQLite uses a partial index only for what is written alike."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, F, Func


class OneOf(Func):
    """True where a column holds one of some words of ours, written as the index's condition is.

    As parameters they would be told apart from the same words in the index.
    """

    def __init__(self, column: str, *words: str) -> None:
        super().__init__(F(column), output_field=BooleanField())
        assert all(word.isidentifier() for word in words), words
        self.words = words

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]  # it takes no template
        """Write the words themselves."""
        [column] = self.get_source_expressions()
        sql, params = compiler.compile(column)
        words = ", ".join(f"'{word}'" for word in self.words)
        return f"{sql} IN ({words})", params


class NotIndexed(Func):
    """A column for which SQLite uses no index: another one, or the list's order, finds rows sooner.

    It keeps no statistics, and takes any index that fits for one that finds few rows.
    """

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Put the sign before it that SQLite's manual names for this."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)
