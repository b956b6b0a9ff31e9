"""Questions that every batch asks: Django writes them once, the database answers them often.

Building and writing a SELECT costs Django several times what the database needs to answer it. The
keys that are asked for travel as one parameter, so that the text is the same for any number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.db.models import BooleanField, F, Field, Func, QuerySet

from . import known
from .prepared import NUMBER, Params, gap
from .sql import database_for

#: How PostgreSQL calls lists of what columns hold.
_LISTS = {"BigIntegerField": "bigint[]", "TextField": "text[]"}


class Keys(models.Field):  # type: ignore[type-arg]  # Django's fields take no types when it runs
    """A list that travels as one parameter: an array, or JSON where there are none."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Return the list as the database takes it."""
        listed = list(value)
        return listed if connection.vendor == "postgresql" else json.dumps(listed)


_KEYS = Keys()


class Among(Func):
    """True where a column holds one of the values that fill a slot."""

    def __init__(self, column: str, slot: str, field: Field[Any, Any] = NUMBER) -> None:
        super().__init__(F(column), output_field=BooleanField())
        self.slot, self.kind = slot, field.get_internal_type()

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]  # it takes no template
        """Compare with a whole list at once."""
        [column] = self.get_source_expressions()
        sql, params = compiler.compile(column)
        if connection.vendor == "postgresql":
            listed = f"{sql} = ANY(%s::{_LISTS[self.kind]})"
        else:
            listed = f"{sql} IN (SELECT value FROM json_each(%s))"  # noqa: S608 - a column of ours
        return listed, [*params, gap(self.slot, _KEYS)]


@dataclass(frozen=True)
class _Written:
    sql: str
    params: Params
    #: What Django does to a column's values: (position, functions, expression).
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]


class Question:
    """A SELECT of columns with slots; `write` makes it of the rows of a model."""

    def __init__(
        self,
        model: Callable[[], type[models.Model]],
        write: Callable[[QuerySet[Any]], QuerySet[Any, tuple[Any, ...]]],
    ) -> None:
        self._model, self._write = model, write
        self._written: dict[str, _Written] = {}

    def ask(self, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows; raises KeyError for a slot without a value."""
        alias = database_for(self._model())
        connection = connections[alias]
        written = self._written.get(alias)
        if written is None:
            written = self._written[alias] = self._compiled(alias, connection)
        with known.cursor(connection) as cursor:
            cursor.execute(written.sql, written.params.filled(values or {}, connection))
            rows: list[Any] = cursor.fetchall()
        if not written.converters:
            return rows
        return [_converted(row, written.converters, connection) for row in rows]

    def _compiled(self, alias: str, connection: Any) -> _Written:
        rows = self._write(self._model()._base_manager.using(alias).order_by())
        compiler: Any = rows.query.get_compiler(alias)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_rest in compiler.select])
        return _Written(
            sql=sql,
            params=Params(params),
            converters=[
                (position, functions, expression)
                for position, (functions, expression) in converters.items()
            ],
        )


def _converted(
    row: Sequence[Any],
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]],
    connection: Any,
) -> tuple[Any, ...]:
    values = list(row)
    for position, functions, expression in converters:
        value = values[position]
        for function in functions:
            value = function(value, expression, connection)
        values[position] = value
    return tuple(values)
