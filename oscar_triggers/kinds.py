"""What events, conditions, steps and channels share: a kind, and typed options that become JSON.

A kind is a frozen dataclass with a `kind` string. Its fields are its options: they are written
to rows as JSON together with the class's `schema_version`, and read back through `upgrade()`.
"""

from __future__ import annotations

import hashlib
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

from django.utils.translation import pgettext

from .exceptions import InvalidOptions

VERSION_KEY = "_schema"

#: Ten years: what is added to a date must stay a date.
_LONGEST_DURATION = timedelta(days=3_660)
_DURATION_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?\Z")
_DURATION = re.compile(r"(\d+)\s*([wdhms])\s*")


def parse_duration(text: str) -> timedelta:
    """Read "1d 2h 30m" (weeks, days, hours, minutes, seconds); raises ValueError otherwise."""
    rest = text.strip()
    seconds = 0
    position = 0
    while position < len(rest):
        match = _DURATION.match(rest, position)
        if match is None:
            raise ValueError(
                pgettext(
                    "triggers",
                    "'%(text)s' is not a duration; write it like '1h', '2d' or '1d 12h'.",
                )
                % {"text": text}
            )
        seconds += int(match[1]) * _DURATION_UNITS[match[2]]
        position = match.end()
    if not rest:
        raise ValueError(
            pgettext("triggers", "A duration is missing; write it like '1h', '2d' or '1d 12h'.")
        )
    if seconds > _LONGEST_DURATION.total_seconds():
        raise ValueError(
            pgettext("triggers", "'%(text)s' is too long; the longest is %(days)dd.")
            % {"text": text, "days": _LONGEST_DURATION.days}
        )
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration the way parse_duration reads it, to the second."""
    seconds = int(duration.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _DURATION_UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def read_time(value: Any) -> time:
    """Read a time of day, "21:30"; raises ValueError.

    YAML reads an unquoted 21:30 as the number 1290 (minutes): that is understood too.
    """
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    # A form's field for a time adds the seconds.
    match = _TIME.match(str(value).strip())
    if match is None:
        raise ValueError(
            pgettext("triggers", "'%(text)s' is not a time of day; write it like '09:30'")
            % {"text": value}
        )
    return time(int(match[1]), int(match[2]))


_AS_IT_IS = frozenset({int, bool, type(None)})


def to_json(value: Any) -> Any:
    """Turn any value into what JSON and both databases can hold.

    Decimals and moments become strings, and so does whatever JSON does not know.
    """
    kind = type(value)
    # What nearly everything is, before the long way; every letter has some forty values.
    if kind is str:
        return clean_text(value)
    if kind is int or kind is bool or value is None:
        return value
    if kind is dict:
        return {
            key if type(key) is str and key.isprintable() else clean_text(str(key)): (
                # Without a call for what most values are: every letter has dozens.
                item
                if type(item) in _AS_IT_IS or (type(item) is str and item.isprintable())
                else to_json(item)
            )
            for key, item in value.items()
        }
    if kind is list:
        return [to_json(item) for item in value]
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Kind):
        return {"kind": value.kind, **value.to_options()}
    if isinstance(value, list | tuple | frozenset | set):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {clean_text(str(key)): to_json(item) for key, item in value.items()}
    return clean_text(str(value))


def clean_text(text: str) -> str:
    """Return text without what PostgreSQL refuses: NUL and halves of surrogate pairs."""
    return text if text.isprintable() else _UNSTORABLE.sub("", text)


def from_json(annotation: Any, value: Any) -> Any:
    """Turn one JSON value into the annotated type; raises ValueError when it does not fit."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        options = [arg for arg in get_args(annotation) if arg is not type(None)]
        if value is None:
            if len(options) == len(get_args(annotation)):
                raise ValueError(pgettext("triggers", "a value is missing"))
            return None
        return from_json(options[0], value)
    if annotation is Any:
        return value
    if origin is tuple or origin is list:
        if not isinstance(value, list | tuple):
            raise ValueError(
                pgettext("triggers", "expected a list, got %(value)r") % {"value": value}
            )
        item_type = get_args(annotation)[0]
        items = [from_json(item_type, item) for item in value]
        return tuple(items) if origin is tuple else items
    if origin is dict or annotation is dict:
        if not isinstance(value, Mapping):
            raise ValueError(
                pgettext("triggers", "expected a mapping, got %(value)r") % {"value": value}
            )
        return dict(value)
    return _scalar_from_json(annotation, value)


