"""What happens to those who asked to be told: asked, back in stock, discontinued, given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import events
from ...conf import triggers_settings
from ...events import Event, TriggerOptions
from ...kinds import option
from ...models import RequestKind
from ...snapshots import About

ABOUT_REQUEST = "product_request"


def about_request(request_id: int) -> About:
    """Return the name of a request to be told."""
    return About(type=ABOUT_REQUEST, id=str(request_id))


def _kinds() -> list[tuple[str, Any]]:
    return list(RequestKind.choices)


def _default_longest_wait() -> timedelta:
    return triggers_settings().request_valid


@dataclass(frozen=True, kw_only=True)
class BackInStockOptions(TriggerOptions):
    """Who is told, and how long the goods are theirs to buy."""

    buy_window: timedelta = option(
        default=timedelta(hours=24),
        label=pgettext_lazy("triggers", "Time to buy"),
        help_text=pgettext_lazy(
            "triggers",
            "So long the next in the line are not told of the units that somebody was told of.",
        ),
    )
    longest_wait: timedelta = option(
        default_factory=_default_longest_wait,
        label=pgettext_lazy("triggers", "Give up after"),
        help_text=pgettext_lazy(
            "triggers", "Who has waited longer than this is not told any more."
        ),
    )
    most_per_wave: int = option(
        default=500,
        label=pgettext_lazy("triggers", "Most in a wave"),
        help_text=pgettext_lazy(
            "triggers",
            "So many are told of one product at a time, also where the shop has more or does not "
            "count its stock.",
        ),
    )
    hurry_when_short_by: int = option(
        default=1,
        label=pgettext_lazy("triggers", "Hurry when so many more wait"),
        help_text=pgettext_lazy(
            "triggers",
            "The letter may say that it is urgent when so many more units are waited for than "
            "there are.",
        ),
    )
    siblings: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Other variants count too"),
        help_text=pgettext_lazy(
            "triggers",
            "Who waits for one variant is told when another of the same product can be bought.",
        ),
    )

    def __post_init__(self) -> None:
        if self.buy_window <= timedelta():
            raise ValueError(pgettext("triggers", "“Time to buy” must be longer than nothing."))
        if self.longest_wait <= timedelta():
            raise ValueError(pgettext("triggers", "“Give up after” must be longer than nothing."))
        if self.most_per_wave < 1:
            raise ValueError(pgettext("triggers", "A wave must be of one person at least."))
        if self.hurry_when_short_by < 1:
            raise ValueError(
                pgettext("triggers", "“Hurry when so many more wait” must be 1 or more.")
            )


@events.register
@dataclass(frozen=True, kw_only=True)
class BackInStock(Event):
    """A product that somebody waited for can be bought, and it is their turn."""

    kind: ClassVar[str] = "back_in_stock"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A product is back in stock")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Somebody asked to be told, and it is their turn: first come, first served, as many at a "
        "time as there are units.",
    )
    about_type: ClassVar[str] = ABOUT_REQUEST
    options_class: ClassVar[type[TriggerOptions]] = BackInStockOptions

    request_id: int
    #: What can be bought: the product that was asked for, a variant of it, or its sibling.
    product_id: int
    #: What was asked for.
    wanted_id: int | None = None
    quantity: int = 1
    #: How many people wait for the product, this one among them.
    waiting: int = 1
    #: How many units were free for this wave; None where the shop does not count.
    free: int | None = None
    hurry: bool = False
    wave: int = 1
    buy_until: datetime | None = None
    #: Of which stock record the units are; None where the shop does not count.
    stock_record_id: int | None = None

    def act_key(self, about: About | None) -> str:
        """Return one key for each request and wave: who is put back in the line is told again."""
        return f"request:{self.request_id}:{self.wave}"


@events.register
@dataclass(frozen=True, kw_only=True)
class RequestMade(Event):
    """Somebody without account asked to be told, and has to confirm the address."""

    kind: ClassVar[str] = "request_made"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A guest asked to be told of a product")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "The letter of confirmation starts here: nobody without account is told of anything "
        "before they followed its link and pressed the button.",
    )
    about_type: ClassVar[str] = ABOUT_REQUEST
    is_visit: ClassVar[bool] = True
    is_timely: ClassVar[bool] = True

    request_id: int
    product_id: int
    what: str = option(default=RequestKind.BACK.value, choices=_kinds)
    quantity: int = 1
    target_price: Decimal | None = None
    #: Tells an asking from one long after it, which gets another letter.
    asked_at: datetime | None = None

    def act_key(self, about: About | None) -> str:
        """Return one key for each asking."""
        return f"request:{self.request_id}:{self.asked_at}"


@dataclass(frozen=True, kw_only=True)
class ProductDiscontinuedOptions(TriggerOptions):
    """When a product that is not shown any more counts as gone for good."""

    gone_for: timedelta = option(
        default=timedelta(days=7),
        label=pgettext_lazy("triggers", "Not shown for"),
        help_text=pgettext_lazy(
            "triggers", "So long a product must be hidden. One that is deleted is gone at once."
        ),
    )


@events.register
@dataclass(frozen=True, kw_only=True)
class ProductDiscontinued(Event):
    """A product that somebody waited for was taken out of the shop."""

    kind: ClassVar[str] = "product_discontinued"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A product that was waited for is gone")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "It was deleted or is not shown any more. The letter may show others like it."
    )
    about_type: ClassVar[str] = ABOUT_REQUEST
    options_class: ClassVar[type[TriggerOptions]] = ProductDiscontinuedOptions

    request_id: int
    product_id: int
    quantity: int = 1
    #: Whether it is not in the shop's tables any more.
    deleted: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each request."""
        return f"request:{self.request_id}"


@events.register
@dataclass(frozen=True, kw_only=True)
class RequestExpired(Event):
    """Somebody waited for a product in vain, and we stopped looking."""

    kind: ClassVar[str] = "request_expired"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Nobody could be told in time")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "A request to be told is over: the product did not come back in time."
    )
    about_type: ClassVar[str] = ABOUT_REQUEST

    request_id: int
    product_id: int
    what: str = option(default=RequestKind.BACK.value, choices=_kinds)

    def act_key(self, about: About | None) -> str:
        """Return one key for each request."""
        return f"request:{self.request_id}"
