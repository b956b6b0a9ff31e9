"""What letters about a basket say: its lines as the shop would quote them now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import translation
from oscar.core.loading import get_class

from ..conf import site_settings
from ..content import context
from ..content.context import Provided
from ..content.values import Money
from ..snapshots import Subject
from . import pictures, samples, tables

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
        ids = {int(subject.about.id) for subject in subjects if subject.about.id.isdigit()}
        baskets = _read(ids)
        shelf = _Shelf()
        return [_provide(subject, baskets.get(_number(subject)), shelf) for subject in subjects]


def register() -> None:
    """Register the merge tags of baskets and vouchers."""
    samples.register()


def _number(subject: Subject) -> int:
    return int(subject.about.id) if subject.about.id.isdigit() else 0


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """A basket, its lines, and what shoppers chose for some of them: [(option, value)]."""

    basket: Any
    lines: list[Any]
    chosen: Mapping[int, list[tuple[str, Any]]]


class _Shelf:
    """What is said of each product in one batch: the same for everybody who reads one language."""

    def __init__(self) -> None:
        self._said: dict[tuple[int, str, str], dict[str, str]] = {}

    def about(self, product: Any, base_url: str) -> dict[str, str]:
        """Return title, page and picture of a product, and what tells a variant apart."""
        key = (product.pk, base_url, translation.get_language() or "")
        if key not in self._said:
            self._said[key] = {
                "title": product.get_title(),
                "variant": _variant(product),
                "url": pictures.absolute(base_url, product.get_absolute_url()),
                "image_url": pictures.picture_url(product, base_url),
            }
        return self._said[key]


def _read(ids: Collection[int]) -> dict[int, _Filled]:
    """Read baskets by id in a constant number of queries, each product and stock record once."""
    lines_of: dict[int, list[Any]] = defaultdict(list)
    lines = list(tables.basket_lines().filter(basket_id__in=ids, quantity__gt=0).order_by("pk"))
    products = {
        product.pk: product
        for product in tables.rows("catalogue", "Product")
        .filter(pk__in={line.product_id for line in lines})
        .prefetch_related(*_OF_PRODUCTS)
    }
    records = tables.stock_records().in_bulk({line.stockrecord_id for line in lines} - {None})
    baskets = {
        basket.pk: basket for basket in tables.baskets().filter(pk__in=ids).select_related("owner")
    }
    chosen: dict[int, list[tuple[str, Any]]] = defaultdict(list)
    for one in (
        tables.rows("basket", "LineAttribute")
        .filter(line_id__in=[line.pk for line in lines])
        .select_related("option")
        .order_by("pk")
    ):
        chosen[one.line_id].append((one.option.name, one.value))
    for line in lines:
        if line.basket_id not in baskets:
            continue
        line.basket = baskets[line.basket_id]
        line.product = products[line.product_id]
        line.stockrecord = records.get(line.stockrecord_id)
        lines_of[line.basket_id].append(line)
    return {
        pk: _Filled(basket=basket, lines=lines_of[pk], chosen=chosen)
        for pk, basket in baskets.items()
    }


def _provide(subject: Subject, read: _Filled | None, shelf: _Shelf) -> Provided:
    if read is None or not read.lines:
        return Provided(unavailable=BASKET_EMPTY)
    basket, lines = read.basket, read.lines
    strategy = get_class("partner.strategy", "Selector")().strategy(
        user=basket.owner or AnonymousUser()
    )
    basket.strategy = strategy
    base_url = site_settings(subject.site_id).base_url
    said: list[dict[str, Any]] = []
    observed: dict[str, Any] = {"lines": {}, "stock": {}}
    with translation.override(subject.language or settings.LANGUAGE_CODE):
        for line in lines:
            # Those that cannot be bought are watched too: a removal must not go unnoticed.
            observed["lines"][str(line.pk)] = line.quantity
            info = strategy.fetch_for_line(line, line.stockrecord)
            quantity = _buyable_quantity(line, info)
            if not quantity:
                continue
            said.append(
                _say(line, info, quantity, shelf.about(line.product, base_url), read.chosen)
            )
            if info.stockrecord is not None:
                record = observed["stock"].setdefault(str(info.stockrecord.pk), _stock(line, info))
                # Two lines with other options may be of one stock record.
                record["quantity"] += quantity
    if not said:
        return Provided(unavailable=NOTHING_BUYABLE)
    return Provided(values={"basket": _sum_up(said)}, observed=observed)


def _buyable_quantity(line: Any, info: Any) -> int:
    """Return how many of a line can be bought, 0 for none."""
    product = line.product
    public = product.is_public and (product.parent is None or product.parent.is_public)
    if not public or not info.price.exists or not info.availability.is_available_to_buy:
        return 0
    available = getattr(info.availability, "num_available", None)
    wanted = int(line.quantity)
    return min(wanted, int(available)) if available is not None else wanted


def _say(
    line: Any,
    info: Any,
    quantity: int,
    product: Mapping[str, str],
    chosen: Mapping[int, list[tuple[str, Any]]],
) -> dict[str, Any]:
    price: Decimal = info.price.incl_tax if info.price.is_tax_known else info.price.excl_tax
    # Strategies that add tax keep four places; the shop shows and charges two.
    price = price.quantize(Decimal("0.01")) if price.as_tuple().exponent < -2 else price  # type: ignore[operator]  # a price is a finite number
    currency = info.price.currency
    return {
        **product,
        "variant": ", ".join(filter(None, [product["variant"], *_chosen(chosen.get(line.pk, ()))])),
        "quantity": quantity,
        "unit_price": Money(amount=price, currency=currency),
        "line_price": Money(amount=price * quantity, currency=currency),
    }


def _variant(product: Any) -> str:
    """Return what tells a variant from its siblings."""
    if not product.is_child:
        return ""
    return ", ".join(
        f"{value.attribute.name}: {value.value_as_text}" for value in product.attribute_values.all()
    )


def _chosen(options: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Return what the shopper chose for a line."""
    for name, value in options:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield f"{name}: {text}"


def _stock(line: Any, info: Any) -> dict[str, Any]:
    record = info.stockrecord
    # Only what was in stock can sell out; a strategy may sell what is not.
    tracked = bool(
        line.product.get_product_class().track_stock and (record.net_stock_level or 0) > 0
    )
    return {
        "price": str(record.price) if record.price is not None else None,
        "tracked": tracked,
        "quantity": 0,
    }


def _sum_up(lines: list[dict[str, Any]]) -> Mapping[str, Any]:
    total = sum((line["line_price"].amount for line in lines), Decimal(0))
    return {
        "lines": lines,
        "first": lines[0],
        "count": sum(line["quantity"] for line in lines),
        "total": Money(amount=total, currency=lines[0]["line_price"].currency),
    }
