"""What a condition can ask of the event that started the flow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..kinds import option
from ..snapshots import Subject, Verdict
from . import comparisons


@conditions.register
@dataclass(frozen=True, kw_only=True)
class EventField(Condition):
    """Compares a field of the event that started the flow, as a basket's value."""

    kind: ClassVar[str] = "event_field"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Compares what the event says of itself, as how much the basket is worth."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "A value of the event")
    needs_event: ClassVar[bool] = True

    field: str = option(
        label=pgettext_lazy("triggers", "Value"),
        help_text=pgettext_lazy(
            "triggers", "Name of the event's field, as in value or line_count."
        ),
    )
    comparison: str = option(
        default="at_least",
        label=pgettext_lazy("triggers", "Comparison"),
        choices=comparisons.choices,
    )
    wanted: str = option(label=pgettext_lazy("triggers", "Compared with"))

    def __post_init__(self) -> None:
        """Refuse a comparison that is none."""
        comparisons.check(self.comparison)

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
        left: Any = str(found)
        right: Any = self.wanted
        try:
            left, right = Decimal(left), Decimal(right)
        except InvalidOperation:
            left, right = str(found), self.wanted
        return Verdict(holds=comparisons.compare(left, self.comparison, right), compared=compared)
