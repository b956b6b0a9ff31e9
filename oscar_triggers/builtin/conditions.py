"""The conditions that ship and need no Oscar."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..kinds import option
from ..models import Contact
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


@conditions.register
@dataclass(frozen=True, kw_only=True)
class IsCustomer(Condition):
    """Asks whether the contact has an account in the shop."""

    kind: ClassVar[str] = "is_customer"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has an account")

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Ask the database once."""
        members = set(
            Contact.objects.filter(
                pk__in={subject.contact_id for subject in subjects}, user__isnull=False
            ).values_list("pk", flat=True)
        )
        return [
            Verdict(
                holds=subject.contact_id in members,
                compared={"has_account": subject.contact_id in members},
            )
            for subject in subjects
        ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class Speaks(Condition):
    """Asks for the contact's language."""

    kind: ClassVar[str] = "speaks"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Speaks a language")

    language: str = option(
        label=pgettext_lazy("triggers", "Language"),
        help_text=pgettext_lazy("triggers", "A language code, as in de or en-gb."),
    )

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Say yes to the language itself and to its regional forms."""
        found = subject.language.lower()
        wanted = self.language.lower()
        return Verdict(
            holds=found == wanted or found.startswith(f"{wanted}-"),
            compared={"language": subject.language, "wanted": self.language},
        )
