"""Single statements that Django's ORM cannot write: inserts that never read, and leases.

The same SQL runs on SQLite (3.35 or newer) and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connections, models, router
from django.db.models import Func

#: SQLite's compiled-in limit of variables is 32,766; PostgreSQL's is 65,535.
_MAX_VARIABLES = 30_000


def database_for(model: type[models.Model]) -> str:
    """Return the alias of the database that a model is written to."""
    return router.db_for_write(model)


def database_now(model: type[models.Model]) -> datetime:
    """Return the database's clock in UTC: the one clock for what is due."""
    connection = connections[database_for(model)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            value: datetime = cursor.fetchone()[0]
            return value.astimezone(UTC)
        cursor.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=UTC)


def insert_or_ignore(
    model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, conflict: str | Sequence[str]
) -> int:
    """Insert rows in one statement, leave out those whose `conflict` columns are taken; count them.

    Fields that a row does not name get their default. Reads nothing and opens no transaction.
    An empty `conflict` is whatever is unique.
    """
    columns = f"({_quote(model, conflict)})" if conflict else ""
    return _insert(model, rows, f"ON CONFLICT {columns} DO NOTHING")


def upsert(
    model: type[models.Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    conflict: str | Sequence[str],
    update: Iterable[str],
) -> int:
    """Insert rows in one statement, or update the named fields where `conflict` is taken."""
    connection = connections[database_for(model)]
    columns = [_column(model, name) for name in update]
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns)
    return _insert(
        model, rows, f"ON CONFLICT ({_quote(model, conflict)}) DO UPDATE SET {assignments}"
    )


def lease(
    model: type[models.Model],
    *,
    where: str,
    params: Sequence[Any],
    order_by: str,
    owner: str,
    until: datetime,
    limit: int,
    assignments: str = "",
) -> list[int]:
    """Take up to `limit` rows for one worker in one statement; return their ids.

    SKIP LOCKED keeps two workers from waiting for each other on PostgreSQL; on SQLite the
    statement begins with a write, so that it never deadlocks on an upgrade of its lock.
    `where`, `order_by` and `assignments` are our own SQL; values stand in `params`.
    """
    rows = lease_rows(
        model,
        where=where,
        params=params,
        order_by=order_by,
        owner=owner,
        until=until,
        limit=limit,
        assignments=assignments,
    )
    return sorted(row[0] for row in rows)


def lease_rows(
    model: type[models.Model],
    *,
    where: str,
    params: Sequence[Any],
    order_by: str,
    owner: str,
    until: datetime,
    limit: int,
    assignments: str = "",
    returning: str = "",
) -> list[tuple[Any, ...]]:
    """Lease as `lease` does; return the ids, each with another column, a moment (UTC)."""
    alias = database_for(model)
    connection = connections[alias]
    table = connection.ops.quote_name(model._meta.db_table)
    skip_locked = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update else ""
    more = f", {returning}" if returning else ""
    extra = f", {assignments}" if assignments else ""
    statement = (
        f"UPDATE {table} SET lease_owner = %s, leased_until = %s{extra} "  # noqa: S608 - our own names, values are parameters
        f"WHERE id IN (SELECT id FROM {table} WHERE {where} "
        f"ORDER BY {order_by} LIMIT {int(limit)} {skip_locked}) RETURNING id{more}"
    )
    moment = connection.ops.adapt_datetimefield_value
    values = [owner, moment(until), *(moment(p) if isinstance(p, datetime) else p for p in params)]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    if returning and connection.vendor != "postgresql":
        # Django has SQLite's moments read without their zone, which is UTC.
        return [(pk, at.replace(tzinfo=UTC)) for pk, at in rows]
    return [tuple(row) for row in rows]


def _column(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return str(field.column)


def _quote(model: type[models.Model], names: str | Sequence[str]) -> str:
    quote = connections[database_for(model)].ops.quote_name
    wanted = [names] if isinstance(names, str) else names
    return ", ".join(str(quote(_column(model, name))) for name in wanted)


def _insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]], conflict: str) -> int:
    if not rows:
        return 0
    alias = database_for(model)
    connection = connections[alias]
    fields = [f for f in model._meta.concrete_fields if not isinstance(f, models.AutoField)]
    per_statement = max(1, _MAX_VARIABLES // len(fields))
    if len(rows) > per_statement:
        return _insert(model, rows[:per_statement], conflict) + _insert(
            model, rows[per_statement:], conflict
        )
    quote = connection.ops.quote_name
    values: list[Any] = []
    for row in rows:
        for field in fields:
            value = row[field.name] if field.name in row else row.get(field.attname, _UNSET)
            if value is _UNSET:
                value = field.get_default()
            values.append(field.get_db_prep_save(value, connection))
    one = f"({', '.join(['%s'] * len(fields))})"
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} "  # noqa: S608 - our own names, values are parameters
        f"({', '.join(quote(str(f.column)) for f in fields)}) "
        f"VALUES {', '.join([one] * len(rows))} {conflict}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


_UNSET = object()


class StatementNow(Func):
    """The moment at which the database received the statement, before it looked at any row.

    What was committed before this moment is visible to the statement.
    """

    output_field = models.DateTimeField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL takes a statement's snapshot after this moment."""
        return "STATEMENT_TIMESTAMP()", []

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite's 'now' is fixed for the length of a statement; written the way Django does."""
        return "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')", []
