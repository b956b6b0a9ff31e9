"""What becomes of an order, as events: one for each stage, and one for each word of Oscar's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import events
from ...events import Event, TriggerOptions
from ...kinds import option
from ...snapshots import About
from . import stages

_SHORTEST = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class OrderEvent(Event):
    """Base of what happens to an order."""

    about_type: ClassVar[str] = "order"
    #: An import brings orders of last year: they are missed by rule, and no letter goes.
    counts_from_act: ClassVar[bool] = True
    #: Who pays one order may still have forgotten another.
    is_of_its_thing: ClassVar[bool] = True

    number: str
    total: Decimal = Decimal(0)
    currency: str = ""

    def episode_key(self, about: About | None) -> str:
        """Return one key for each act: the order's number and what happened."""
        return self.act_key(about)


@dataclass(frozen=True, kw_only=True)
class StageReached(OrderEvent):
    """Base of the stages: the whole order came there, told once."""

    stage: str = ""
    #: The order lines that came there; what was cancelled or sent back before is left out.
    lines: tuple[int, ...] = ()

    def act_key(self, about: About | None) -> str:
        """Return one key for each order."""
        return f"order:{self.number}"


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderPaid(StageReached):
    """An order was paid in full."""

    kind: ClassVar[str] = "order_paid"
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was paid")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "By its status, or because the payments that were recorded reach its total."
    )

    stage: str = stages.PAID


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderShipped(StageReached):
    """All of an order is on its way."""

    kind: ClassVar[str] = "order_shipped"
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was shipped")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "With the last parcel. For each parcel, listen to “shipping event”."
    )

    stage: str = stages.SHIPPED


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderReady(StageReached):
    """An order can be fetched."""

    kind: ClassVar[str] = "order_ready"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "An order waits in the shop for its buyer."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order is ready for pick-up")

    stage: str = stages.READY


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderReceived(StageReached):
    """The customer has all of an order."""

    kind: ClassVar[str] = "order_received"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "An order has arrived, or was picked up."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was received")

    stage: str = stages.RECEIVED


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderCancelled(StageReached):
    """An order was cancelled."""

    kind: ClassVar[str] = "order_cancelled"
    description: ClassVar[Any] = pgettext_lazy("triggers", "An order will not be delivered.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was cancelled")

    stage: str = stages.CANCELLED


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderRefunded(StageReached):
    """An order was given back in full."""

    kind: ClassVar[str] = "order_refunded"
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order was refunded")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "All of it. For a refund of a part, listen to “payment event”."
    )

    stage: str = stages.REFUNDED


#: The event of each stage.
OF_STAGES: dict[str, type[StageReached]] = {
    stages.PAID: OrderPaid,
    stages.SHIPPED: OrderShipped,
    stages.READY: OrderReady,
    stages.RECEIVED: OrderReceived,
    stages.CANCELLED: OrderCancelled,
    stages.REFUNDED: OrderRefunded,
}


@dataclass(frozen=True, kw_only=True)
class OrderUnpaidOptions(TriggerOptions):
    """How long one may take to pay."""

    after: timedelta = option(
        default=timedelta(hours=24),
        label=pgettext_lazy("triggers", "Not paid for"),
        help_text=pgettext_lazy("triggers", "How long after the order was placed."),
    )

    def __post_init__(self) -> None:
        """Refuse a time in which nobody could pay."""
        if self.after < _SHORTEST:
            raise ValueError(pgettext("triggers", "Give people at least five minutes to pay."))


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderUnpaid(OrderEvent):
    """An order was not paid in time."""

    kind: ClassVar[str] = "order_unpaid"
    label: ClassVar[Any] = pgettext_lazy("triggers", "An order is not paid")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers",
        "Nothing says that it was paid, and it was neither cancelled nor sent. Only for shops "
        "that record payments in Oscar, or give paid orders a status.",
    )
    options_class: ClassVar[type[TriggerOptions]] = OrderUnpaidOptions
    is_timely: ClassVar[bool] = True

    stage: str = stages.UNPAID
    #: The threshold that was crossed, in seconds.
    after: int

    def act_key(self, about: About | None) -> str:
        """Return one key for each order and threshold."""
        return f"order:{self.number}:{self.after}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow waits just so long."""
        return (
            isinstance(options, OrderUnpaidOptions)
            and timedelta(seconds=self.after) == options.after
        )


@dataclass(frozen=True, kw_only=True)
class PickupEndingOptions(TriggerOptions):
    """For how long an order is kept, and when to remind."""

    term: timedelta = option(
        default=timedelta(days=7),
        label=pgettext_lazy("triggers", "Kept for"),
        help_text=pgettext_lazy(
            "triggers",
            "From the moment that it is ready, where the shop's own code does not know the date.",
        ),
    )
    before: timedelta = option(
        default=timedelta(days=2), label=pgettext_lazy("triggers", "Remind before the end")
    )

    def __post_init__(self) -> None:
        """Refuse a reminder before the order is ready."""
        if not timedelta() < self.before < self.term:
            raise ValueError(
                pgettext("triggers", "“Remind before the end” must be shorter than “Kept for”.")
            )


