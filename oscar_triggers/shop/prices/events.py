"""What people look at and wish for, and prices that fell below what somebody saw, as events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import events
from ...events import Event, TriggerOptions
from ...kinds import option
from ...models import PriceSource
from ...snapshots import About

#: Somebody bought in the category of the product: they saw no price of it.
CATEGORY = "category"

#: What says most about the wish to buy comes first; whoever asked is owed an answer.
INTERESTS = (
    PriceSource.REQUEST.value,
    PriceSource.BASKET.value,
    PriceSource.WISH.value,
    PriceSource.VIEW.value,
    PriceSource.MESSAGE.value,
    CATEGORY,
)

_LARGEST_LETTER = 50


def strength(interest: str) -> int:
    """Return the place of an interest in the order of strength, 0 for the strongest."""
    return INTERESTS.index(interest) if interest in INTERESTS else len(INTERESTS)


def about_product(product_id: int) -> About:
    """Return the name of a product."""
    return About(type="product", id=str(product_id))


def about_price_drop(contact_id: int, moment: datetime) -> About:
    """Return the name of what one sweep found for one person."""
    at = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return About(type="price_drop", id=f"{contact_id}:{at}")


def _interest_choices() -> list[tuple[str, Any]]:
    return [
        (PriceSource.BASKET.value, pgettext_lazy("triggers", "Put it in the basket")),
        (PriceSource.WISH.value, pgettext_lazy("triggers", "Put it on a wish list")),
        (PriceSource.REQUEST.value, pgettext_lazy("triggers", "Asked to be told")),
        (PriceSource.VIEW.value, pgettext_lazy("triggers", "Looked at it")),
        (PriceSource.MESSAGE.value, pgettext_lazy("triggers", "Read of it in a letter of ours")),
        (CATEGORY, pgettext_lazy("triggers", "Bought something of its category")),
    ]


@dataclass(frozen=True, kw_only=True)
class PriceDroppedOptions(TriggerOptions):
    """Which falls are worth a letter, and to whom."""

    least_percent: Decimal | None = option(
        default=Decimal(5),
        label=pgettext_lazy("triggers", "Cheaper by at least, in percent"),
        help_text=pgettext_lazy(
            "triggers",
            "Than the price that this person last saw. Where an amount is set too, both must hold.",
        ),
    )
    least_amount: Decimal | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Cheaper by at least, in money"),
        help_text=pgettext_lazy("triggers", "In the currency of the price. Empty: any amount."),
    )
    interests: tuple[str, ...] = option(
        default=(
            PriceSource.BASKET.value,
            PriceSource.WISH.value,
            PriceSource.REQUEST.value,
            PriceSource.VIEW.value,
            PriceSource.MESSAGE.value,
        ),
        label=pgettext_lazy("triggers", "What they did with the product"),
        help_text=pgettext_lazy(
            "triggers", "Of several, the strongest counts: a basket more than a look."
        ),
        choices=_interest_choices,
    )
    bought_within: timedelta = option(
        default=timedelta(days=365),
        label=pgettext_lazy("triggers", "Bought in the category within"),
        help_text=pgettext_lazy(
            "triggers", "For those who bought something of its category, and never saw it."
        ),
    )
    below_lowest: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Only what is cheaper than in all of the last 30 days"),
        help_text=pgettext_lazy(
            "triggers", "What was cheaper meanwhile, or of which nobody knows it, is left out."
        ),
    )
    most_products: int = option(
        default=6,
        label=pgettext_lazy("triggers", "Products in one letter, at most"),
        help_text=pgettext_lazy("triggers", "What says most about the wish to buy comes first."),
    )

    def __post_init__(self) -> None:
        """Refuse falls that no price can take, and interests that are none."""
        if self.least_percent is not None and not 0 <= self.least_percent < 100:
            raise ValueError(pgettext("triggers", "the percent must be from 0 to below 100"))
        if self.least_amount is not None and self.least_amount < 0:
            raise ValueError(pgettext("triggers", "the amount cannot be below zero"))
        unknown = [one for one in self.interests if one not in INTERESTS]
        if unknown or not self.interests:
            raise ValueError(
                pgettext("triggers", "'interests' must be a list of %(known)s")
                % {"known": ", ".join(INTERESTS)}
            )
        if not 1 <= self.most_products <= _LARGEST_LETTER:
            raise ValueError(
                pgettext("triggers", "a letter names from 1 to %(most)d products")
                % {"most": _LARGEST_LETTER}
            )
        if self.bought_within <= timedelta(0):
            raise ValueError(pgettext("triggers", "the time since the purchase must be above zero"))

    def wants(self, product: Mapping[str, Any]) -> bool:
        """Say whether the fall of one product is worth a letter."""
        if product.get("source") not in self.interests:
            return False
        ago = product.get("bought_days_ago")
        if product.get("source") == CATEGORY and (
            ago is None or timedelta(days=int(ago)) > self.bought_within
        ):
            return False
        old, new = Decimal(str(product["old"])), Decimal(str(product["new"]))
        if new >= old:
            return False
        if self.below_lowest and not is_below_lowest(product):
            return False
        if product.get("target") is not None:
            # Who named a price asked for just this.
            return True
        saving = old - new
        if self.least_amount is not None and saving < self.least_amount:
            return False
        return self.least_percent is None or saving * 100 >= self.least_percent * old

    def choose(self, products: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the products for which a letter goes, the strongest interest first."""
        return sorted((one for one in products if self.wants(one)), key=in_order)


