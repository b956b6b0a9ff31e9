"""Statements over rows that travel as one parameter: the same text for one row or five hundred.

The rows are JSON, which both databases unfold (`jsonb_to_recordset`, `json_each`). So PostgreSQL
plans once for a group, may keep the plan, and SQLite finds the statement in its cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery

from .prepared import DATA, filled
from .trips import Trip

Columns = Mapping[str, "Field[Any, Any]"]

#: How the fields of given rows are called where PostgreSQL unfolds them.
_TYPES = {
    "BigIntegerField": "bigint",
    "DateTimeField": "timestamptz",
    "JSONField": "jsonb",
    "TextField": "text",
}


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
        self._alias = rows.db
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(dict(assignments))
        sql, params = query.get_compiler(self._alias).as_sql()
        cut = sql.index(" WHERE ")
        self._head, self._where = sql[:cut], sql[cut:]
        places = self._head.count("%s")
        self._head_params, self._where_params = params[:places], params[places:]
        self._columns = columns
        connection = connections[self._alias]
        self._unfolded = unfolded(connection, columns)
        table = connection.ops.quote_name(rows.model._meta.db_table)
        pk = connection.ops.quote_name(rows.model._meta.pk.column)
        self._returning = f" RETURNING {table}.{pk}"

    def statement(
        self,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        *,
        unless: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> tuple[str, list[Any]]:
        """Return SQL and parameters; `unless` are conditions of rows that are left alone."""
        connection = connections[self._alias]
        sql = f"{self._head} FROM {self._unfolded} AS given{self._where}"
        params = [
            *filled(self._head_params, values, connection),
            dumped(connection, self._columns, rows),
            *filled(self._where_params, values, connection),
        ]
        for condition, more in unless:
            sql += f" AND NOT ({condition})"
            params += more
        return sql, params

    def run(
        self,
        trip: Trip,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        *,
        unless: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> None:
        """Have a trip do it."""
        if rows:
            trip.add(*self.statement(rows, values, unless=unless))

    def run_last(
        self,
        trip: Trip,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        *,
        unless: Sequence[tuple[str, Sequence[Any]]] = (),
    ) -> set[int]:
        """Have a trip do it as its last statement; return the keys of the rows it changed."""
        sql, params = self.statement(rows, values, unless=unless)
        return {row[0] for row in trip.last(sql + self._returning, params)}


class GivenInsert:
    """An INSERT of a list of rows into one table."""

    def __init__(self, model: type[models.Model], columns: Columns, alias: str) -> None:
        connection = connections[alias]
        quote = connection.ops.quote_name
        names = ", ".join(quote(name) for name in columns)
        self._connection, self._columns = connection, columns
        self._sql = (
            f"INSERT INTO {quote(model._meta.db_table)} ({names}) "  # noqa: S608 - our own names, values are parameters
            f"SELECT {names} FROM {unfolded(connection, columns)} AS given"
        )

    def run(self, trip: Trip, rows: Sequence[Mapping[str, Any]]) -> None:
        """Have a trip do it."""
        if rows:
            trip.add(self._sql, [dumped(self._connection, self._columns, rows)])


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
    return f"(SELECT {named} FROM json_each(%s))"  # noqa: S608 - names of our own columns


def dumped(connection: Any, columns: Columns, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as the parameter that is unfolded."""
    written: Sequence[Mapping[str, Any]] = rows
    if connection.vendor != "postgresql":
        # SQLite keeps JSON as text, and Django compares it as such: it must be Django's own.
        data = [name for name, field in columns.items() if field is DATA]
        written = [
            {**row, **{name: json.dumps(row[name]) for name in data if row[name] is not None}}
            for row in rows
        ]
    return json.dumps(list(written), cls=DjangoJSONEncoder, separators=(",", ":"))


def moment(connection: Any, value: datetime | None) -> Any:
    """Return a moment as it stands in given rows."""
    if value is None:
        return None
    written = connection.ops.adapt_datetimefield_value(value)
    return written if isinstance(written, str) else value.isoformat()
