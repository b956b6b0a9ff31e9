"""What a collapsed block says of itself: its options in one line, as "2 days"."""

from __future__ import annotations

from dataclasses import MISSING, Field
from datetime import timedelta
from typing import Any, get_origin

from oscar_triggers.kinds import Kind

from .options import (
    KEYS,
    VOUCHER,
    WEIGHTS,
    default_of,
    is_condition,
    is_condition_list,
    plain_type,
)

_MOST = 4
#: Formats whose blocks have no words of their own for one line.
_SILENT = frozenset({VOUCHER, WEIGHTS, "multiline"})


def summary_format(options: type[Kind]) -> str | None:
    """Return Wagtail's `label_format` of a kind: what must be said, and what it is compared by.

    None where nothing can be said in one line: Wagtail takes the first words that it finds.
    """
    types = options.option_types()
    simple = [
        option for option in options.option_fields() if _is_simple(option, types[option.name])
    ]
    telling = [
        option
        for option in simple
        if default_of(option) is MISSING
        or option.name == "comparison"
        or option.metadata.get("format") in KEYS
        or isinstance(default_of(option), timedelta)
    ]
    shown = (telling or simple[:2])[:_MOST]
    return " ".join(f"{{{option.name}}}" for option in shown) or None


def _is_simple(option: Field[Any], annotation: Any) -> bool:
    if is_condition(option, annotation) or is_condition_list(option):
        return False
    kind, _nullable = plain_type(annotation)
    return (
        option.metadata.get("format") not in _SILENT
        and kind is not bool
        and get_origin(kind) is None
        and kind not in (tuple, list, dict)
    )
