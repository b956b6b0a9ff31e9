"""What one batch of letters says of products in baskets: each is asked and told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import translation

from ..conf import site_settings
from ..content.values import Money
from . import pictures


class Line(NamedTuple):
    """A line of a basket, as read: in this order."""

    pk: int
    basket_id: int
    product_id: int
    quantity: int


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read for one batch."""

    lines: Mapping[int, Sequence[Line]]
    products: Mapping[int, Any]
    #: What shoppers chose for some lines: [(option, value)].
    chosen: Mapping[int, Sequence[tuple[str, Any]]]
    #: The strategy that serves each basket; the same one where it is Oscar's own.
    strategies: Mapping[int, Any]
    #: Oscar's line objects, where a strategy of the shop's own is asked about each.
    instances: Mapping[int, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quote:
    """What the shop asks for one piece, to be paid now."""

    price: Money
    #: How many can be bought; None: any number.
    available: int | None
    #: The stock record, and what was seen of it; "" where there is none.
    record: str
    seen: Mapping[str, Any]


class Shelf:
    """What is said of each product in one batch: the same for everybody who reads one language."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self._said: dict[tuple[int, str, str], dict[str, str]] = {}
        self._quotes: dict[tuple[type, int], Quote | None] = {}
        self._lines: dict[tuple[Quote, int, int, str, str], dict[str, Any]] = {}
        self._bases: dict[int | None, str] = {}

    def base_url(self, site_id: int | None) -> str:
        """Return the address of a site."""
        if site_id not in self._bases:
            self._bases[site_id] = site_settings(site_id).base_url
        return self._bases[site_id]

    def quote(self, line: Line, strategy: Any, language: str) -> Quote | None:
        """Return what the shop asks for a line, None for what cannot be bought."""
        product = self.read.products.get(line.product_id)
        if product is None:
            return None
        if line.pk in self.read.instances:
            instance = self.read.instances[line.pk]
            with translation.override(language):
                return _quote(product, strategy.fetch_for_line(instance, instance.stockrecord))
        key = (type(strategy), line.product_id)
        if key not in self._quotes:
            self._quotes[key] = _quote(product, strategy.fetch_for_product(product))
        return self._quotes[key]

    def line(
        self, line: Line, quote: Quote, quantity: int, base_url: str, language: str
    ) -> Mapping[str, Any]:
        """Return what is said of a line; lines that say the same share it."""
        chosen = self.read.chosen.get(line.pk)
        if chosen:
            return self._say(line, quote, quantity, base_url, language, chosen)
        key = (quote, line.product_id, quantity, base_url, language)
        if key not in self._lines:
            self._lines[key] = self._say(line, quote, quantity, base_url, language)
        return self._lines[key]

    def _say(
        self,
        line: Line,
        quote: Quote,
        quantity: int,
        base_url: str,
        language: str,
        chosen: Sequence[tuple[str, Any]] = (),
    ) -> dict[str, Any]:
        product = self._about(line.product_id, base_url, language)
        amount, currency = quote.price.amount, quote.price.currency
        return {
            **product,
            "variant": ", ".join(filter(None, [product["variant"], *_chosen(chosen)])),
            "quantity": quantity,
            "unit_price": quote.price,
            "line_price": Money(amount=amount * quantity, currency=currency),
        }

    def _about(self, product_id: int, base_url: str, language: str) -> dict[str, str]:
        """Return title, page and picture of a product, and what tells a variant apart."""
        key = (product_id, base_url, language)
        if key not in self._said:
            product = self.read.products[product_id]
            with translation.override(language):
                self._said[key] = {
                    "title": product.get_title(),
                    "variant": _variant(product),
                    "url": pictures.absolute(base_url, product.get_absolute_url()),
                    "image_url": pictures.picture_url(product, base_url),
                }
        return self._said[key]


def _quote(product: Any, info: Any) -> Quote | None:
    """Return what a strategy's answer comes to, None for what cannot be bought."""
    public = product.is_public and (product.parent is None or product.parent.is_public)
    if not public or not info.price.exists or not info.availability.is_available_to_buy:
        return None
    available = getattr(info.availability, "num_available", None)
    price: Decimal = info.price.incl_tax if info.price.is_tax_known else info.price.excl_tax
    # Strategies that add tax keep four places; the shop shows and charges two.
    price = price.quantize(Decimal("0.01")) if price.as_tuple().exponent < -2 else price  # type: ignore[operator]  # a price is a finite number
    record = info.stockrecord
    return Quote(
        price=Money(amount=price, currency=info.price.currency),
        available=None if available is None else int(available),
        record="" if record is None else str(record.pk),
        seen={} if record is None else _seen(product, record),
    )


def _seen(product: Any, record: Any) -> dict[str, Any]:
    # Only what was in stock can sell out; a strategy may sell what is not.
    tracked = bool(product.get_product_class().track_stock and (record.net_stock_level or 0) > 0)
    return {"price": str(record.price) if record.price is not None else None, "tracked": tracked}


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
