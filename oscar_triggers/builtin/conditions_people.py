"""What a condition can ask of the contact: fields, tags, language, account, segments."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions
from ..conditions import Condition
from ..engine import fields, segments
from ..kinds import option, parse_duration
from ..models import Contact, ContactTag
from ..policy.zones import zone_of
from ..snapshots import Subject, Verdict

#: Columns of a contact that can be asked like a field; a field of the same name is hidden by it.
COLUMNS = ("first_name", "last_name", "language", "time_zone")

_WITHOUT_VALUE: dict[str, Any] = {
    "is_set": pgettext_lazy("triggers", "is known"),
    "is_empty": pgettext_lazy("triggers", "is not known"),
}
_ABOUT_TEXT: dict[str, Any] = {
    "is": pgettext_lazy("triggers", "is"),
    "is_not": pgettext_lazy("triggers", "is not"),
    "contains": pgettext_lazy("triggers", "contains"),
}
_ABOUT_NUMBERS: dict[str, tuple[Any, Callable[[Any, Any], bool]]] = {
    "at_least": (pgettext_lazy("triggers", "is at least"), operator.ge),
    "less_than": (pgettext_lazy("triggers", "is less than"), operator.lt),
}
_ABOUT_DATES: dict[str, tuple[Any, Callable[[Any, Any], bool]]] = {
    "before": (pgettext_lazy("triggers", "is before the date"), operator.lt),
    "after": (pgettext_lazy("triggers", "is after the date"), operator.gt),
}
_RELATIVE_DATE = re.compile(r"today\s*(?:(?P<sign>[+-])\s*(?P<span>.+))?\Z")


def _comparison_choices() -> list[tuple[str, Any]]:
    return [
        *_WITHOUT_VALUE.items(),
        *_ABOUT_TEXT.items(),
        *((name, label) for name, (label, _compare) in _ABOUT_NUMBERS.items()),
        *((name, label) for name, (label, _compare) in _ABOUT_DATES.items()),
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class ContactField(Condition):
    """Compares what is known of the contact: a field of the shop's own, a name, the language.

    What the contact's field says is no business of a log: the verdict tells a number or yes and
    no as they are, and of text and dates only whether they are the wanted ones, others or none.
    """

    kind: ClassVar[str] = "contact_field"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Compares what the shop knows of the person."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "A field of the contact")

    name: str = option(
        label=pgettext_lazy("triggers", "Field"),
        help_text=pgettext_lazy(
            "triggers", "As in birthday; also first_name, last_name, language, time_zone."
        ),
    )
    comparison: str = option(
        default="is", label=pgettext_lazy("triggers", "Comparison"), choices=_comparison_choices
    )
    wanted: str = option(
        default="",
        label=pgettext_lazy("triggers", "Compared with"),
        help_text=pgettext_lazy(
            "triggers",
            "Text, a number, yes or no; for dates 2030-12-31, today, today - 30d or today + 1w.",
        ),
    )

    def __post_init__(self) -> None:
        """Refuse a comparison that is none, and a number or date that is none."""
        known = [name for name, _label in _comparison_choices()]
        if self.comparison not in known:
            raise ValueError(
                pgettext("triggers", "comparison must be one of %(known)s, not '%(found)s'")
                % {"known": ", ".join(known), "found": self.comparison}
            )
        if self.name not in COLUMNS:
            fields.check_name(self.name)
        if self.comparison in _WITHOUT_VALUE:
            return
        if not self.wanted.strip():
            raise ValueError(pgettext("triggers", "say what the field is compared with"))
        if self.comparison in _ABOUT_NUMBERS and _number(self.wanted) is None:
            raise ValueError(
                pgettext("triggers", "'%(text)s' is not a number") % {"text": self.wanted}
            )
        if self.comparison in _ABOUT_DATES:
            wanted_date(self.wanted, date(2000, 1, 1))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Ask the database once."""
        known = {
            row["pk"]: row
            for row in Contact.objects.filter(pk__in={one.contact_id for one in subjects}).values(
                "pk", "fields", *COLUMNS
            )
        }
        return [self._verdict(one, self._found(known.get(one.contact_id)), now) for one in subjects]

    def _found(self, row: dict[str, Any] | None) -> Any:
        if row is None:
            return None
        return row[self.name] if self.name in COLUMNS else (row["fields"] or {}).get(self.name)

    def _verdict(self, subject: Subject, found: Any, now: datetime) -> Verdict:
        compared: dict[str, Any] = {"field": self.name, "comparison": self.comparison}
        empty = found is None or found == ""
        if self.comparison in _WITHOUT_VALUE:
            compared["found"] = "nothing" if empty else "something"
            return Verdict(holds=empty == (self.comparison == "is_empty"), compared=compared)
        compared["wanted"] = self.wanted
        if self.comparison in _ABOUT_DATES:
            today = now.astimezone(zone_of(subject.time_zone, subject.phones, subject.site_id))
            holds, told = self._compare_dates(found, today.date(), compared)
        elif self.comparison in _ABOUT_NUMBERS:
            holds, told = self._compare_numbers(found)
        else:
            holds, told = self._compare_text("" if empty else found)
        compared["found"] = "nothing" if empty else told
        return Verdict(holds=holds, compared=compared)

    def _compare_dates(self, found: Any, today: date, compared: dict[str, Any]) -> tuple[bool, str]:
        wanted = wanted_date(self.wanted, today)
        compared["wanted"] = wanted
        try:
            day = date.fromisoformat(str(found)[:10])
        except ValueError:
            return False, "no date"
        _label, compare = _ABOUT_DATES[self.comparison]
        if day == wanted:
            return compare(day, wanted), "that day"
        return compare(day, wanted), "an earlier day" if day < wanted else "a later day"

    def _compare_numbers(self, found: Any) -> tuple[bool, Any]:
        number = None if isinstance(found, bool) else _number(found)
        if number is None:
            return False, "no number"
        _label, compare = _ABOUT_NUMBERS[self.comparison]
        return compare(number, _number(self.wanted)), number

    def _compare_text(self, found: Any) -> tuple[bool, Any]:
        if isinstance(found, bool):
            same: bool = found == _YES_OR_NO.get(self.wanted.strip().lower())
            return same == (self.comparison == "is"), found
        text, wanted = str(found).strip().lower(), self.wanted.strip().lower()
        if self.comparison == "contains":
            return wanted in text, "something with it" if wanted in text else "something else"
        same = text == wanted
        if not isinstance(found, str):
            # 1 and "1.0" are one number.
            same = _number(found) == _number(wanted)
        told = found if same or not isinstance(found, str) else "something else"
        return same == (self.comparison == "is"), told


