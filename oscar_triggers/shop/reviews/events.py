"""What happens around reviews, as events: it is time to ask, one was written, one is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import events
from ...events import Event, TriggerOptions
from ...kinds import format_duration, option
from ...snapshots import About

#: From which stage of an order the time is counted.
RECEIVED = "received"
SHIPPED = "shipped"
PLACED = "placed"

_LONGEST = timedelta(days=90)


def about_product(product_id: int) -> About:
    """Return the name of a product."""
    return About(type="product", id=str(product_id))


@dataclass(frozen=True, kw_only=True)
class ReviewDueOptions(TriggerOptions):
    """How long after an order arrived its buyer is asked, and what stands in for an arrival."""

    after_receipt: timedelta = option(
        default=timedelta(days=8),
        label=pgettext_lazy("triggers", "After the order was received"),
        help_text=pgettext_lazy(
            "triggers", "Seven to ten days are usual: the goods were used, and are not forgotten."
        ),
    )
    after_shipping: timedelta | None = option(
        default=timedelta(days=14),
        label=pgettext_lazy("triggers", "Or after it was shipped"),
        help_text=pgettext_lazy(
            "triggers", "Where nobody says that it was received. Empty: then nobody is asked."
        ),
    )
    after_placing: timedelta | None = option(
        default=timedelta(days=21),
        label=pgettext_lazy("triggers", "Or after it was placed"),
        help_text=pgettext_lazy(
            "triggers", "Where nobody says that it was shipped either. Empty: then nobody is asked."
        ),
    )
    ask_after_rejection: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Ask again whose review was rejected"),
        help_text=pgettext_lazy(
            "triggers", "Only guests can write another one: Oscar keeps one for each account."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse times that are none, or longer than anybody remembers what they bought."""
        for duration in (self.after_receipt, self.after_shipping, self.after_placing):
            if duration is not None and not timedelta(0) < duration <= _LONGEST:
                raise ValueError(
                    pgettext("triggers", "Write a time of up to %(days)d days, as in 8d.")
                    % {"days": _LONGEST.days}
                )


@events.register
@dataclass(frozen=True, kw_only=True)
class ReviewDue(Event):
    """An order arrived long enough ago to ask for reviews of what has none by its buyer yet."""

    kind: ClassVar[str] = "review_due"
    label: ClassVar[Any] = pgettext_lazy("triggers", "It is time to ask for reviews")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "So many days after an order was received, when something of it was neither returned nor "
        "reviewed. Once for each order.",
    )
    about_type: ClassVar[str] = "order"
    options_class: ClassVar[type[TriggerOptions]] = ReviewDueOptions
    is_timely: ClassVar[bool] = True

    number: str
    #: How many products there are to review.
    products: int = 0
    #: The stage that the time was counted from.
    counted_from: str = RECEIVED
    after_receipt: timedelta
    after_shipping: timedelta | None = None
    after_placing: timedelta | None = None
    ask_after_rejection: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each order and each flow's idea of when to ask."""
        return act_key_of(self.number, wish_of(self))

    def episode_key(self, about: About | None) -> str:
        """Return one key for each order: a flow asks once, also when its times were changed."""
        return f"order:{self.number}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow asked for just these times."""
        return isinstance(options, ReviewDueOptions) and options == wish_of(self)


def act_key_of(number: str, wish: ReviewDueOptions) -> str:
    """Return the key of the moment at which a flow with these times asks about an order."""
    times = [
        format_duration(duration) if duration is not None else "-"
        for duration in (wish.after_receipt, wish.after_shipping, wish.after_placing)
    ]
    return ":".join(["order", number, *times, "again" if wish.ask_after_rejection else "once"])


def wish_of(event: ReviewDue) -> ReviewDueOptions:
    """Return the trigger that an event is for."""
    return ReviewDueOptions(
        after_receipt=event.after_receipt,
        after_shipping=event.after_shipping,
        after_placing=event.after_placing,
        ask_after_rejection=event.ask_after_rejection,
    )


@dataclass(frozen=True, kw_only=True)
class ReviewOptions(TriggerOptions):
    """Which reviews start the flow."""

    at_least: int = option(
        default=0,
        label=pgettext_lazy("triggers", "Stars, at least"),
    )
    at_most: int = option(default=5, label=pgettext_lazy("triggers", "Stars, at most"))

    def __post_init__(self) -> None:
        """Refuse numbers that no review has."""
        if not 0 <= self.at_least <= self.at_most <= 5:
            raise ValueError(
                pgettext("triggers", "Stars are from 0 to 5, and the least not above the most.")
            )


@dataclass(frozen=True, kw_only=True)
class _OfReview(Event):
    """Base of what happens to a review."""

    about_type: ClassVar[str] = "product"
    options_class: ClassVar[type[TriggerOptions]] = ReviewOptions

    review_id: int
    product_id: int
    score: int = 0
    #: Whether it was written with an account.
    member: bool = False

    def act_key(self, about: About | None) -> str:
        """Return one key for each review."""
        return f"review:{self.review_id}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow asked for so many stars."""
        return (
            isinstance(options, ReviewOptions) and options.at_least <= self.score <= options.at_most
        )


@events.register
@dataclass(frozen=True, kw_only=True)
class ReviewWritten(_OfReview):
    """Someone wrote a review, which may still have to wait for the shop's approval."""

    kind: ClassVar[str] = "review_written"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A review was written")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "At once, also where the shop reads reviews before they are shown."
    )
    is_visit: ClassVar[bool] = True


@events.register
@dataclass(frozen=True, kw_only=True)
class ReviewApproved(_OfReview):
    """A review is shown in the shop: at once, or when staff have approved it."""

    kind: ClassVar[str] = "review_approved"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A review was approved")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "When it is shown in the shop: the moment to say thanks. Where the shop does not read "
        "reviews before, that is as soon as one is written.",
    )
