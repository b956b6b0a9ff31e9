"""How conditions compare numbers: one choice of words for all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from django.utils.translation import pgettext, pgettext_lazy

AT_LEAST = "at_least"

_COMPARISONS: dict[str, tuple[Any, Callable[[Any, Any], bool]]] = {
    AT_LEAST: (pgettext_lazy("triggers", "is at least"), operator.ge),
    "less_than": (pgettext_lazy("triggers", "is less than"), operator.lt),
    "equals": (pgettext_lazy("triggers", "is exactly"), operator.eq),
}


def choices() -> list[tuple[str, Any]]:
    """Return the comparisons with what editors read."""
    return [(name, label) for name, (label, _compare) in _COMPARISONS.items()]


def check(comparison: str) -> None:
    """Refuse a comparison that is none; raises ValueError."""
    if comparison not in _COMPARISONS:
        raise ValueError(
            pgettext("triggers", "comparison must be one of %(known)s, not '%(found)s'")
            % {"known": ", ".join(_COMPARISONS), "found": comparison}
        )


def compare(found: Any, comparison: str, wanted: Any) -> bool:
    """Compare two values of one type."""
    _label, function = _COMPARISONS[comparison]
    return function(found, wanted)
