"""One UPDATE for many rows with values of their own, which Django writes as a CASE per column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models

from .sql import database_for

#: SQLite's compiled-in limit of variables is 32,766.
_MAX_VARIABLES = 30_000


def update_each(rows: Sequence[models.Model], names: Sequence[str], *, where: str = "") -> int:
    """Write the named fields of loaded rows of one model; return how many were written.

    `where` is our own SQL about columns of the table, without parameters: rows that do not fit
    any more are left alone. `UPDATE … FROM (VALUES …)` takes about a tenth of the time of
    `bulk_update`, and its text is the same for any number of rows on one database.
    """
    if not rows:
        return 0
    model = type(rows[0])
    fields = [model._meta.get_field(name) for name in names]
    per_statement = max(1, _MAX_VARIABLES // (len(fields) + 1))
    return sum(
        _update(model, rows[start : start + per_statement], fields, where)
        for start in range(0, len(rows), per_statement)
    )


def _update(
    model: type[models.Model], rows: Sequence[models.Model], fields: Sequence[Any], where: str
) -> int:
    connection = connections[database_for(model)]
    quote = connection.ops.quote_name
    columns = [model._meta.pk, *fields]
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for row in rows
        for field in columns
    ]
    # PostgreSQL reads types from the first row: an untyped one would be text.
    typed = connection.vendor == "postgresql"
    first = ", ".join(
        f"%s::{field.cast_db_type(connection)}" if typed else "%s" for field in columns
    )
    others = ", ".join(["%s"] * len(columns))
    listed = ", ".join([f"({first})", *[f"({others})"] * (len(rows) - 1)])
    table = quote(model._meta.db_table)
    assignments = ", ".join(
        f"{quote(field.column)} = v.column{number}" for number, field in enumerate(fields, start=2)
    )
    statement = (
        f"UPDATE {table} SET {assignments} FROM (VALUES {listed}) AS v "  # noqa: S608 - our own names, values are parameters
        f"WHERE {table}.id = v.column1{f' AND {where}' if where else ''}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
