"""Updates that Django writes once and the database runs often, with other values each time.

Writing a large condition costs Django several times what the database needs to answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError
from django.db import connections, models
from django.db.models import Expression, Field, Q, QuerySet
from django.db.models.sql import Query, UpdateQuery


@dataclass(frozen=True, kw_only=True)
class _Gap:
    name: str
    field: Field[Any, Any]


def gap(name: str, field: Field[Any, Any]) -> Any:
    """Return what stands among parameters for a value that is known only when they are used."""
    return _Gap(name=name, field=field)


class Slot(Expression):
    """A place in a statement for a value that is known only when it runs."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Leave a gap among the parameters."""
        return "%s", [gap(self.name, self.output_field)]


class PreparedUpdate:
    """An UPDATE of one table, whose slots are filled at each run."""

    def __init__(self, rows: QuerySet[Any], assignments: Mapping[str, Any]) -> None:
        self._alias = rows.db
        self._model = rows.model
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(dict(assignments))
        self._sql, params = query.get_compiler(self._alias).as_sql()
        self._params = Params(params)

    def run(self, values: Mapping[str, Any], *, unless: Q | None = None) -> int:
        """Run it and return how many rows it changed; raises KeyError for a slot without value.

        Rows for which `unless` is true are left alone.
        """
        connection = connections[self._alias]
        sql, params = self._sql, self._filled(values)
        if unless is not None:
            condition, more = condition_sql(self._model, self._alias, ~unless)
            # The statement ends with its conditions, joined by AND.
            sql, params = f"{sql} AND ({condition})", [*params, *more]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return int(cursor.rowcount)

    def run_many(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each set of values, in one round trip where the database can."""
        if rows:
            connection = connections[self._alias]
            with connection.cursor() as cursor:
                cursor.executemany(self._sql, [self._filled(values) for values in rows])

    def _filled(self, values: Mapping[str, Any]) -> list[Any]:
        return self._params.filled(values, connections[self._alias])


def condition_sql(model: type[models.Model], alias: str, condition: Q) -> tuple[str, list[Any]]:
    """Return the SQL and parameters of a condition on the rows of an UPDATE."""
    query: Any = Query(model)
    try:
        where = query.build_where(condition)
    except FieldError:  # It follows a relation, which an UPDATE cannot.
        rows = model._base_manager.using(alias).filter(condition)
        where = query.build_where(Q(pk__in=rows.values("pk")))
    sql, params = query.get_compiler(alias).compile(where)
    return sql, list(params)


class Params:
    """Parameters of a statement, some of which are slots that are filled at each run."""

    def __init__(self, params: Sequence[Any]) -> None:
        self._params = list(params)
        self._gaps = [(at, one) for at, one in enumerate(params) if isinstance(one, _Gap)]

    def filled(self, values: Mapping[str, Any], connection: Any) -> list[Any]:
        """Return them with a value for every slot; raises KeyError for a slot without one."""
        params = self._params.copy()
        for at, gap in self._gaps:
            params[at] = gap.field.get_db_prep_save(values[gap.name], connection)
        return params


NUMBER = models.BigIntegerField()
TEXT = models.TextField()
MOMENT = models.DateTimeField()
DATA = models.JSONField()