_YES_OR_NO = {
    "yes": True, "true": True, "1": True, "on": True,
    "no": False, "false": False, "0": False, "off": False,
}  # fmt: skip


def wanted_date(text: str, today: date) -> date:
    """Read "2030-12-31", "today", "today - 30d" or "today + 1w"; raises ValueError for others.

    Of a duration only whole days count.
    """
    match = _RELATIVE_DATE.match(text.strip().lower())
    if match is None:
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            raise ValueError(
                pgettext(
                    "triggers",
                    "'%(text)s' is no date; write it like 2030-12-31, today or today - 30d",
                )
                % {"text": text}
            ) from None
    if match["span"] is None:
        return today
    days = timedelta(days=parse_duration(match["span"]).days)
    return today + days if match["sign"] == "+" else today - days


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@conditions.register
@dataclass(frozen=True, kw_only=True)
class HasTag(Condition):
    """Asks whether the contact carries a tag."""

    kind: ClassVar[str] = "has_tag"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Whether the person carries a mark that a flow or the shop gave them."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Has a tag")

    tag: str = option(label=pgettext_lazy("triggers", "Tag"))

    def __post_init__(self) -> None:
        """Refuse what cannot be a tag."""
        fields.check_tag(self.tag)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Ask the database once."""
        tag = fields.check_tag(self.tag)
        tagged = set(
            ContactTag.objects.filter(
                contact_id__in={one.contact_id for one in subjects}, tag=tag
            ).values_list("contact_id", flat=True)
        )
        return [
            Verdict(
                holds=one.contact_id in tagged,
                compared={"tag": tag, "has_tag": one.contact_id in tagged},
            )
            for one in subjects
        ]


def _segment_choices() -> list[tuple[str, Any]]:
    return [(key, segment.label) for key, segment in segments.known().items()]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class InSegment(Condition):
    """Asks whether the contact belongs to a group that the shop named."""

    kind: ClassVar[str] = "in_segment"
    label: ClassVar[Any] = pgettext_lazy("triggers", "Belongs to a segment")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Segments are groups of people that editors saved, or the shop's settings name."
    )

    segment: str = option(label=pgettext_lazy("triggers", "Segment"), choices=_segment_choices)

    def __post_init__(self) -> None:
        """Refuse a segment that nobody named."""
        segments.get(self.segment)

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Ask the segment once for all."""
        return [
            Verdict(
                holds=verdict.holds, compared={"segment": self.segment, **dict(verdict.compared)}
            )
            for verdict in segments.get(self.segment).contains_many(subjects, now)
        ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class IsCustomer(Condition):
    """Asks whether the contact has an account in the shop."""

    kind: ClassVar[str] = "is_customer"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Whether the person registered, or is a guest."
    )
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
    description: ClassVar[Any] = pgettext_lazy("triggers", "Which language the person reads.")
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
