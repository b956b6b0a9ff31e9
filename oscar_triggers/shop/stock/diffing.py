"""The shop's stock records beside our snapshots, compared and journalled inside the database.

Rows never travel through Python: a slice of any size takes a handful of statements, and memory
stays flat. Each slice is a short transaction of its own, so that nobody waits for the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections, models
from oscar.core.loading import get_model

from ...models import StockChange, StockSnapshot
from ...models.sql import database_for


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which stock records are compared: a condition with {id} for their number."""

    where: str
    params: tuple[Any, ...] = ()

    @classmethod
    def between(cls, after: int, until: int | None) -> Scope:
        """Return those above a number, up to another one or all that follow."""
        if until is None:
            return cls(where="{id} > %s", params=(after,))
        return cls(where="{id} > %s AND {id} <= %s", params=(after, until))

    @classmethod
    def these(cls, ids: Sequence[int]) -> Scope:
        """Return a few, by their numbers."""
        marks = ", ".join(["%s"] * len(ids))
        return cls(where=f"{{id}} IN ({marks})", params=tuple(ids))

    def of(self, column: str) -> str:
        """Return the condition about a column."""
        return self.where.format(id=column)


@dataclass(kw_only=True)
class Found:
    """How many rows a comparison wrote."""

    #: First seen and not journalled: the shop's stock before we ever looked.
    taken: int = 0
    changed: int = 0
    gone: int = 0
    #: Lines about offers that began, ended or changed.
    offers: int = 0

    def add(self, other: Found) -> None:
        """Count another comparison too."""
        self.taken += other.taken
        self.changed += other.changed
        self.gone += other.gone


