"""What the flows that ship are called and do, in the words of whoever looks at them.

A flow's file is one for all languages and stays as it is; what it says of itself in English is said
here once more, so that it can be translated.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext_lazy

from oscar_triggers.content.presets import Preset

#: By name: the flow's own name, and what its file says first.
WORDS: dict[str, tuple[Any, Any]] = {
    "abandoned-basket": (
        pgettext_lazy("triggers", "Abandoned basket"),
        pgettext_lazy(
            "triggers",
            "A basket left behind: a reminder after an hour, help a day later, a personal voucher after three.",
        ),
    ),
    "back-in-stock": (
        pgettext_lazy("triggers", "Back in stock"),
        pgettext_lazy(
            "triggers",
            "Somebody asked to be told when a product is back: first come, first served, as many at a time as there are units.",
        ),
    ),
    "delivery-rating": (
        pgettext_lazy("triggers", "How was the delivery?"),
        pgettext_lazy(
            "triggers",
            "A week after an order was received or fetched: how was the delivery? One question with stars; the answer becomes the contact field survey_delivery, and flows on `survey_answered` can go on from it.",
        ),
    ),
    "discontinued": (
        pgettext_lazy("triggers", "Gone, but these are like it"),
        pgettext_lazy(
            "triggers",
            "A product that somebody waits for was hidden for a week: it will not come back, but these are like it.",
        ),
    ),
    "order-paid": (
        pgettext_lazy("triggers", "Order paid"),
        pgettext_lazy(
            "triggers",
            "An order was paid: a receipt of the payment with everything that was ordered.",
        ),
    ),
    "order-ready": (
        pgettext_lazy("triggers", "Order ready for pick-up"),
        pgettext_lazy(
            "triggers",
            "An order can be fetched: its number, what is in it, and until when it is kept, where that is known.",
        ),
    ),
    "order-shipped": (
        pgettext_lazy("triggers", "Order shipped"),
        pgettext_lazy(
            "triggers",
            "An order was shipped: what is in the parcel, its number where one was noted, and the order's page.",
        ),
    ),
    "period-ending": (
        pgettext_lazy("triggers", "A paid period ends"),
        pgettext_lazy(
            "triggers",
            "What somebody paid for ends: a letter a week before, one the day before, and one on the last day.",
        ),
    ),
    "pickup-ending": (
        pgettext_lazy("triggers", "Storage of an order ends"),
        pgettext_lazy(
            "triggers",
            "An order that waits to be fetched will soon not be kept any more: a reminder two days before.",
        ),
    ),
    "price-drop": (
        pgettext_lazy("triggers", "Cheaper now"),
        pgettext_lazy(
            "triggers",
            "What somebody looked at, wished for or left in the basket costs less than they last saw.",
        ),
    ),
    "price-reached": (
        pgettext_lazy("triggers", "The price that was waited for"),
        pgettext_lazy(
            "triggers",
            "Somebody asked to be told when a product is cheaper, perhaps at a price of their own.",
        ),
    ),
    "request-confirmation": (
        pgettext_lazy("triggers", "Confirm a request to be told"),
        pgettext_lazy(
            "triggers",
            "A guest asked to be told of a product: the letter whose link confirms the address.",
        ),
    ),
    "review-request": (
        pgettext_lazy("triggers", "Ask for reviews"),
        pgettext_lazy(
            "triggers",
            "Eight days after an order arrived, its buyer is asked for reviews, and reminded once.",
        ),
    ),
    "review-thanks": (
        pgettext_lazy("triggers", "Thanks for a review"),
        pgettext_lazy(
            "triggers",
            "Thanks as soon as a review is shown in the shop, with an invitation to tell it in social networks.",
        ),
    ),
    "thanks": (
        pgettext_lazy("triggers", "Thanks for an order"),
        pgettext_lazy(
            "triggers",
            "Thanks for an order, other words for the first one, and later how to care for it and what goes with it.",
        ),
    ),
    "unpaid-order": (
        pgettext_lazy("triggers", "Unpaid order"),
        pgettext_lazy(
            "triggers",
            "An order is not paid: the way back to the payment after three hours, and once more a day later.",
        ),
    ),
    "welcome": (
        pgettext_lazy("triggers", "Welcome"),
        pgettext_lazy(
            "triggers",
            "Somebody opened an account: a word of thanks, without adverts, so that it may go to everybody.",
        ),
    ),
}


def title_of(preset: Preset) -> str:
    """Return what a flow that ships is called."""
    return str(WORDS[preset.name][0]) if preset.name in WORDS else preset.definition.name


def about_of(preset: Preset) -> str:
    """Return what a flow that ships does, in a sentence."""
    return str(WORDS[preset.name][1]) if preset.name in WORDS else preset.about
