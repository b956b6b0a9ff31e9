"""The SQL by which a guard holds letters back, inside the statement that marks them.

Written by hand: the ORM needs 4 ms to compile what the database answers in a fraction of one.
Names of tables and columns come from the shop's own models. What each letter was written from
stands in a JSON column of the marked rows, so the text is the same for any letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from oscar.core.loading import get_model

from ..models.given import moment
from . import tables

_BETWEEN_DIGITS = " -()./"


def facts_of(
    connection: Any,
    *,
    basket_id: int,
    order_watermark: int,
    left_at: datetime | None,
    user_id: Any,
    emails: Sequence[str],
    phones: Sequence[str],
    lines: Mapping[int, int],
    stock: Mapping[int, tuple[str | None, int | None]],
) -> dict[str, Any]:
    """Return what a letter about a basket was written from, as JSON.

    Only orders above `order_watermark` or placed after `left_at` are searched for the person;
    e-mails are in lower case, phones in E.164. `lines` are {line id: quantity}, empty when the
    letter names none; `stock` is {stock record id: (written price, how many must be there)}.
    """
    return {
        "basket": basket_id,
        **facts_of_person(
            connection,
            order_watermark=order_watermark,
            left_at=left_at,
            user_id=user_id,
            emails=emails,
            phones=phones,
        ),
        "count": len(lines) or None,
        "lines": [{"id": pk, "n": quantity} for pk, quantity in lines.items()],
        "stock": [
            {"id": pk, "price": price, "needed": needed} for pk, (price, needed) in stock.items()
        ],
    }


def facts_of_person(
    connection: Any,
    *,
    order_watermark: int,
    left_at: datetime | None,
    user_id: Any,
    emails: Sequence[str],
    phones: Sequence[str],
) -> dict[str, Any]:
    """Return by what a person's orders are found, and since when they count, as JSON."""
    user = None if user_id is None else _user_key().get_db_prep_value(user_id, connection)
    return {
        "watermark": order_watermark,
        "left_at": moment(connection, left_at),
        "user": user if user is None or isinstance(user, int) else str(user),
        "emails": list(emails),
        "phones": list(phones),
    }


def refusal_of(
    connection: Any, column: str, asked: Sequence[Mapping[str, Any]]
) -> tuple[str, list[Any]]:
    """Return what is true in the database when a letter with these facts must not go."""
    shape, params = shape_of(asked)
    return _written(connection.alias, column, shape), params


@dataclass(frozen=True)
class Shape:
    """What any letter of a group asks about, which decides how the statement is written."""

    user: bool
    emails: bool
    phones: bool
    moments: bool


def shape_of(asked: Sequence[Mapping[str, Any]]) -> tuple[Shape, list[Any]]:
    """Return how a group asks, and the bounds of its orders: what `ordered_by_person` takes."""
    shape = Shape(
        user=any(one["user"] is not None for one in asked),
        emails=any(one["emails"] for one in asked),
        phones=any(one["phones"] for one in asked),
        moments=any(one["left_at"] is not None for one in asked),
    )
    params: list[Any] = []
    if shape.user or shape.emails or shape.phones:
        params.append(min(one["watermark"] for one in asked))
        if shape.moments:
            params.append(min(one["left_at"] for one in asked if one["left_at"] is not None))
    return shape, params


@lru_cache(maxsize=256)
def _written(alias: str, column: str, shape: Shape) -> str:
    """Return the SQL for one shape; writing it took as long as asking it."""
    writer = Writer(connections[alias], column, shape)
    parts = [
        writer.ordered(),
        writer.ordered_by_person(),
        writer.gone(),
        writer.has_other_lines(),
        writer.changed(),
        writer.costs_otherwise_or_sold_out_or_hidden(),
    ]
    sql = " OR ".join(part for part in parts if part)
    return f"{column} IS NOT NULL AND ({sql})"


