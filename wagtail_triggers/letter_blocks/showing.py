"""To whom a block is shown: questions about a letter's own values, which become `{% if %}`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import pgettext_lazy

from oscar_triggers.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Showing:
    """One question; with a number where it asks for one."""

    name: str
    label: Any
    #: As in `{% if … %}`; `%s` stands for the number.
    asks: str
    #: What an editor reads of the number, empty where there is none.
    number: Any = ""


registry: Registry[Showing] = Registry("question to whom a block is shown")


def register_showings(showings: Iterable[Showing]) -> None:
    """Offer questions in the settings of every block."""
    for one in showings:
        present = registry.get(one.name) if one.name in registry else None
        registry.add(one.name, present if present == one and present is not None else one)


def showing_choices() -> list[tuple[str, Any]]:
    """Return the questions, those with a number marked by an ellipsis."""
    return [(one.name, one.label) for one in registry.values()]


def needs_number(name: str) -> bool:
    """Say whether a question asks for a number."""
    return name in registry and bool(registry.get(name).number)


def asked(name: str, number: Any) -> str:
    """Return what stands in `{% if … %}`; "" for a block that everybody sees.

    A question that nobody registers any more is asked of nothing: the block is shown to nobody,
    which publishing names.
    """
    if not name:
        return ""
    if name not in registry:
        return "shop.name == false"
    question = registry.get(name)
    if not question.number:
        return question.asks
    return question.asks.replace("%s", _plain(number))


def _plain(number: Any) -> str:
    try:
        value = Decimal(str(number))
    except InvalidOperation:
        return "0"
    return format(value, "f") if value.is_finite() else "0"


register_showings(
    [
        Showing(
            name="first_name",
            label=pgettext_lazy("triggers", "whose first name is known"),
            asks="contact.first_name",
        ),
        Showing(
            name="no_first_name",
            label=pgettext_lazy("triggers", "whose first name is not known"),
            asks="not contact.first_name",
        ),
        Showing(
            name="new_customer",
            label=pgettext_lazy("triggers", "who have not ordered yet"),
            asks="contact.orders_count == 0",
        ),
        Showing(
            name="experienced_customer",
            label=pgettext_lazy("triggers", "who ordered at least so many times:"),
            asks="contact.orders_count >= %s",
            number=pgettext_lazy("triggers", "Orders"),
        ),
        Showing(
            name="basket_worth",
            label=pgettext_lazy("triggers", "whose basket is worth at least:"),
            asks="basket.total >= %s",
            number=pgettext_lazy("triggers", "Amount"),
        ),
        Showing(
            name="basket_below",
            label=pgettext_lazy("triggers", "whose basket is worth less than:"),
            asks="basket.total < %s",
            number=pgettext_lazy("triggers", "Amount"),
        ),
        Showing(
            name="has_voucher",
            label=pgettext_lazy("triggers", "to whom the letter gives a voucher"),
            asks="voucher.code",
        ),
        Showing(
            name="no_voucher",
            label=pgettext_lazy("triggers", "to whom it gives none"),
            asks="not voucher.code",
        ),
    ]
)
