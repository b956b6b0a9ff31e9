"""The SQL by which a letter about products is held back, inside the statement that marks it.

As in `shop.refusal`: what each letter was written from stands in a JSON column of the marked
rows, so the text is the same for any number of letters, products and stock records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections
from oscar.core.loading import get_model

from ..refusal import Shape, Writer, price_tolerance, shape_of


def refusal_of(
    connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
) -> tuple[str, list[Any]]:
    """Return what is true in the database when a letter with these facts must not go."""
    shape, params = shape_of(asked)
    return _written(connection.alias, column, shape), params


@lru_cache(maxsize=256)
def _written(alias: str, column: str, shape: Shape) -> str:
    writer = _ProductWriter(connections[alias], column, shape)
    parts = [writer.bought(), writer.gone(), writer.dearer_or_sold_out()]
    sql = " OR ".join(part for part in parts if part)
    return f"{column} IS NOT NULL AND ({sql})"


class _ProductWriter(Writer):
    """Writes what may have happened to the products of a letter."""

    def bought(self) -> str:
        """The person bought one of them since; a variant counts for its parent."""
        line, product = get_model("order", "Line"), get_model("catalogue", "Product")
        of = f"l.{self._column('product', line)}"
        parent = f"p.{self._column('parent', product)}"
        return self.ordered_by_person(
            of=(
                f"EXISTS (SELECT 1 FROM {self._table('order', 'Line')} l "  # noqa: S608 - names of the shop's own tables, values are parameters
                f"JOIN {self._table('catalogue', 'Product')} p "
                f"ON p.{self._column('id', product)} = {of} "
                f"JOIN {self._rows('products', id='bigint')} w ON w.id = {of} OR w.id = {parent} "
                f"WHERE l.{self._column('order', line)} = o.{self._column('id')})"
            )
        )

    def gone(self) -> str:
        """One of them was deleted or is no longer shown."""
        product = get_model("catalogue", "Product")
        pk = self._column("id", product)
        return (
            f"EXISTS (SELECT 1 FROM {self._rows('products', id='bigint')} w "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"LEFT JOIN {self._table('catalogue', 'Product')} p ON p.{pk} = w.id "
            f"LEFT JOIN {self._table('catalogue', 'Product')} f "
            f"ON f.{pk} = p.{self._column('parent', product)} "
            f"WHERE p.{pk} IS NULL OR {self._is_hidden()})"
        )

    def dearer_or_sold_out(self) -> str:
        """One has no price, a higher one, or fewer pieces than the letter needs."""
        record, product = get_model("partner", "StockRecord"), get_model("catalogue", "Product")
        pk = self._column("id", product)
        price = f"s.{self._column('price', record)}"
        stock, promised = (
            f"COALESCE(s.{self._column(name, record)}, 0)"
            for name in ("num_in_stock", "num_allocated")
        )
        rows = self._rows("stock", id="bigint", price="numeric", needed="bigint")
        return (
            f"EXISTS (SELECT 1 FROM {rows} w "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"LEFT JOIN {self._table('partner', 'StockRecord')} s "
            f"ON s.{self._column('id', record)} = w.id "
            f"LEFT JOIN {self._table('catalogue', 'Product')} p "
            f"ON p.{pk} = s.{self._column('product', record)} "
            f"LEFT JOIN {self._table('catalogue', 'Product')} f "
            f"ON f.{pk} = p.{self._column('parent', product)} "
            f"WHERE p.{pk} IS NULL "
            f"OR (w.price IS NOT NULL AND ({price} IS NULL "
            f"OR {price} - w.price >= {price_tolerance():f})) "
            # As Oscar's net_stock_level: what is in stock less what is promised to orders.
            f"OR {stock} - {promised} < w.needed "
            f"OR {self._is_hidden()})"
        )

    def _is_hidden(self) -> str:
        public = self._column("is_public", get_model("catalogue", "Product"))
        return f"NOT (p.{public} AND COALESCE(f.{public}, p.{public}))"
