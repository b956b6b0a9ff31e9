"""What happens in an Oscar shop, as events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import events
from ..conf import triggers_settings
from ..events import Event, TriggerOptions, WaitingNow
from ..kinds import option
from ..snapshots import About
from . import waiting

EVERYONE = "everyone"
MEMBERS = "members"
GUESTS = "guests"

_SHORTEST_IDLE = timedelta(minutes=1)


def _default_max_age() -> timedelta:
    return triggers_settings().basket_max_age


def _audiences() -> list[tuple[str, Any]]:
    return [
        (EVERYONE, pgettext_lazy("triggers", "Customers and guests")),
        (MEMBERS, pgettext_lazy("triggers", "Customers with an account")),
        (GUESTS, pgettext_lazy("triggers", "Guests whose e-mail is known")),
    ]


def about_basket(basket_id: int | str) -> About:
    """Return the name of a basket."""
    return About(type="basket", id=str(basket_id))


def about_order(number: str) -> About:
    """Return the name of an order."""
    return About(type="order", id=str(number))


@dataclass(frozen=True, kw_only=True)
class BasketLeftOptions(TriggerOptions):
    """When a basket counts as left, and whose."""

    idle: timedelta = option(
        default=timedelta(hours=1),
        label=pgettext_lazy("triggers", "Left for"),
        help_text=pgettext_lazy(
            "triggers", "How long nobody touched the basket. Every change starts the time anew."
        ),
    )
    max_age: timedelta = option(
        default_factory=_default_max_age,
        label=pgettext_lazy("triggers", "At most"),
        help_text=pgettext_lazy(
            "triggers", "Baskets that were last touched longer ago than this are left in peace."
        ),
    )
    minimum_value: Decimal | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Worth at least"),
        help_text=pgettext_lazy(
            "triggers", "In the currency of the basket. Empty: whatever it is worth."
        ),
    )
    audience: str = option(
        default=EVERYONE, label=pgettext_lazy("triggers", "Whose baskets"), choices=_audiences
    )

    def __post_init__(self) -> None:
        if self.idle < _SHORTEST_IDLE:
            raise ValueError(pgettext("triggers", "A basket must be left for at least one minute."))
        if self.max_age <= self.idle:
            raise ValueError(
                pgettext(
                    "triggers", "“At most” must be longer than “Left for”, or nobody ever enters."
                )
            )
        if self.audience not in (EVERYONE, MEMBERS, GUESTS):
            raise ValueError(
                pgettext("triggers", "Choose whose baskets: everyone, members or guests.")
            )
        if self.minimum_value is not None and self.minimum_value < 0:
            raise ValueError(pgettext("triggers", "The least value cannot be below zero."))


@events.register
@dataclass(frozen=True, kw_only=True)
class BasketLeft(Event):
    """Someone whom we know left a basket without ordering it."""

    kind: ClassVar[str] = "basket_left"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A basket was left behind")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "A customer, or a guest whose e-mail is known, filled a basket and went away."
    )
    about_type: ClassVar[str] = "basket"
    options_class: ClassVar[type[TriggerOptions]] = BasketLeftOptions
    one_at_a_time: ClassVar[bool] = True

    basket_id: int
    #: The threshold that was crossed, in seconds.
    idle: int
    #: 1 for the first time that it was left, 2 for the second.
    episode: int = 1
    #: What the lines cost when they were put in.
    value: Decimal = Decimal(0)
    currency: str = ""
    line_count: int = 0
    #: When it was last touched.
    left_at: datetime | None = None
    #: How long it had been left when we saw it, in seconds; more than `idle` after an outage.
    age: int = 0
    #: Whether it belongs to an account.
    member: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each basket, episode and threshold."""
        return f"{self.episode_key(about)}:{self.idle}"

    def episode_key(self, about: About | None) -> str:
        """Return the same key for all thresholds of an episode."""
        return f"basket:{self.basket_id}:{self.episode}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow waits just so long, and for such baskets."""
        if not isinstance(options, BasketLeftOptions):
            return False
        if options.audience != EVERYONE and self.member != (options.audience == MEMBERS):
            return False
        if options.minimum_value is not None and self.value < options.minimum_value:
            return False
        return (
            timedelta(seconds=self.idle) == options.idle
            and timedelta(seconds=self.age) <= options.max_age
        )

    @classmethod
    def waiting_now(cls, options: TriggerOptions, now: datetime) -> WaitingNow | None:
        """Count the baskets that already wait for such a flow."""
        if not isinstance(options, BasketLeftOptions):
            return None
        members = {EVERYONE: None, MEMBERS: True, GUESTS: False}[options.audience]
        return waiting.count(
            now,
            idle=options.idle,
            max_age=options.max_age,
            minimum_value=options.minimum_value,
            members=members,
        )


