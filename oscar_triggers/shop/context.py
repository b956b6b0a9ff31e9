"""What letters about a basket say: its lines as the shop would quote them now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import prefetch_related_objects
from oscar.core.loading import get_model

from ..content import context
from ..content.context import Provided
from ..content.values import Money
from ..models.questions import Among, Question
from ..snapshots import Subject
from . import samples, strategies, tables
from .shelves import Line, Read, Shelf

#: Skip reasons: there is nothing (any more) to write about.
BASKET_EMPTY = "basket_empty"
NOTHING_BUYABLE = "nothing_buyable"

#: What is said of a product; read once for each, however many baskets hold it.
_OF_PRODUCTS = (
    "parent__product_class",
    "product_class",
    "images",
    "parent__images",
    "stockrecords",
)
#: What tells variants apart; other products' attributes are not said.
_OF_VARIANTS = (
    "attribute_values__attribute",
    "attribute_values__value_option",
    "attribute_values__value_multi_option",
)


@context.register
class BasketContext(context.ContextProvider):
    """The lines that can still be bought, with today's prices; the same queries for any number.

    Prices are those of the shop's strategy for the owner, before offers: the basket page may
    show less, never more.
    """

    name = "basket"
    about_types = frozenset({"basket"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say about each subject's basket."""
        shelf = Shelf(_read({_number(subject) for subject in subjects}))
        return [_provide(subject, shelf) for subject in subjects]


def register() -> None:
    """Register the merge tags of baskets and vouchers."""
    samples.register()


def _number(subject: Subject) -> int:
    return int(subject.about.id) if subject.about.id.isdigit() else 0


def _read(ids: Collection[int]) -> Read:
    """Read baskets by id in a constant number of queries, each product once."""
    baskets = {}
    choice = strategies.selector()
    if strategies.is_the_same_for_all(choice):
        serving = dict.fromkeys(ids, choice.strategy(user=AnonymousUser()))
    else:
        found = tables.baskets().filter(pk__in=ids).select_related("owner")
        baskets = {basket.pk: basket for basket in found}
        serving = {
            pk: strategies.selector().strategy(user=basket.owner or AnonymousUser())
            for pk, basket in baskets.items()
        }
    instances = {}
    if not strategies.ask_products_only(list(serving.values())):
        of_baskets = tables.basket_lines().filter(basket_id__in=ids, quantity__gt=0).order_by("pk")
        instances = {one.pk: one for one in of_baskets if one.basket_id in serving}
        rows = [(one.pk, one.basket_id, one.product_id, one.quantity) for one in instances.values()]
    else:
        rows = _LINES.ask({"baskets": ids})
    lines: dict[int, list[Line]] = defaultdict(list)
    for line in map(Line._make, rows):
        if line.basket_id in serving:
            lines[line.basket_id].append(line)
    products = {
        product.pk: product
        for product in tables.rows("catalogue", "Product")
        .filter(pk__in={row[2] for row in rows})
        .prefetch_related(*_OF_PRODUCTS)
    }
    variants = [product for product in products.values() if product.is_child]
    if variants:
        prefetch_related_objects(variants, *_OF_VARIANTS)
    if instances:
        _complete(instances.values(), serving, baskets, products)
    return Read(
        lines=lines,
        products=products,
        chosen=_options(ids),
        strategies=serving,
        instances=instances,
    )


def _complete(
    instances: Collection[Any],
    serving: Mapping[int, Any],
    baskets: dict[int, Any],
    products: Mapping[int, Any],
) -> None:
    """Give Oscar's line objects what a strategy may ask them for, without a query for each."""
    if not baskets:
        baskets = tables.baskets().select_related("owner").in_bulk(serving)
    records = tables.stock_records().in_bulk({line.stockrecord_id for line in instances} - {None})
    for line in instances:
        line.basket = baskets[line.basket_id]
        line.basket.strategy = serving[line.basket_id]
        line.product = products[line.product_id]
        line.stockrecord = records.get(line.stockrecord_id)


def _options(ids: Collection[int]) -> Mapping[int, Sequence[tuple[str, Any]]]:
    chosen: dict[int, list[tuple[str, Any]]] = defaultdict(list)
    found = [pk for (pk,) in _CHOSEN.ask({"baskets": ids})]
    if not found:  # as nearly always
        return chosen
    for one in (
        tables.rows("basket", "LineAttribute")
        .filter(pk__in=found)
        .select_related("option")
        .order_by("pk")
    ):
        chosen[one.line_id].append((one.option.name, one.value))
    return chosen


_LINES = Question(
    lambda: get_model("basket", "Line"),
    lambda rows: (
        rows.filter(Among("basket_id", "baskets"), quantity__gt=0)
        .order_by("pk")
        .values_list("pk", "basket_id", "product_id", "quantity")
    ),
)
_CHOSEN = Question(
    lambda: get_model("basket", "LineAttribute"),
    lambda rows: rows.filter(Among("line__basket_id", "baskets")).values_list("pk"),
)


def _provide(subject: Subject, shelf: Shelf) -> Provided:
    number = _number(subject)
    lines = shelf.read.lines.get(number)
    if not lines:
        return Provided(unavailable=BASKET_EMPTY)
    strategy, language = shelf.read.strategies[number], subject.language or settings.LANGUAGE_CODE
    base_url = shelf.base_url(subject.site_id)
    said: list[Mapping[str, Any]] = []
    # Those that cannot be bought are watched too: a removal must not go unnoticed.
    watched = {str(line.pk): line.quantity for line in lines}
    stock: dict[str, dict[str, Any]] = {}
    for line in lines:
        quote = shelf.quote(line, strategy, language)
        if quote is None:
            continue
        quantity = int(line.quantity)
        if quote.available is not None:
            quantity = min(quantity, quote.available)
        if quantity <= 0:
            continue
        said.append(shelf.line(line, quote, quantity, base_url, language))
        if quote.record:
            # Two lines with other options may be of one stock record.
            before = stock[quote.record]["quantity"] if quote.record in stock else 0
            stock[quote.record] = {**quote.seen, "quantity": before + quantity}
    if not said:
        return Provided(unavailable=NOTHING_BUYABLE)
    return Provided(values={"basket": _sum_up(said)}, observed={"lines": watched, "stock": stock})


def _sum_up(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    total = sum((line["line_price"].amount for line in lines), Decimal(0))
    return {
        "lines": lines,
        "first": lines[0],
        "count": sum(line["quantity"] for line in lines),
        "total": Money(amount=total, currency=lines[0]["line_price"].currency),
    }