def is_below_lowest(product: Mapping[str, Any]) -> bool:
    """Say whether a product is cheaper than it was in the 30 days before; no where unknown."""
    lowest = product.get("lowest_30d")
    return lowest is not None and Decimal(str(product["new"])) < Decimal(str(lowest))


def in_order(product: Mapping[str, Any]) -> tuple[int, Decimal, int]:
    """Return by what products are sorted: interest, then by how much of its price one fell."""
    old, new = Decimal(str(product["old"])), Decimal(str(product["new"]))
    return (strength(str(product.get("source"))), new / old, int(product["product_id"]))


@events.register
@dataclass(frozen=True, kw_only=True)
class PriceDropped(Event):
    """Products cost less than a person last saw: one event for each person and sweep."""

    kind: ClassVar[str] = "price_dropped"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Prices dropped")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Products cost less than the price that this person last saw. Several at once are one event.",
    )
    about_type: ClassVar[str] = "price_drop"
    options_class: ClassVar[type[TriggerOptions]] = PriceDroppedOptions
    #: A newer one carries on what the older did not tell yet.
    one_at_a_time: ClassVar[bool] = True
    is_timely: ClassVar[bool] = True

    #: {product_id, old, new, currency, source, lowest_30d, target, with_offer}, and of those who
    #: bought in its category: bought_days_ago.
    products: tuple[dict[str, Any], ...] = ()
    #: The strongest interest, and the product that goes first.
    source: str = ""
    product_id: int | None = None
    #: The largest saving, in percent.
    percent: Decimal = Decimal(0)
    count: int = 0
    currency: str = ""

    def act_key(self, about: About | None) -> str:
        """Return one key for each person and sweep."""
        return str(about) if about is not None else ""

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether any of the products fell by enough, for such people."""
        return isinstance(options, PriceDroppedOptions) and any(map(options.wants, self.products))


@events.register
@dataclass(frozen=True, kw_only=True)
class ProductViewed(Event):
    """Somebody whom we know looked at the page of a product; once an hour for each."""

    kind: ClassVar[str] = "product_viewed"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A product was looked at")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "A customer who is signed in, or a guest whose e-mail is known, opened a product's page. "
        "A flow takes it once a day for each product.",
    )
    about_type: ClassVar[str] = "product"
    is_visit: ClassVar[bool] = True

    product_id: int
    #: The hour (UTC) in which it was, as in "2026-11-22T10".
    hour: str = ""

    def episode_key(self, about: About | None) -> str:
        """Return one key for each product and day."""
        return f"product:{self.product_id}:{self.hour[:10]}"


@events.register
@dataclass(frozen=True, kw_only=True)
class ProductWished(Event):
    """Somebody put a product on a wish list."""

    kind: ClassVar[str] = "product_wished"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Somebody keeps a product for later.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "A product was put on a wish list")
    about_type: ClassVar[str] = "product"
    is_visit: ClassVar[bool] = True

    product_id: int
    #: Number of the line on the wish list.
    line_id: int

    def act_key(self, about: About | None) -> str:
        """Return one key for each line of a wish list."""
        return f"line:{self.line_id}"
