"""Statements over rows that travel as one parameter: the same text for one row or five hundred.

The rows are JSON, which both databases unfold (`jsonb_to_recordset`, `json_each`). So PostgreSQL
plans once for a group, may keep the plan, and SQLite finds the statement in its cache. What need
not be one statement goes to SQLite row by row: it has no round trips that this could cost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery

from .prepared import DATA, Params
from .trips import Trip

Columns = Mapping[str, "Field[Any, Any]"]

#: How the fields of given rows are called where PostgreSQL unfolds them.
_TYPES = {
    "BigIntegerField": "bigint",
    "DateTimeField": "timestamptz",
    "JSONField": "jsonb",
    "TextField": "text",
}
#: Where the rows stand among the parameters.
_ROWS = object()
#: How many sets of conditions one statement remembers.
_MOST_TEXTS = 64
#: A parameter of a statement, or a column of its given rows.
_PLACE = re.compile(r'%s|given\."(\w+)"')
_encode = DjangoJSONEncoder(separators=(",", ":"), check_circular=False).encode


class Given(Expression):
    """A column of the given rows, inside a statement over them."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Name the column."""
        return f"given.{connection.ops.quote_name(self.name)}", []


class GivenUpdate:
    """An UPDATE of the rows of one table that a list of values names."""

    def __init__(
        self, rows: QuerySet[Any], assignments: Mapping[str, Any], columns: Columns
    ) -> None:
        self._connection = connection = connections[rows.db]
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(dict(assignments))
        sql, params = query.get_compiler(rows.db).as_sql()
        cut = sql.index(" WHERE ")
        head, where = sql[:cut], sql[cut:]
        places = head.count("%s")
        self._columns = columns
        self._params = Params([*params[:places], _ROWS, *params[places:]])
        self._sql = f"{head} FROM {unfolded(connection, columns)} AS given{where}"
        table = connection.ops.quote_name(rows.model._meta.db_table)
        pk = connection.ops.quote_name(rows.model._meta.pk.column)
        self._returning = f" RETURNING {table}.{pk}"
        #: The statement with its conditions, by these: a long text is put together once.
        self._texts: dict[tuple[str, ...], str] = {}
        self._one_by_one = _OneByOne(sql, params, columns)

    def run(self, trip: Trip, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> None:
        """Have a trip do it; what is JSON is stored as Django stores it."""
        if not rows:
            return
        if self._connection.vendor == "sqlite":
            self._one_by_one.run(trip, rows, values, self._connection)
        else:
            trip.add(self._sql, self._filled(rows, values))

    def run_last(
        self,
        trip: Trip,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        *,
        unless: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> set[int]:
        """Have a trip do it as its last statement; return the keys of the rows it changed.

        `unless` are conditions of rows that are left alone. JSON is for comparing here, not for
        storing.
        """
        conditions = tuple(condition for condition, _params in unless)
        sql = self._texts.get(conditions)
        if sql is None:
            sql = self._sql + "".join(f" AND NOT ({one})" for one in conditions) + self._returning
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[conditions] = sql
        params = self._filled(rows, values)
        for _condition, more in unless:
            params += more
        return {row[0] for row in trip.last(sql, params)}

    def _filled(self, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[Any]:
        params = self._params.filled(values, self._connection)
        params[params.index(_ROWS)] = dumped(rows)
        return params


class _OneByOne:
    """The same UPDATE with a row's values as parameters: SQLite need not unfold JSON for it."""

    def __init__(self, sql: str, params: Sequence[Any], columns: Columns) -> None:
        given = iter(params)
        #: For each place: the name of a row's column, or None and the parameter for all rows.
        self._places = [
            (found[1], None) if found[1] else (None, next(given)) for found in _PLACE.finditer(sql)
        ]
        self._sql = _PLACE.sub("%s", sql)
        self._params = Params([param for name, param in self._places if name is None])
        self._data = frozenset(name for name, field in columns.items() if field is DATA)

    def run(
        self,
        trip: Trip,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        connection: Any,
    ) -> None:
        """Have a trip do it."""
        shared = iter(self._params.filled(values, connection))
        places = [(name, None if name else next(shared)) for name, _param in self._places]
        data = self._data
        trip.add_each(
            self._sql,
            [
                [
                    param
                    if name is None
                    else json.dumps(row[name])
                    if name in data and row[name] is not None
                    else row[name]
                    for name, param in places
                ]
                for row in rows
            ],
        )


class GivenInsert:
    """An INSERT of a list of rows into one table."""

    def __init__(self, model: type[models.Model], columns: Columns, alias: str) -> None:
        self._connection = connection = connections[alias]
        quote = connection.ops.quote_name
        self._columns = columns
        names = ", ".join(quote(name) for name in columns)
        table = quote(model._meta.db_table)
        if connection.vendor == "sqlite":
            places = ", ".join(["%s"] * len(columns))
            self._sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own names, values are parameters
        else:
            self._sql = (
                f"INSERT INTO {table} ({names}) "  # noqa: S608 - our own names, values are parameters
                f"SELECT {names} FROM {unfolded(connection, columns)} AS given"
            )

    def run(self, trip: Trip, rows: Sequence[Mapping[str, Any]]) -> None:
        """Have a trip do it."""
        if not rows:
            return
        if self._connection.vendor != "sqlite":
            trip.add(self._sql, [dumped(rows)])
            return
        columns = [(name, field is DATA) for name, field in self._columns.items()]
        trip.add_each(
            self._sql,
            [
                [
                    json.dumps(row[name]) if is_data and row[name] is not None else row[name]
                    for name, is_data in columns
                ]
                for row in rows
            ],
        )


def unfolded(connection: Any, columns: Columns) -> str:
    """Return the SQL that makes rows of one parameter."""
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql":
        named = ", ".join(
            f"{quote(name)} {_TYPES[field.get_internal_type()]}" for name, field in columns.items()
        )
        # A given row set needs its columns where it is named: the alias comes from the caller.
        return f"(SELECT * FROM jsonb_to_recordset(%s::jsonb) AS unfolded({named}))"  # noqa: S608 - names of our own columns
    named = ", ".join(f"json_extract(value, '$.{name}') AS {quote(name)}" for name in columns)
    # LIMIT: unfolded once; SQLite would else read the JSON again for each place that names it.
    return f"(SELECT {named} FROM json_each(%s) LIMIT -1)"  # noqa: S608 - names of our own columns


def dumped(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as the parameter that is unfolded."""
    return _encode(list(rows))


def moment(connection: Any, value: datetime | None) -> Any:
    """Return a moment as it stands in given rows."""
    if value is None:
        return None
    written = connection.ops.adapt_datetimefield_value(value)
    return written if isinstance(written, str) else value.isoformat()