@events.register
@dataclass(frozen=True, kw_only=True)
class PickupEnding(OrderEvent):
    """An order that waits to be fetched will soon not be kept any more."""

    kind: ClassVar[str] = "pickup_ending"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "An order that waits in the shop will soon be put back on the shelf."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "The time to pick up an order ends")
    options_class: ClassVar[type[TriggerOptions]] = PickupEndingOptions
    is_timely: ClassVar[bool] = True

    stage: str = stages.READY
    #: Until when it is kept.
    until: datetime
    #: The options that it was told for, in seconds.
    term: int
    before: int

    def act_key(self, about: About | None) -> str:
        """Return one key for each order and end; a shop may keep it for longer."""
        return f"order:{self.number}:{self.until:%Y%m%d%H%M}:{self.term}:{self.before}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether it was told for a flow with these options."""
        return isinstance(options, PickupEndingOptions) and (self.term, self.before) == (
            int(options.term.total_seconds()),
            int(options.before.total_seconds()),
        )


@dataclass(frozen=True, kw_only=True)
class StatusOptions(TriggerOptions):
    """Which status is meant."""

    status: str = option(
        default="",
        label=pgettext_lazy("triggers", "New status"),
        help_text=pgettext_lazy("triggers", "As the shop writes it. Empty: any."),
    )


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderStatusChanged(OrderEvent):
    """The status of an order changed, whoever changed it."""

    kind: ClassVar[str] = "order_status_changed"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "An order came from one state into another; you choose which."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "The status of an order changed")
    options_class: ClassVar[type[TriggerOptions]] = StatusOptions

    old: str
    new: str
    #: Which stage the new status means, "" for none.
    stage: str = ""
    #: Tells changes to the same status apart.
    act: str = ""

    def act_key(self, about: About | None) -> str:
        """Return one key for each change."""
        return f"order:{self.number}:{self.act}:{self.new}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow waits for this status."""
        return isinstance(options, StatusOptions) and options.status in ("", self.new)


@events.register
@dataclass(frozen=True, kw_only=True)
class OrderLineStatusChanged(OrderEvent):
    """The status of one line of an order changed."""

    kind: ClassVar[str] = "order_line_status_changed"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "A line of an order came from one state into another; you choose which."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "The status of an order line changed")
    options_class: ClassVar[type[TriggerOptions]] = StatusOptions

    line_id: int
    product_id: int | None = None
    old: str
    new: str
    stage: str = ""
    act: str = ""

    def act_key(self, about: About | None) -> str:
        """Return one key for each change of each line."""
        return f"order:{self.number}:{self.line_id}:{self.act}:{self.new}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow waits for this status."""
        return isinstance(options, StatusOptions) and options.status in ("", self.new)


@dataclass(frozen=True, kw_only=True)
class EventTypeOptions(TriggerOptions):
    """Which type of Oscar's events is meant."""

    type: str = option(
        default="",
        label=pgettext_lazy("triggers", "Type"),
        help_text=pgettext_lazy("triggers", "Name of the event type in Oscar. Empty: any."),
    )


@dataclass(frozen=True, kw_only=True)
class _LinesMoved(OrderEvent):
    """Base of what happened to some units of some lines."""

    options_class: ClassVar[type[TriggerOptions]] = EventTypeOptions

    event_id: int
    #: Name of the event's type, as the shop has it.
    type: str
    stage: str = ""
    #: The lines that it is about, and how many of each.
    lines: tuple[int, ...] = ()
    quantities: tuple[int, ...] = ()

    def act_key(self, about: About | None) -> str:
        """Return one key for each of Oscar's events."""
        return f"order:{self.number}:{self.event_id}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow waits for this type."""
        return isinstance(options, EventTypeOptions) and options.type in ("", self.type)


@events.register
@dataclass(frozen=True, kw_only=True)
class ShippingEventRecorded(_LinesMoved):
    """Something happened to a parcel: one of Oscar's shipping events."""

    kind: ClassVar[str] = "shipping_event"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A shipping event")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "One for each parcel, also where only a part of an order is on its way."
    )


@events.register
@dataclass(frozen=True, kw_only=True)
class PaymentEventRecorded(_LinesMoved):
    """Money moved: one of Oscar's payment events."""

    kind: ClassVar[str] = "payment_event"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A payment event")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "One for each payment or refund, also of a part of an order."
    )

    amount: Decimal = Decimal(0)