def _scalar_from_json(annotation: Any, value: Any) -> Any:
    if annotation is bool:
        if isinstance(value, bool):
            return value
        raise ValueError(
            pgettext("triggers", "expected yes or no, got %(value)r") % {"value": value}
        )
    if annotation is int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(
                pgettext("triggers", "expected a whole number, got %(value)r") % {"value": value}
            )
        return int(value)
    if annotation is Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ValueError(
                pgettext("triggers", "expected a number, got %(value)r") % {"value": value}
            ) from None
        if not number.is_finite():
            raise ValueError(
                pgettext("triggers", "expected a number, got %(value)r") % {"value": value}
            )
        return number
    if annotation is float:
        if not math.isfinite(float(value)):
            raise ValueError(
                pgettext("triggers", "expected a number, got %(value)r") % {"value": value}
            )
        return float(value)
    if annotation is timedelta:
        return value if isinstance(value, timedelta) else parse_duration(str(value))
    if annotation is datetime:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if annotation is date:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if annotation is time:
        return read_time(value)
    if annotation is str:
        if not isinstance(value, str):
            raise ValueError(
                pgettext("triggers", "expected text, got %(value)r") % {"value": value}
            )
        return value
    return value


def shortened(key: str, length: int) -> str:
    """Return a key that fits a column: a long one is cut, and told from others by its hash."""
    if len(key) <= length:
        return key
    return f"{key[: length - 33]}:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def option(
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    label: Any = "",
    help_text: Any = "",
    choices: Callable[[], list[tuple[str, Any]]] | None = None,
    format: str = "",  # noqa: A002 - the word of JSON Schema for the same thing
) -> Any:
    """Declare one option with what an editor's form needs to show it.

    `format` names a form field where the type alone does not tell: "template" (a template's
    key), "multiline", "email".
    """
    metadata = {"label": label, "help_text": help_text, "choices": choices, "format": format}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    if default is not MISSING:
        return field(default=default, metadata=metadata)
    return field(metadata=metadata)


K = TypeVar("K", bound="Kind")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Base of everything that is registered under a kind and has typed options."""

    #: A promise kept in rows: never renamed once it shipped.
    kind: ClassVar[str] = ""
    #: What editors read.
    label: ClassVar[Any] = ""
    #: One sentence of help below the label.
    description: ClassVar[Any] = ""
    #: Raised when the meaning of stored options changes; `upgrade` reads older ones.
    schema_version: ClassVar[int] = 1

    @classmethod
    def upgrade(cls, options: dict[str, Any], version: int) -> dict[str, Any]:
        """Turn options written by an older schema_version into today's; nothing by default."""
        return options

    @classmethod
    def option_fields(cls) -> tuple[Field[Any], ...]:
        """Return the dataclass fields that are options."""
        assert is_dataclass(cls)
        return fields(cls)

    @classmethod
    @cache
    def option_types(cls) -> Mapping[str, Any]:
        """Return the resolved annotation of each option; classes do not change."""
        hints = typing.get_type_hints(cls)
        return {f.name: hints[f.name] for f in cls.option_fields()}

    def to_options(self) -> dict[str, Any]:
        """Return the options as JSON values, with their schema version when it is not 1."""
        options = {f.name: to_json(getattr(self, f.name)) for f in self.option_fields()}
        if self.schema_version != 1:
            options[VERSION_KEY] = self.schema_version
        return options

    @classmethod
    def from_options(cls: type[K], stored: Mapping[str, Any]) -> K:
        """Build an instance from JSON options; raises InvalidOptions naming what does not fit."""
        options = dict(stored)
        options.pop("kind", None)
        version = options.pop(VERSION_KEY, 1)
        if version != cls.schema_version:
            options = cls.upgrade(options, version)
        hints = cls.option_types()
        unknown = sorted(set(options) - set(hints))
        if unknown:
            raise InvalidOptions(
                pgettext("triggers", "'%(kind)s' has no option %(unknown)s (it has: %(known)s).")
                % {
                    "kind": cls.kind,
                    "unknown": ", ".join(unknown),
                    "known": ", ".join(hints) or "–",
                }
            )
        values: dict[str, Any] = {}
        for option in cls.option_fields():
            if option.name not in options:
                if option.default is MISSING and option.default_factory is MISSING:
                    raise InvalidOptions(
                        pgettext("triggers", "'%(kind)s' needs the option '%(option)s'.")
                        % {"kind": cls.kind, "option": option.name}
                    )
                continue
            try:
                values[option.name] = from_json(hints[option.name], options[option.name])
            except (ValueError, TypeError) as error:
                raise InvalidOptions(
                    pgettext("triggers", "'%(kind)s', option '%(option)s': %(problem)s")
                    % {"kind": cls.kind, "option": option.name, "problem": error}
                ) from error
        try:
            return cls(**values)
        except ValueError as error:
            raise InvalidOptions(f"{cls.kind!r}: {error}") from error
