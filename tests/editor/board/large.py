"""Tables with many rows, and what a page reads of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django.db import connection, models

#: As many as make a scan plain to see, and are made in a second.
MANY = 60_000
#: What a page may read of a table: a capped count, and the rows of one page.
MOST_READ = 25_000


def multiply(row: models.Model, changes: dict[str, str], many: int = MANY) -> None:
    """Insert a row many times over, by one statement; `changes` are SQL by column, with n.i."""
    table = row._meta.db_table
    columns = [field.column for field in row._meta.local_fields if not field.primary_key]
    chosen = ", ".join(changes.get(column, f'r."{column}"') for column in columns)
    named = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) "
            f'INSERT INTO "{table}" ({named}) SELECT {chosen} FROM n, "{table}" r WHERE r.id = %s'
            if connection.vendor == "postgresql"
            else f'INSERT INTO "{table}" ({named}) '
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) "
            f'SELECT {chosen} FROM n, "{table}" r WHERE r.id = %s',
            [row.pk],
        )
        # SQLite keeps no statistics unless somebody asks for them, and shops do not.
        if connection.vendor == "postgresql":
            cursor.execute(f'ANALYZE "{table}"')


def before(days: str) -> str:
    """Return the SQL of a moment so many minutes ago, counted from the row's own."""
    if connection.vendor == "postgresql":
        return f"r.{days} - n.i * interval '1 minute'"
    return f"strftime('%Y-%m-%d %H:%M:%S', r.{days}, '-' || n.i || ' minutes')"


def scans(statements: list[dict[str, str]], table: str) -> Iterator[str]:
    """Yield the statements that read a whole table, or far more of it than they show."""
    for statement in statements:
        sql = statement["sql"]
        if table not in sql or not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        problem = (
            _reads_much(sql, table) if connection.vendor == "postgresql" else _has_scan(sql, table)
        )
        if problem:
            yield f"{problem}: {sql}"


def _reads_much(sql: str, table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.replace('%', '%%')}", [])
        (answer,) = cursor.fetchone()
    plan = answer if isinstance(answer, list) else json.loads(answer)
    for node in _nodes(plan[0]["Plan"]):
        if node.get("Relation Name") != table:
            continue
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        if read * node["Actual Loops"] > MOST_READ:
            return f"{node['Node Type']} reads {read} rows"
    return ""


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _has_scan(sql: str, table: str) -> str:
    """Return a step that walks the table itself; walking an index in its order ends at a limit.

    What an index found may be sorted.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall()]
    is_limited = re.search(r"\bLIMIT\s+\d+", sql) is not None
    for step in steps:
        if re.search(rf"^SCAN {table}\b", step) and not ("INDEX" in step and is_limited):
            return str(step)
        if "TEMP B-TREE FOR ORDER BY" in step and not any(
            one.startswith("SEARCH") for one in steps
        ):
            return str(step)
    return ""
