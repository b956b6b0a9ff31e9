"""Made-up instances of any kind, from what its options say about themselves."""

from __future__ import annotations

import types
from dataclasses import MISSING
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Union, get_args, get_origin

from hypothesis import assume
from hypothesis import strategies as st

from oscar_triggers.exceptions import TriggersError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
#: What options of a format may hold; others are as their type says.
FORMATS: dict[str, Any] = {
    "condition": st.sampled_from([{"kind": "is_customer"}, {"kind": "speaks", "language": "de"}]),
    "conditions": st.lists(st.just({"kind": "is_customer"}), min_size=1, max_size=2),
    "weights": st.sampled_from([{"a": 50, "b": 50}, {"a": 1, "b": 0, "c": 3}]),
    "voucher": st.sampled_from([{"percent": 10, "valid": "7d"}]),
    "email": st.sampled_from(["", "help@shop.example"]),
    "template": st.sampled_from(["card", "letter-1"]),
}

#: Options whose values must be known somewhere.
NAMES: dict[str, Any] = {
    "segment": st.just("vip"),
    "tag": st.sampled_from(["vip", "tea drinker"]),
    "field": st.sampled_from(["birthday", "size"]),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a type that options have."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return st.none() | values(inner[0])
    if origin in (tuple, list):
        items = st.lists(values(get_args(annotation)[0]), max_size=3)
        return items.map(tuple) if origin is tuple else items
    simple: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-5, 400),
        float: st.floats(-10, 400, allow_nan=False),
        Decimal: st.decimals(0, 1000, places=2),
        str: TEXT,
        timedelta: st.integers(1, 400 * 86_400).map(lambda n: timedelta(seconds=n)),
        time: st.integers(0, 1439).map(lambda n: time(n // 60, n % 60)),
        date: st.dates(date(2020, 1, 1), date(2040, 1, 1)),
        datetime: st.sampled_from([datetime(2030, 3, 31, 1, 30, tzinfo=UTC)]),
    }
    if origin is dict:
        return st.just({"kind": "is_customer"})
    return simple[annotation]


@st.composite
def instances(draw: st.DrawFn, kind: type[Any]) -> Any:
    """Return an instance of a kind whose options it accepts."""
    for _try in range(8):
        chosen: dict[str, Any] = {}
        for field in kind.option_fields():
            if draw(st.booleans()) and _has_default(field):
                continue
            chosen[field.name] = draw(_strategy(kind, field))
        try:
            return kind(**chosen)
        except (ValueError, TypeError, TriggersError):
            continue
    assume(False)
    return None


def _has_default(field: Any) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _strategy(kind: type[Any], field: Any) -> st.SearchStrategy[Any]:
    choices = field.metadata.get("choices")
    if choices is not None:
        known = [value for value, _label in (choices() if callable(choices) else choices)]
        if known:
            return st.sampled_from(known)
    if field.name in NAMES and kind.option_types()[field.name] is str:
        return st.one_of(NAMES[field.name], TEXT)
    format_ = field.metadata.get("format", "")
    if format_ in FORMATS:
        return FORMATS[format_]
    return values(kind.option_types()[field.name])