@dataclass(kw_only=True)
class Diff:
    """The statements, in the words of one database."""

    connection: Any = field(default_factory=lambda: connections[database_for(StockSnapshot)])

    def compare(self, scope: Scope, now: datetime, *, is_first: bool = False) -> Found:
        """Journal what differs and bring the snapshots up to date; the caller has a transaction.

        At the first look at a shop what is new is only noted: nothing happened to it.
        """
        moment = self.connection.ops.adapt_datetimefield_value(now)
        found = Found()
        with self.connection.cursor() as cursor:
            if self.connection.vendor == "postgresql":
                cursor.execute(_BY_INDEX)
            if is_first:
                cursor.execute(self._take(scope), [moment, *scope.params])
                found.taken = cursor.rowcount
            before = _newest(cursor, self._changes)
            cursor.execute(self._journal(scope), [moment, *scope.params, *scope.params])
            found.changed = cursor.rowcount
            if found.changed:
                cursor.execute(self._remember(), [before])
            cursor.execute(self._journal_gone(scope), [moment, *scope.params])
            found.gone = cursor.rowcount
            if found.gone:
                cursor.execute(self._forget(), [before])
        return found

    def bounds(self, after: int, size: int) -> Iterator[tuple[int, int | None]]:
        """Cut the shop's stock records above a number into slices of so many; the last is open."""
        records = self._table("partner", "StockRecord")
        while True:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT id FROM {records} WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s",  # noqa: S608 - the shop's table
                    [after, size - 1],
                )
                row = cursor.fetchone()
            until = None if row is None else int(row[0])
            yield after, until
            if until is None:
                return
            after = until

    # ── SQL ──────────────────────────────────────────────────────────────────────────────────

    def _take(self, scope: Scope) -> str:
        return (
            f"INSERT INTO {self._snapshots} ({_SNAPSHOT}) "  # noqa: S608 - tables of ours and of the shop's models, as in all of these
            "SELECT n.stock_record_id, n.product_id, n.parent_id, n.num_available, "
            # SQLite needs the condition: or ON would belong to a join.
            f"{_IS_AVAILABLE}, n.price, n.currency, %s FROM ({self._shop(scope)}) n WHERE TRUE "
            "ON CONFLICT (stock_record_id) DO NOTHING"
        )

    def _journal(self, scope: Scope) -> str:
        """Insert what differs; a record that now belongs to another product is a new one."""
        differs = "IS DISTINCT FROM" if self.connection.vendor == "postgresql" else "IS NOT"
        price = f"(o.price {differs} n.price OR o.currency <> n.currency)"
        return (
            f"INSERT INTO {self._changes} ({CHANGE}) "  # noqa: S608 - see above
            "SELECT n.stock_record_id, n.product_id, n.parent_id, %s, "
            f"CASE WHEN o.id IS NULL THEN 'new' WHEN {price} THEN 'price' "
            f"WHEN o.num_available {differs} n.num_available THEN 'stock' ELSE 'public' END, "
            "o.num_available, n.num_available, COALESCE(o.is_available, FALSE), "
            # What it cost in another currency is no price to compare with.
            f"{_IS_AVAILABLE}, CASE WHEN o.currency = n.currency THEN o.price END, n.price, "
            f"n.currency FROM ({self._shop(scope)}) n LEFT JOIN {self._snapshots} o "
            "ON o.stock_record_id = n.stock_record_id AND o.product_id = n.product_id "
            f"AND {scope.of('o.stock_record_id')} "
            f"WHERE o.id IS NULL OR {price} OR o.num_available {differs} n.num_available "
            f"OR o.is_available <> {_IS_AVAILABLE} OR o.parent_id {differs} n.parent_id "
            "ORDER BY n.stock_record_id"
        )

    def _remember(self) -> str:
        """Bring snapshots to what was just journalled, and to nothing newer."""
        columns = [name for name in _SNAPSHOT.split(", ") if name != "stock_record_id"]
        return (
            f"INSERT INTO {self._snapshots} ({_SNAPSHOT}) "  # noqa: S608 - see above
            "SELECT c.stock_record_id, c.product_id, c.parent_id, c.available_after, "
            "c.is_available, c.price_after, c.currency, c.noticed_at "
            f"FROM {self._changes} c WHERE c.id > %s "
            "ON CONFLICT (stock_record_id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in columns)
        )

    def _journal_gone(self, scope: Scope) -> str:
        return (
            f"INSERT INTO {self._changes} ({CHANGE}) "  # noqa: S608 - see above
            "SELECT o.stock_record_id, o.product_id, o.parent_id, %s, 'gone', o.num_available, 0, "
            "o.is_available, FALSE, o.price, NULL, o.currency "
            f"FROM {self._snapshots} o WHERE {scope.of('o.stock_record_id')} AND NOT EXISTS "
            f"(SELECT 1 FROM {self._table('partner', 'StockRecord')} s "
            "WHERE s.id = o.stock_record_id)"
        )

    def _forget(self) -> str:
        return (
            f"DELETE FROM {self._snapshots} WHERE stock_record_id IN "  # noqa: S608 - see above
            f"(SELECT c.stock_record_id FROM {self._changes} c "
            "WHERE c.id > %s AND c.cause = 'gone')"
        )

    def _shop(self, scope: Scope) -> str:
        """Select the shop's stock records as a snapshot would hold them.

        As Oscar counts: nothing in stock is known means none, and a variant goes with its parent.
        """
        products = self._table("catalogue", "Product")
        return (
            "SELECT s.id AS stock_record_id, s.product_id, p.parent_id, "  # noqa: S608 - see above
            "CASE WHEN COALESCE(k.track_stock, TRUE) THEN CASE WHEN s.num_in_stock IS NULL THEN 0 "
            "ELSE s.num_in_stock - COALESCE(s.num_allocated, 0) END END AS num_available, "
            "s.price, s.price_currency AS currency, "
            "(p.is_public AND COALESCE(pp.is_public, TRUE)) AS is_public "
            f"FROM {self._table('partner', 'StockRecord')} s "
            f"JOIN {products} p ON p.id = s.product_id "
            f"LEFT JOIN {products} pp ON pp.id = p.parent_id "
            f"LEFT JOIN {self._table('catalogue', 'ProductClass')} k "
            "ON k.id = COALESCE(pp.product_class_id, p.product_class_id) "
            f"WHERE {scope.of('s.id')}"
        )

    @property
    def _snapshots(self) -> str:
        return self._quoted(StockSnapshot)

    @property
    def _changes(self) -> str:
        return self._quoted(StockChange)

    def _table(self, app_label: str, model_name: str) -> str:
        return self._quoted(get_model(app_label, model_name))

    def _quoted(self, model: type[models.Model]) -> str:
        return str(self.connection.ops.quote_name(model._meta.db_table))


_SNAPSHOT = (
    "stock_record_id, product_id, parent_id, num_available, is_available, price, currency, seen_at"
)
#: The columns of the journal that a sweep writes, in the order of its statements.
CHANGE = (
    "stock_record_id, product_id, parent_id, noticed_at, cause, available_before, available_after, "
    "was_available, is_available, price_before, price_after, currency"
)
_IS_AVAILABLE = (
    "(n.is_public AND n.price IS NOT NULL AND (n.num_available IS NULL OR n.num_available > 0))"
)


#: For the length of a transaction: a slice is small beside the shop's tables, but PostgreSQL would
#: rather read all products for each, and takes a table that was just filled for an empty one.
_BY_INDEX = "SELECT " + ", ".join(
    f"set_config('{name}', 'off', true)"
    for name in ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit")
)


def _newest(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}")  # noqa: S608 - our own table
    return int(cursor.fetchone()[0])
