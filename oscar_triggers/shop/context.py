"""What letters about a basket say: its lines as the shop would quote them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_LINES = (
    "lines__product__parent__product_class",
    "lines__product__product_class",
    "lines__product__images",
    "lines__product__parent__images",
    "lines__product__stockrecords",
    "lines__product__attribute_values__attribute",
    "lines__product__attribute_values__value_option",
    "lines__product__attribute_values__value_multi_option",
    "lines__stockrecord",
    "lines__attributes__option",
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
        baskets = {
            basket.pk: basket
            for basket in tables.baskets()
            .filter(pk__in=ids)
            .select_related("owner")
            .prefetch_related(*_LINES)
        }
        return [_provide(subject, baskets.get(_number(subject))) for subject in subjects]


def register() -> None:
    """Register the merge tags of baskets and vouchers."""
    samples.register()


def _number(subject: Subject) -> int:
    return int(subject.about.id) if subject.about.id.isdigit() else 0


def _provide(subject: Subject, basket: Any | None) -> Provided:
    if basket is None:
        return Provided(unavailable=BASKET_EMPTY)
    lines = [line for line in basket.lines.all() if line.quantity > 0]
    if not lines:
        return Provided(unavailable=BASKET_EMPTY)
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
            said.append(_say(line, info, quantity, base_url))
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


def _say(line: Any, info: Any, quantity: int, base_url: str) -> dict[str, Any]:
    price: Decimal = info.price.incl_tax if info.price.is_tax_known else info.price.excl_tax
    # Strategies that add tax keep four places; the shop shows and charges two.
    price = price.quantize(Decimal("0.01")) if price.as_tuple().exponent < -2 else price  # type: ignore[operator]  # a price is a finite number
    currency = info.price.currency
    return {
        "title": line.product.get_title(),
        "variant": _variant(line),
        "url": pictures.absolute(base_url, line.product.get_absolute_url()),
        "image_url": pictures.picture_url(line.product, base_url),
        "quantity": quantity,
        "unit_price": Money(amount=price, currency=currency),
        "line_price": Money(amount=price * quantity, currency=currency),
    }


def _variant(line: Any) -> str:
    """Return what tells this variant from its siblings, and what the shopper chose for it."""
    parts: list[str] = []
    if line.product.is_child:
        parts += [
            f"{value.attribute.name}: {value.value_as_text}"
            for value in line.product.attribute_values.all()
        ]
    for chosen in line.attributes.all():
        value = chosen.value
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(f"{chosen.option.name}: {text}")
    return ", ".join(parts)


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
