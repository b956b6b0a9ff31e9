"""Questions about a product as the shop would sell it now: stock, price, and how it fell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import pgettext, pgettext_lazy
from oscar.core.loading import get_class

from .. import conditions
from ..builtin import comparisons
from ..conditions import Condition
from ..kinds import option
from ..models import Contact
from ..models.sql import database_for
from ..snapshots import Subject, Verdict
from . import tables
from .conditions import basket_of
from .conditions_orders import shop_currency
from .goods import number_of

_ABOUT_PRODUCTS = frozenset({"product"})
_STOCK = (
    "product_class",
    "parent__product_class",
    "stockrecords",
    "children__product_class",
    "children__stockrecords",
)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the shop would sell a product for now, and how many of it."""

    is_buyable: bool
    #: None where stock is not counted.
    quantity: int | None
    #: With tax where it is known; None without a price.
    price: Decimal | None
    currency: str

    @property
    def amount_left(self) -> int:
        """Return how many can be bought; very many where stock is not counted."""
        if not self.is_buyable:
            return 0
        return self.quantity if self.quantity is not None else 10**9


def offers_to(subjects: Sequence[Subject], products: Mapping[int, Any]) -> list[Offer | None]:
    """Return for each subject what its product costs it; None where it is about no product."""
    strategies = _strategies(subjects)
    offers: list[Offer | None] = []
    for one in subjects:
        product = products.get(product_of(one))
        strategy = strategies[str(one.user_id)]
        offers.append(best_offer(product, strategy) if product is not None else None)
    return offers


def products_of(ids: Collection[int]) -> dict[int, Any]:
    """Return products by id with stock, variants and classes, in a constant number of queries."""
    found = tables.rows("catalogue", "Product").filter(pk__in=ids)
    return {product.pk: product for product in found.prefetch_related(*_STOCK)}


def product_of(subject: Subject) -> int:
    """Return the number of the product that a flow is about, 0 when it is about none."""
    return (number_of(subject.about.id) or 0) if subject.about.type == "product" else 0


def best_offer(product: Any, strategy: Any) -> Offer:
    """Return what a product costs and how many are left; of variants the cheapest that is there.

    Asks no database when the product comes from `products_of`.
    """
    if product.is_parent:
        children = [child for child in product.children.all() if child.is_public]
        offers = [_offer(child, strategy) for child in children]
        visible = product.is_public
    else:
        offers = [_offer(product, strategy)]
        parent = product.parent if product.is_child else None
        visible = product.is_public and (parent is None or parent.is_public)
    buyable = [one for one in offers if one.is_buyable and visible]
    priced = [one for one in (buyable or offers) if one.price is not None]
    cheapest = min(priced, key=lambda one: one.price or Decimal(0), default=None)
    uncounted = any(one.quantity is None for one in buyable)
    return Offer(
        is_buyable=bool(buyable),
        quantity=None if uncounted else sum(one.quantity or 0 for one in buyable),
        price=cheapest.price if cheapest is not None else None,
        currency=cheapest.currency if cheapest is not None else "",
    )


def _offer(product: Any, strategy: Any) -> Offer:
    info = strategy.fetch_for_product(product)
    left = getattr(info.availability, "num_available", None)
    price: Decimal | None = None
    if info.price.exists:
        price = info.price.incl_tax if info.price.is_tax_known else info.price.excl_tax
    return Offer(
        # Oscar's net stock level: what is in stock less what is promised to orders.
        is_buyable=bool(info.price.exists and info.availability.is_available_to_buy),
        quantity=max(0, int(left)) if left is not None else None,
        price=price,
        currency=info.price.currency or "",
    )


