"""A shop's own extension in one file: discovered by its name, as `admin.py` is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from oscar_triggers import channels, conditions, events, steps
from oscar_triggers.channels import Channel, Parcel, Receipt
from oscar_triggers.channels import Outcome as Answer
from oscar_triggers.conditions import Condition
from oscar_triggers.content import context, stores
from oscar_triggers.content.context import ContextProvider, Provided
from oscar_triggers.content.stores import Store, StoreSource
from oscar_triggers.content.tags import MergeTag, register_tags
from oscar_triggers.events import Event
from oscar_triggers.kinds import option
from oscar_triggers.shop.surveys import questions
from oscar_triggers.shop.surveys.questions import Survey
from oscar_triggers.snapshots import Subject, Verdict
from oscar_triggers.steps import Advance, Outcome, Step, StepVisit


@events.register
@dataclass(frozen=True, kw_only=True)
class GiftCardExpiring(Event):
    """A gift card will soon be worth nothing."""

    kind: ClassVar[str] = "gift_card_expiring"
    description: ClassVar[Any] = _("A gift card will soon be worth nothing.")
    label: ClassVar[Any] = _("A gift card is about to expire")
    about_type: ClassVar[str] = "gift_card"

    code: str
    expires_on: date


@conditions.register
@dataclass(frozen=True, kw_only=True)
class CardBeginsWith(Condition):
    """Asks how the code of the gift card begins."""

    kind: ClassVar[str] = "card_begins_with"
    description: ClassVar[Any] = _("Asks how the code of the gift card begins.")
    needs_event: ClassVar[bool] = True
    label: ClassVar[Any] = _("The gift card's code begins with")

    letters: str = option(label=_("Letters"))

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Compare the first letters."""
        code = str(subject.payload.get("code", ""))
        return Verdict(holds=code.startswith(self.letters), compared={"code": code})


@steps.register
@dataclass(frozen=True, kw_only=True)
class RingTheBell(Step):
    """Rings the bell on the shop's counter."""

    kind: ClassVar[str] = "ring_the_bell"
    description: ClassVar[Any] = _("Rings the bell in the shop.")
    label: ClassVar[Any] = _("Ring the bell")
    rung: ClassVar[list[int]] = []

    times: int = option(default=1, label=_("How often"))

    def run(self, visit: StepVisit, now: datetime) -> Outcome:
        """Ring, and go on."""
        self.rung.extend([visit.subject.contact_id] * self.times)
        return Advance()


@channels.register
@dataclass(frozen=True, kw_only=True)
class CounterScreen(Channel):
    """Shows a message on the screen of a counter, where its customer sits."""

    kind: ClassVar[str] = "counter_screen"
    label: ClassVar[Any] = _("Screen at the counter")
    #: What a screen holds.
    longest: ClassVar[int] = 300
    #: The screens hang on a mobile network, whose provider bills each segment.
    counts_segments: ClassVar[bool] = True
    shown: ClassVar[list[tuple[str, str]]] = []

    def normalise(self, value: str) -> str:
        """Return the screen's number, without zeros in front; raises ValueError."""
        return str(int(value))

    def send(self, parcel: Parcel) -> Receipt:
        """Show the text."""
        self.shown.append((parcel.to, parcel.text))
        return Receipt(dispatch_id=parcel.dispatch_id, outcome=Answer.SENT, provider="screens")


@context.register
class GiftCards(ContextProvider):
    """Tells letters about the gift card."""

    about_types = frozenset({"gift_card"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return the code and the day."""
        return [
            Provided(
                values={
                    "gift_card": {
                        "code": subject.payload["code"],
                        "expires_on": date.fromisoformat(subject.payload["expires_on"]),
                    }
                }
            )
            for subject in subjects
        ]


register_tags(
    [
        MergeTag(path="gift_card.code", label=_("Code"), group=_("Gift card"), sample="GIFT-4711"),
        MergeTag(
            path="gift_card.expires_on",
            label=_("Last day"),
            group=_("Gift card"),
            sample=date(2030, 5, 1),
        ),
    ]
)

questions.register(
    Survey(
        name="packing",
        question=_("How was your parcel packed?"),
        lowest=_("badly"),
        highest=_("well"),
    )
)


@stores.register
class Counters(StoreSource):
    """The shop's counters in town, as the shop notes them: they go before Oscar's partners."""

    name = "counters"
    opened: ClassVar[list[Store]] = []

    def stores(self, site_id: int | None) -> Sequence[Store]:
        """Return those that are open to the public."""
        return self.opened