@events.register
@dataclass(frozen=True, kw_only=True)
class CheckoutStarted(Event):
    """Someone began the checkout; for guests the first time that we learn their e-mail."""

    kind: ClassVar[str] = "checkout_started"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Checkout started")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Someone began the checkout. Once for each person and basket."
    )
    about_type: ClassVar[str] = "basket"
    is_visit: ClassVar[bool] = True

    basket_id: int | None = None


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderPlaced(Event):
    """An order was placed."""

    kind: ClassVar[str] = "order_placed"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Somebody bought something.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was placed")
    about_type: ClassVar[str] = "order"
    is_visit: ClassVar[bool] = True
    #: An import brings orders of last year: they are missed by rule, and no letter goes.
    counts_from_act: ClassVar[bool] = True

    number: str
    basket_id: int | None = None
    total: Decimal = Decimal(0)
    currency: str = ""
    #: What the goods cost: the total without the shipping.
    value: Decimal = Decimal(0)
    #: Which order of the person it is, from 1; 0 until the tick knows who it is.
    nth: int = 0
    is_first: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each order, whoever reports it."""
        return f"order:{self.number}"

    def concerns(self) -> tuple[About, ...]:
        """Name the basket that was ordered."""
        return (about_basket(self.basket_id),) if self.basket_id else ()


@events.register
@dataclass(frozen=True, kw_only=True)
class BasketRestored(Event):
    """Someone followed our link back to a basket; from the link we know who it is."""

    kind: ClassVar[str] = "basket_restored"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Somebody came back to the basket by the link in a letter."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "A link back to the basket was followed")
    about_type: ClassVar[str] = "basket"
    can_trigger: ClassVar[bool] = False

    #: The visitor's basket, which the lines were put into.
    basket_id: int
    #: The basket that the message was about.
    from_basket_id: int
    #: Message.public_id of the message that held the link.
    message: str = ""
    #: Whether the visitor came without a basket. Scanners of mail do, and so do people on
    #: another device: only what is done with the basket afterwards tells them apart.
    fresh: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each message and basket, and one for coming back to it."""
        return f"basket:{self.basket_id}:{self.message}:{'fresh' if self.fresh else 'again'}"

    def concerns(self) -> tuple[About, ...]:
        """Name the basket that the message was about."""
        return (about_basket(self.from_basket_id),)


@events.register
@dataclass(frozen=True, kw_only=True)
class CustomerRegistered(Event):
    """Someone opened an account."""

    kind: ClassVar[str] = "customer_registered"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Somebody made an account in the shop.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "A customer registered")
    about_type: ClassVar[str] = "customer"
    is_visit: ClassVar[bool] = True


@events.register
@dataclass(frozen=True, kw_only=True)
class CustomerLoggedIn(Event):
    """A customer signed in, perhaps with a basket filled before."""

    kind: ClassVar[str] = "customer_logged_in"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Somebody with an account came back.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "A customer signed in")
    about_type: ClassVar[str] = "basket"
    is_visit: ClassVar[bool] = True
    can_trigger: ClassVar[bool] = False

    #: The basket that was filled before signing in.
    basket_id: int | None = None
