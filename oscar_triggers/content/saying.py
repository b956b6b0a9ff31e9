"""How a value reads where it stands: its filters, its place, and what a condition makes of it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from . import elements
from .nodes import FilterCall, Place
from .values import Formatter, Money, day_of, formatter

#: How a flavour of output treats what the author wrote, and what a value says.
Flavour = Callable[[str], str]

#: How many texts of one kind are kept as they stand in letters, and the longest of them.
MOST_KEPT = 4_096
LONGEST_KEPT = 300

_NOT_CSS = re.compile(r"[^\w#%.,() -]")
_ADDRESS_ESCAPES = str.maketrans(
    {character: f"%{ord(character):02X}" for character in " \"'()<>\\`{}|^\t\n"}
)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Said(dict[str, str]):
    """Texts as they stand in letters, each treated once: a product is said again and again.

    What a text becomes depends on the text alone, on no reader, language or currency, so one of
    these serves all letters. It forgets everything when it is full.
    """

    def __init__(self, treat: Flavour) -> None:
        super().__init__()
        self._treat = treat

    def __missing__(self, text: str) -> str:
        said = self._treat(text)
        if len(text) <= LONGEST_KEPT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[text] = said
        return said


@lru_cache(maxsize=256)
def said(flavour: Flavour, place: Place, filters: tuple[FilterCall, ...] = ()) -> Said:
    """Return how texts stand at a place behind some filters; `flavour` is a module's function."""
    any_language = formatter("en", "")  # no filter asks it about a text

    def treat(text: str) -> str:
        value: Any = text
        for call in filters:
            value = filtered(call, value, any_language)
        return flavour(_PLACES[place](any_language.text(value)))

    return Said(treat)


def sayer(
    flavour: Flavour, place: Place, filters: tuple[FilterCall, ...]
) -> Callable[[Any, Formatter], str]:
    """Return how any value stands at a place behind some filters, in a reader's language."""
    texts = said(flavour, place)

    def say_plainly(value: Any, form: Formatter) -> str:
        return texts[str(value) if value.__class__ is int else form.text(value)]

    if not filters:
        return say_plainly

    def say(value: Any, form: Formatter) -> str:
        for call in filters:
            value = filtered(call, value, form)
        return texts[form.text(value)]

    return say


def filtered(call: FilterCall, value: Any, form: Formatter) -> Any:
    """Return what a filter makes of a value."""
    name, arguments = call.name, call.arguments
    if name == "default":
        return value if is_true(value) else arguments[0]
    if name == "date":
        return form.day(value, arguments[0] if arguments else "long")
    if name == "time":
        return form.clock(value, arguments[0] if arguments else "short")
    if name == "plural":
        return form.plural(value, arguments)
    if name == "days_until":
        return days_until(value, arguments[0], form)
    text = form.text(value)
    if name == "upper":
        return text.upper()
    if name == "lower":
        return text.lower()
    if name == "capitalize":
        return text[:1].upper() + text[1:]
    limit = int(arguments[0])
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def days_until(value: Any, last: str, form: Formatter) -> int:
    """Return how many days lie between a date and a later one, 0 where it is over."""
    day = form.local(value).date() if isinstance(value, datetime) else value
    end = day_of(last)
    if not isinstance(day, date) or end is None:
        return 0
    return max((end - day).days, 0)


def _address(text: str) -> str:
    address = text.strip()
    if not address.lower().startswith(elements.ADDRESS_SCHEMES):
        return ""
    return address.translate(_ADDRESS_ESCAPES)


_PLACES: dict[Place, Flavour] = {
    Place.TEXT: str,
    Place.ADDRESS: _address,
    Place.ADDRESS_PART: lambda text: text.translate(_ADDRESS_ESCAPES),
    Place.STYLE: lambda text: _NOT_CSS.sub("", text),
}


def is_true(value: Any) -> bool:
    """Return whether a value counts as there: not empty, not zero, not blank text."""
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value)


def compare(left: Any, sign: str, right: Any) -> bool:
    """Compare like with like; what cannot be compared is not equal, and neither more nor less."""
    if isinstance(left, Money) != isinstance(right, Money):
        left = left.amount if isinstance(left, Money) else left
        right = right.amount if isinstance(right, Money) else right
    left, right = _same_days(left, right)
    if sign in ("==", "!="):
        return bool(left == right) == (sign == "==")
    if isinstance(left, Money) and isinstance(right, Money):
        if left.currency != right.currency:
            return False
        left, right = left.amount, right.amount
    numbers = isinstance(left, int | Decimal) and isinstance(right, int | Decimal)
    if not numbers and (type(left) is not type(right) or isinstance(left, list | tuple | Mapping)):
        return False
    try:
        return _COMPARE[sign](left, right)
    except TypeError:
        return False


def _same_days(left: Any, right: Any) -> tuple[Any, Any]:
    """Return a day and a text that writes one as two days; everything else as it is."""
    if type(left) is date and isinstance(right, str):
        return left, day_of(right) or right
    if type(right) is date and isinstance(left, str):
        return day_of(left) or left, right
    return left, right