def _strategies(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Return the pricing strategy for each account, by its number as text, in one query."""
    wanted: set[Any] = {one.user_id for one in subjects if one.user_id is not None}
    people: dict[str, Any] = {}
    if wanted:
        users = get_user_model()._default_manager.using(database_for(Contact))
        people = {str(user.pk): user for user in users.filter(pk__in=wanted)}
    selector = get_class("partner.strategy", "Selector")()
    return {
        key: selector.strategy(user=people.get(key) or AnonymousUser())
        for key in {str(one.user_id) for one in subjects}
    }


@conditions.register
@dataclass(frozen=True, kw_only=True)
class ProductInStock(Condition):
    """Whether the product can be bought now; of a product with variants, any of them."""

    kind: ClassVar[str] = "product_in_stock"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The product is in stock")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Less what is promised to orders; variants count together."
    )
    about_types: ClassVar[frozenset[str]] = _ABOUT_PRODUCTS

    at_least: int = option(default=1, label=pgettext_lazy("triggers", "Pieces, at least"))

    def __post_init__(self) -> None:
        """Refuse a number that asks nothing."""
        if self.at_least < 1:
            raise ValueError(pgettext("triggers", "the number of pieces must be one or more"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        products = products_of({product_of(one) for one in subjects})
        verdicts = []
        for one, offer in zip(subjects, offers_to(subjects, products), strict=True):
            compared = {
                "product": product_of(one) or None,
                "buyable": offer.is_buyable if offer is not None else False,
                "left": offer.quantity if offer is not None else 0,
                "at_least": self.at_least,
            }
            holds = offer is not None and offer.amount_left >= self.at_least
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class ProductPrice(Condition):
    """What the product costs now, before offers, with tax where it is known."""

    kind: ClassVar[str] = "product_price"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The price of the product")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "As the shop would quote it now, before offers; the cheapest variant's."
    )
    about_types: ClassVar[frozenset[str]] = _ABOUT_PRODUCTS

    comparison: str = option(
        default=comparisons.AT_LEAST,
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    amount: Decimal = option(label=pgettext_lazy("triggers", "Amount"))
    currency: str = option(
        default="",
        label=pgettext_lazy("triggers", "Currency"),
        help_text=pgettext_lazy(
            "triggers", "As in EUR. Empty: the shop's. A price in another currency never fits."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse a comparison that is none."""
        comparisons.check(self.comparison)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        currency = self.currency.strip().upper() or shop_currency()
        products = products_of({product_of(one) for one in subjects})
        verdicts = []
        for one, offer in zip(subjects, offers_to(subjects, products), strict=True):
            price = offer.price if offer is not None else None
            found = offer.currency if offer is not None else ""
            holds = (
                price is not None
                and found == currency
                and comparisons.compare(price, self.comparison, self.amount)
            )
            compared = {
                "product": product_of(one) or None,
                "price": price,
                "currency": found,
                "comparison": self.comparison,
                "wanted": self.amount,
                "wanted_currency": currency,
            }
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts


@conditions.register
@dataclass(frozen=True, kw_only=True)
class PriceDropped(Condition):
    """Whether the price fell since: of the product, or of anything in the basket.

    A product's price is compared with the one that the starting event told (its field `price`,
    or the one named); where the event told none, nobody knows, and the answer is no. The goods
    in a basket are compared with the prices at which they were put in. Both in one currency.
    """

    kind: ClassVar[str] = "price_dropped"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The price has dropped")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "A product's since the event that started the flow, if that told a price; any in the "
        "basket since it was put in. Empty percent and amount: by however little.",
    )
    about_types: ClassVar[frozenset[str]] = frozenset({"product", "basket"})

    percent: Decimal | None = option(
        default=None, label=pgettext_lazy("triggers", "By percent, at least")
    )
    amount: Decimal | None = option(
        default=None, label=pgettext_lazy("triggers", "By so much, at least")
    )
    field: str = option(
        default="price",
        label=pgettext_lazy("triggers", "Price before"),
        help_text=pgettext_lazy("triggers", "Name of the event's field that told it."),
    )

    def __post_init__(self) -> None:
        """Refuse a fall that no price can take."""
        if self.percent is not None and not 0 < self.percent <= 100:
            raise ValueError(pgettext("triggers", "percent must be above 0, and 100 at most"))
        if self.amount is not None and self.amount <= 0:
            raise ValueError(pgettext("triggers", "the amount must be above zero"))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        lines = _lines_of({basket_of(one) for one in subjects} - {0})
        products = products_of(
            {product_of(one) for one in subjects if product_of(one)}
            | {line["product_id"] for some in lines.values() for line in some}
        )
        offers = offers_to(subjects, products)
        strategies = _strategies(subjects)
        verdicts = []
        for one, offer in zip(subjects, offers, strict=True):
            if one.about.type == "basket":
                strategy = strategies[str(one.user_id)]
                verdicts.append(self._of_lines(lines.get(basket_of(one), ()), products, strategy))
            else:
                verdicts.append(self._of_product(one, offer))
        return verdicts

    def _of_product(self, subject: Subject, offer: Offer | None) -> Verdict:
        before = _amount(subject.payload.get(self.field))
        told = str(subject.payload.get("currency") or "")
        now = offer.price if offer is not None else None
        compared = {
            "product": product_of(subject) or None,
            "before": before,
            "now": now,
            "currency": offer.currency if offer is not None else told,
            **self._asked(),
        }
        if before is None or now is None or offer is None or (told and told != offer.currency):
            return Verdict(holds=False, compared=compared)
        return Verdict(holds=self._fell(before, now), compared=compared)

    def _of_lines(
        self, lines: Sequence[Mapping[str, Any]], products: Mapping[int, Any], strategy: Any
    ) -> Verdict:
        fallen: list[dict[str, Any]] = []
        for line in lines:
            product = products.get(line["product_id"])
            offer = best_offer(product, strategy) if product is not None else None
            with_tax = line["price_incl_tax"]
            before = with_tax if with_tax is not None else line["price_excl_tax"]
            if (
                offer is not None
                and offer.price is not None
                and before is not None
                and offer.currency == line["price_currency"]
                and self._fell(before, offer.price)
            ):
                fallen.append({"product": line["product_id"], "before": before, "now": offer.price})
        compared = {"lines": len(lines), "fallen": fallen, **self._asked()}
        return Verdict(holds=bool(fallen), compared=compared)

    def _asked(self) -> dict[str, Any]:
        return {"percent": self.percent, "amount": self.amount}

    def _fell(self, before: Decimal, now: Decimal) -> bool:
        by = before - now
        if by <= 0:
            return False
        if self.amount is not None and by < self.amount:
            return False
        return self.percent is None or by * 100 >= self.percent * before


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _lines_of(basket_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if not basket_ids:
        return found
    for line in (
        tables.basket_lines()
        .filter(basket_id__in=basket_ids, quantity__gt=0)
        .values("basket_id", "product_id", "price_incl_tax", "price_excl_tax", "price_currency")
    ):
        found.setdefault(line["basket_id"], []).append(line)
    return found
