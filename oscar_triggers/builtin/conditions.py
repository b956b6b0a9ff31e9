"""What a condition can ask of the event that started the flow."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..kinds import option
from ..snapshots import Subject, Verdict

_COMPARISONS: dict[str, tuple[Any, Callable[[Any, Any], bool]]] = {
    "at_least": (pgettext_lazy("triggers", "is at least"), operator.ge),
    "less_than": (pgettext_lazy("triggers", "is less than"), operator.lt),
    "equals": (pgettext_lazy("triggers", "is exactly"), operator.eq),
}


def _comparison_choices() -> list[tuple[str, Any]]:
    return [(name, label) for name, (label, _compare) in _COMPARISONS.items()]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class EventField(Condition):
    """Compares a field of the event that started the flow, as a basket's value."""

    kind: ClassVar[str] = "event_field"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A value of the event")

    field: str = option(
        label=pgettext_lazy("triggers", "Value"),
        help_text=pgettext_lazy(
            "triggers", "Name of the event's field, as in value or line_count."
        ),
    )
    comparison: str = option(
        default="at_least",
        label=pgettext_lazy("triggers", "Comparison"),
        choices=_comparison_choices,
    )
    wanted: str = option(label=pgettext_lazy("triggers", "Compared with"))

    def __post_init__(self) -> None:
        """Refuse a comparison that is none."""
        if self.comparison not in _COMPARISONS:
            raise ValueError(
                pgettext("triggers", "comparison must be one of %(known)s, not '%(found)s'")
                % {"known": ", ".join(_COMPARISONS), "found": self.comparison}
            )

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Compare as numbers where both sides are numbers, else as text."""
        found = subject.payload.get(self.field)
        compared = {
            "field": self.field,
            "found": found,
            "comparison": self.comparison,
            "wanted": self.wanted,
        }
        if found is None:
            return Verdict(holds=False, compared=compared)
        _label, compare = _COMPARISONS[self.comparison]
        try:
            return Verdict(
                holds=compare(Decimal(str(found)), Decimal(self.wanted)), compared=compared
            )
        except InvalidOperation:
            return Verdict(holds=compare(str(found), self.wanted), compared=compared)
