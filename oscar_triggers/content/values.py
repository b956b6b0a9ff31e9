"""The plain values that letters are filled with, and how they read in a contact's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal

from ..exceptions import TriggersError

DATE_STYLES = ("short", "medium", "long", "full")

#: Control characters (but tab and newline) and the bidirectional overrides that can make a
#: product title turn the text around it.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


class UnfitValue(TriggersError):
    """A value that is no plain text, number, date, money, list or dict."""


@dataclass(frozen=True, kw_only=True)
class Money:
    """An amount in a currency (ISO 4217, "EUR")."""

    amount: Decimal
    currency: str

    def __bool__(self) -> bool:
        return bool(self.amount)


#: What JSON holds as it is; asked first, for most values are of these.
_OF_JSON = frozenset({str, int, bool, float, type(None)})


def to_json(value: Any) -> Any:
    """Turn merge values into what JSON can hold, so that from_json gives them back."""
    kind = value.__class__
    if kind in _OF_JSON:
        return value
    if kind is dict:
        return {
            key if key.__class__ is str else str(key): (
                item if item.__class__ in _OF_JSON else to_json(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, Money):
        return {"$money": [str(value.amount), value.currency]}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, str | int | float):
        return value
    raise UnfitValue(f"A letter cannot say a {type(value).__name__}; pass plain values.")


def from_json(value: Any) -> Any:
    """Read what to_json wrote."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, item), *_ = value.items()
        if key == "$money":
            return Money(amount=Decimal(item[0]), currency=item[1])
        if key == "$datetime":
            return datetime.fromisoformat(item)
        if key == "$date":
            return date.fromisoformat(item)
        if key == "$decimal":
            return Decimal(item)
    return {key: from_json(item) for key, item in value.items()}


@lru_cache(maxsize=256)
def locale_for(language: str) -> Locale:
    """Return Babel's locale of a language code ("en-gb"), its base's, or English."""
    parts = language.replace("_", "-").split("-")
    for candidate in ("_".join(parts), parts[0]):
        try:
            return Locale.parse(candidate)
        except (ValueError, UnknownLocaleError):
            continue
    return Locale("en")


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


class _Moneys(dict[tuple[Decimal, str], str]):
    """Amounts as they are written in one language."""

    def __init__(self, locale: Locale) -> None:
        super().__init__()
        self._locale = locale

    def __missing__(self, key: tuple[Decimal, str]) -> str:
        amount, currency = key
        text = format_currency(amount, currency, locale=self._locale)
        if amount:  # nothing and less than nothing are equal, and written differently
            if len(self) >= _MOST_MONEYS:
                self.clear()
            self[key] = text
        return text


_MOST_MONEYS = 20_000


@lru_cache(maxsize=256)
def _moneys(locale: Locale) -> _Moneys:
    return _Moneys(locale)


@lru_cache(maxsize=20_000)
def _decimal(number: Decimal, locale: Locale) -> str:
    return format_decimal(number, locale=locale)


@lru_cache(maxsize=2_000)
def _date(day: date, style: Any, locale: Locale) -> str:
    return format_date(day, style, locale=locale)


def day_of(text: str) -> date | None:
    """Return the day that is written as 2030-12-24, None for any other text."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


class Formatter:
    """Turns plain values into text of one language and time zone."""

    def __init__(self, language: str, time_zone: str) -> None:
        self.locale = locale_for(language)
        self.zone = _zone(time_zone)
        self._moneys = _moneys(self.locale)

    def text(self, value: Any) -> str:
        """Return what a reader sees; raises UnfitValue for what is no plain value."""
        if isinstance(value, str):
            return value if value.isprintable() else clean(value)
        if value is None:
            return ""
        if isinstance(value, Money):
            return self._moneys[value.amount, value.currency]
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, Decimal):
            return _decimal(value, self.locale)
        if isinstance(value, datetime):
            return format_datetime(self.local(value), "medium", locale=self.locale)
        if isinstance(value, date):
            return _date(value, "long", self.locale)
        if isinstance(value, list | tuple):
            return ", ".join(self.text(item) for item in value)
        raise UnfitValue(
            f"A letter cannot say a {type(value).__name__}; pass text, numbers, dates or Money."
        )

    def local(self, moment: datetime) -> datetime:
        """Return a moment on the contact's clock; a naive one is taken as UTC."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(self.zone)

    def days_left(self, end: datetime, now: datetime) -> int | None:
        """Return on how many days from now something ends, 0 for today; None once it is over."""
        last, today = self.local(end), self.local(now)
        return None if last < today else (last.date() - today.date()).days

    def day(self, value: Any, style: str) -> str:
        """Return a date, or the day of a moment, in a style of DATE_STYLES."""
        if isinstance(value, datetime):
            value = self.local(value).date()
        if isinstance(value, date):
            return _date(value, style, self.locale)
        return self.text(value)

    def clock(self, value: Any, style: str) -> str:
        """Return the time of day of a moment in a style of DATE_STYLES."""
        if isinstance(value, datetime):
            local = self.local(value)
            return format_time(local, style, tzinfo=self.zone, locale=self.locale)
        return self.text(value)

    def plural(self, value: Any, forms: tuple[str, ...]) -> str:
        """Return the form that goes with a number, by the language's own plural rules.

        Forms stand in CLDR's order without "other" being repeated: one, other in English; one,
        few, many in Russian. The last form stands in for the missing ones.
        """
        number = value.amount if isinstance(value, Money) else value
        if not isinstance(number, int | Decimal):
            return forms[-1]
        rule = self.locale.plural_form
        order = [tag for tag in ("zero", "one", "two", "few", "many") if tag in rule.tags]
        wanted = rule(number)
        position = order.index(wanted) if wanted in order else len(order)
        return forms[min(position, len(forms) - 1)]


@lru_cache(maxsize=256)
def formatter(language: str, time_zone: str) -> Formatter:
    """Return the shared formatter of a language and zone."""
    return Formatter(language, time_zone)


def clean(text: str) -> str:
    """Remove what has no place in a letter: control characters, direction overrides."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("\ufffd", _UNPRINTABLE.sub("", text))


def one_line(text: str) -> str:
    """Return text on one line with single spaces."""
    return " ".join(text.split())
