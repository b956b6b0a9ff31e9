"""The SQL by which a guard holds a letter back, inside the statement that marks it.

Written by hand: it runs once a letter, and the ORM needs 4 ms to compile what the database
answers in a fraction of one. Names of tables and columns come from the shop's own models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import BooleanField, Expression
from oscar.core.loading import get_model

from . import tables

_BETWEEN_DIGITS = " -()./"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a letter about a basket was written from."""

    basket_id: int
    #: Only orders above this id, or placed after that moment, are searched for the person.
    order_watermark: int
    left_at: datetime | None
    user_id: Any = None
    #: In lower case.
    emails: Sequence[str] = ()
    #: In E.164.
    phones: Sequence[str] = ()
    #: {line id: quantity}; empty when the letter names no lines.
    lines: Mapping[int, int]
    #: {stock record id: the price that was written}
    prices: Mapping[int, Decimal]
    #: {stock record id: how many must be there}
    in_stock: Mapping[int, int]
    #: Stock records of the goods that were written about.
    written: Sequence[int] = ()


class Refusal(Expression):
    """True in the database when a letter with these facts must not go."""

    conditional = True

    def __init__(self, facts: Facts) -> None:
        super().__init__(output_field=BooleanField())
        self.facts = facts

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # Django's own name for it
        """Return the condition and its parameters."""
        writer = _Writer(connection)
        parts = [
            writer.ordered(self.facts),
            writer.ordered_by_person(self.facts),
            writer.gone(self.facts),
            writer.changed(self.facts),
            writer.costs_otherwise_or_sold_out(self.facts),
            writer.hidden(self.facts),
        ]
        return "(" + " OR ".join(part for part in parts if part) + ")", writer.params


class _Writer:
    """Writes conditions for one database, collecting their parameters in order."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.params: list[Any] = []

    def ordered(self, facts: Facts) -> str:
        """The basket was ordered."""
        order = self._table("order", "Order")
        self.params.append(facts.basket_id)
        basket = self._column("basket")
        return f"EXISTS (SELECT 1 FROM {order} o WHERE o.{basket} = %s)"  # noqa: S608 - names of the shop's own tables, values are parameters

    def ordered_by_person(self, facts: Facts) -> str:
        """The person placed another order since."""
        joins, whose, params = "", [], list[Any]()
        if facts.user_id is not None:
            whose.append(f"o.{self._column('user')} = %s")
            params.append(_user_key().get_db_prep_value(facts.user_id, self.connection))
        if facts.emails:
            marks = _marks(facts.emails)
            user = get_user_model()
            email = self._column(user.get_email_field_name(), user)
            whose.append(f"LOWER(o.{self._column('guest_email')}) IN ({marks})")
            whose.append(f"LOWER(u.{email}) IN ({marks})")
            params += [*facts.emails, *facts.emails]
            joins += self._join("u", user, "user")
        if facts.phones:
            address = get_model("order", "ShippingAddress")
            digits = f"a.{self._column('phone_number', address)}"
            for separator in _BETWEEN_DIGITS:
                digits = f"REPLACE({digits}, '{separator}', '')"
            whose.append(f"{digits} IN ({_marks(facts.phones)})")
            params += facts.phones
            joins += self._join("a", address, "shipping_address")
        if not whose:
            return ""
        recent = f"o.{self._column('id')} > %s"
        self.params.append(facts.order_watermark)
        if facts.left_at is not None:
            recent += f" OR o.{self._column('date_placed')} > %s"
            self.params.append(self.connection.ops.adapt_datetimefield_value(facts.left_at))
        self.params += params
        order = self._table("order", "Order")
        return (
            f"EXISTS (SELECT 1 FROM {order} o{joins} "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE ({recent}) AND ({' OR '.join(whose)}))"
        )

    def gone(self, facts: Facts) -> str:
        """The basket was merged, submitted or deleted."""
        model = get_model("basket", "Basket")
        self.params += [facts.basket_id, *tables.ALIVE]
        return (
            f"NOT EXISTS (SELECT 1 FROM {self._table('basket', 'Basket')} b "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE b.{self._column('id', model)} = %s "
            f"AND b.{self._column('status', model)} IN ({_marks(tables.ALIVE)}))"
        )

    def changed(self, facts: Facts) -> str:
        """Lines that were written about are gone, their quantities differ, or others came."""
        model = get_model("basket", "Line")
        quantity = f"l.{self._column('quantity', model)}"
        of_basket = (
            f"(SELECT COUNT(*) FROM {self._table('basket', 'Line')} l "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE l.{self._column('basket', model)} = %s AND "
        )
        self.params.append(facts.basket_id)
        if not facts.lines:
            return f"{of_basket}{quantity} > 0) = 0"
        one = f"(l.{self._column('id', model)} = %s AND {quantity} = %s)"
        which = " OR ".join([one] * len(facts.lines))
        self.params += [value for pair in facts.lines.items() for value in pair]
        self.params += [len(facts.lines), facts.basket_id, len(facts.lines)]
        return f"{of_basket}({which})) <> %s OR {of_basket}{quantity} > 0) <> %s"

    def costs_otherwise_or_sold_out(self, facts: Facts) -> str:
        """Something has another price than was written, or cannot be bought any more."""
        model = get_model("partner", "StockRecord")
        pk = f"s.{self._column('id', model)}"
        now = f"s.{self._column('price', model)}"
        wrong = []
        for record_id, price in facts.prices.items():
            differs = f"ABS({now} - %s) >= {price_tolerance():f}"
            wrong.append(f"({pk} = %s AND ({now} IS NULL OR {differs}))")
            self.params += [record_id, self.connection.ops.adapt_decimalfield_value(price)]
        stock, promised = (
            f"COALESCE(s.{self._column(name, model)}, 0)"
            for name in ("num_in_stock", "num_allocated")
        )
        for record_id, needed in facts.in_stock.items():
            # As Oscar's net_stock_level: what is in stock less what is promised to orders.
            wrong.append(f"({pk} = %s AND {stock} - {promised} < %s)")
            self.params += [record_id, needed]
        if not wrong:
            return ""
        return (
            f"EXISTS (SELECT 1 FROM {self._table('partner', 'StockRecord')} s "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"WHERE {' OR '.join(wrong)})"
        )

    def hidden(self, facts: Facts) -> str:
        """Something was taken out of the shop."""
        if not facts.written:
            return ""
        product, record = get_model("catalogue", "Product"), get_model("partner", "StockRecord")
        pk, parent = self._column("id", product), self._column("parent", product)
        public = self._column("is_public", product)
        self.params += facts.written
        return (
            f"EXISTS (SELECT 1 FROM {self._table('partner', 'StockRecord')} s "  # noqa: S608 - names of the shop's own tables, values are parameters
            f"JOIN {self._table('catalogue', 'Product')} p "
            f"ON p.{pk} = s.{self._column('product', record)} "
            f"LEFT JOIN {self._table('catalogue', 'Product')} f ON f.{pk} = p.{parent} "
            f"WHERE s.{self._column('id', record)} IN ({_marks(facts.written)}) "
            f"AND NOT (p.{public} AND COALESCE(f.{public}, p.{public})))"
        )

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


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _user_key() -> Any:
    return get_user_model()._meta.pk