class Writer:
    """Writes conditions for one database; the bounds of the group are their only parameters."""

    def __init__(self, connection: Any, column: str, shape: Shape) -> None:
        self.connection = connection
        self.is_postgresql = connection.vendor == "postgresql"
        self.column = column
        self.shape = shape

    def ordered(self) -> str:
        """The basket was ordered."""
        order, basket = self._table("order", "Order"), self._column("basket")
        return f"EXISTS (SELECT 1 FROM {order} o WHERE o.{basket} = {self._number('basket')})"  # noqa: S608 - names of the shop's own tables, values are parameters

    def ordered_by_person(self, *, of: str = "") -> str:
        """The person placed another order since; `of` says of what, with the order as `o`."""
        joins, whose = "", []
        if self.shape.user:
            key = self._value("user", _user_key().rel_db_type(self.connection))
            whose.append(f"o.{self._column('user')} = {key}")
        if self.shape.emails:
            user = get_user_model()
            email = self._column(user.get_email_field_name(), user)
            whose.append(f"LOWER(o.{self._column('guest_email')}) {self._among('emails')}")
            whose.append(f"LOWER(u.{email}) {self._among('emails')}")
            joins += self._join("u", user, "user")
        if self.shape.phones:
            address = get_model("order", "ShippingAddress")
            digits = f"a.{self._column('phone_number', address)}"
            for separator in _BETWEEN_DIGITS:
                digits = f"REPLACE({digits}, '{separator}', '')"
            whose.append(f"{digits} {self._among('phones')}")
            joins += self._join("a", address, "shipping_address")
        if not whose:
            return ""
        order = self._table("order", "Order")
        return (
            f"EXISTS (SELECT 1 FROM {order} o{joins} "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE {self._is_recent()} AND ({' OR '.join(whose)}){of and f' AND {of}'})"
        )

    def _is_recent(self) -> str:
        """Write the bounds of the whole group first: the planner must see what indexes spare."""
        pk, placed = f"o.{self._column('id')}", f"o.{self._column('date_placed')}"
        bounds, own = f"{pk} > %s", f"{pk} > {self._number('watermark')}"
        if self.shape.moments:
            bounds += f" OR {placed} > {'%s::timestamptz' if self.is_postgresql else '%s'}"
            own += f" OR {placed} > {self._value('left_at', 'timestamptz')}"
        return f"({bounds}) AND ({own})"

    def gone(self) -> str:
        """The basket was merged, submitted or deleted."""
        model = get_model("basket", "Basket")
        alive = ", ".join(f"'{status}'" for status in tables.ALIVE)
        return (
            f"NOT EXISTS (SELECT 1 FROM {self._table('basket', 'Basket')} b "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE b.{self._column('id', model)} = {self._number('basket')} "
            f"AND b.{self._column('status', model)} IN ({alive}))"
        )

    def has_other_lines(self) -> str:
        """Other lines came, or none are left."""
        model = get_model("basket", "Line")
        count = self._number("count")
        return (
            f"(SELECT CASE WHEN {count} IS NULL THEN COUNT(*) = 0 ELSE COUNT(*) <> {count} END "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"FROM {self._table('basket', 'Line')} l "
            f"WHERE l.{self._column('basket', model)} = {self._number('basket')} "
            f"AND l.{self._column('quantity', model)} > 0)"
        )

    def changed(self) -> str:
        """Lines that were written about are gone, or their quantities differ."""
        model = get_model("basket", "Line")
        pk = f"l.{self._column('id', model)}"
        return (
            f"EXISTS (SELECT 1 FROM {self._rows('lines', id='bigint', n='bigint')} w "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"LEFT JOIN {self._table('basket', 'Line')} l ON {pk} = w.id "
            f"AND l.{self._column('quantity', model)} = w.n "
            f"AND l.{self._column('basket', model)} = {self._number('basket')} "
            f"WHERE {pk} IS NULL)"
        )

    def costs_otherwise_or_sold_out_or_hidden(self) -> str:
        """Something has another price than was written, is sold out, or left the shop."""
        record, product = get_model("partner", "StockRecord"), get_model("catalogue", "Product")
        pk, parent = self._column("id", product), self._column("parent", product)
        public = self._column("is_public", product)
        price = f"s.{self._column('price', record)}"
        stock, promised = (
            f"COALESCE(s.{self._column(name, record)}, 0)"
            for name in ("num_in_stock", "num_allocated")
        )
        rows = self._rows("stock", id="bigint", price="numeric", needed="bigint")
        # SQLite would go through all stock records for each letter: a CROSS JOIN keeps the order.
        then = "JOIN" if self.is_postgresql else "CROSS JOIN"
        return (
            f"EXISTS (SELECT 1 FROM {rows} w "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"{then} {self._table('partner', 'StockRecord')} s "
            f"ON s.{self._column('id', record)} = w.id "
            f"JOIN {self._table('catalogue', 'Product')} p "
            f"ON p.{pk} = s.{self._column('product', record)} "
            f"LEFT JOIN {self._table('catalogue', 'Product')} f ON f.{pk} = p.{parent} "
            f"WHERE (w.price IS NOT NULL AND ({price} IS NULL "
            f"OR ABS({price} - w.price) >= {price_tolerance():f})) "
            # As Oscar's net_stock_level: what is in stock less what is promised to orders.
            f"OR {stock} - {promised} < w.needed "
            f"OR NOT (p.{public} AND COALESCE(f.{public}, p.{public})))"
        )

    # ── Values of the facts ──────────────────────────────────────────────────────────────────

    def _number(self, name: str) -> str:
        return self._value(name, "bigint")

    def _value(self, name: str, kind: str) -> str:
        if self.is_postgresql:
            return f"({self.column}->>'{name}')::{kind}"
        return f"json_extract({self.column}, '$.{name}')"

    def _among(self, name: str) -> str:
        if self.is_postgresql:
            # As an array it is read once, not for every order.
            return f"= ANY(ARRAY(SELECT jsonb_array_elements_text({self.column}->'{name}')))"
        return f"IN (SELECT value FROM json_each({self.column}, '$.{name}'))"  # noqa: S608 - our own names

    def _rows(self, name: str, **columns: str) -> str:
        if self.is_postgresql:
            named = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            return f"(SELECT * FROM jsonb_to_recordset({self.column}->'{name}') AS x({named}))"  # noqa: S608 - our own names
        named = ", ".join(
            f"CAST(json_extract(value, '$.{column}') AS REAL) AS {column}"
            if kind == "numeric"
            else f"json_extract(value, '$.{column}') AS {column}"
            for column, kind in columns.items()
        )
        return f"(SELECT {named} FROM json_each({self.column}, '$.{name}'))"  # noqa: S608 - our own names

    def _join(self, alias: str, model: Any, field: str) -> str:
        table = self._quote(model._meta.db_table)
        pk = self._quote(model._meta.pk.column)
        return f" LEFT JOIN {table} {alias} ON {alias}.{pk} = o.{self._column(field)}"

    def _table(self, app_label: str, model_name: str) -> str:
        return self._quote(get_model(app_label, model_name)._meta.db_table)

    def _column(self, name: str, model: Any = None) -> str:
        options = (model or get_model("order", "Order"))._meta
        field = options.pk if name == "id" else options.get_field(name)
        return self._quote(field.column)

    def _quote(self, name: str) -> str:
        return str(self.connection.ops.quote_name(name))


def price_tolerance() -> Decimal:
    """Return half of the smallest coin: SQLite keeps prices as binary fractions."""
    places = get_model("partner", "StockRecord")._meta.get_field("price").decimal_places
    return Decimal(1).scaleb(-places) / 2


def _user_key() -> Any:
    return get_user_model()._meta.pk
