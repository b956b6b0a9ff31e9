"""Questions about what somebody answered to a survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import conditions
from ...conditions import Condition
from ...engine import contacts
from ...kinds import option
from ...models import SurveyAnswer
from ...snapshots import Subject, Verdict
from . import questions

AT_LEAST = "at_least"
AT_MOST = "at_most"
ANSWERED = "answered"


def _comparisons() -> list[tuple[str, Any]]:
    return [
        (AT_LEAST, pgettext_lazy("triggers", "is at least")),
        (AT_MOST, pgettext_lazy("triggers", "is at most")),
        (ANSWERED, pgettext_lazy("triggers", "was given, whatever it is")),
    ]


@conditions.register
@dataclass(frozen=True, kw_only=True)
class LastAnswer(Condition):
    """What somebody last answered to a survey; who never answered it fits nothing."""

    kind: ClassVar[str] = "survey_answer"
    label: ClassVar[Any] = pgettext_lazy("triggers", "The last answer to a survey")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Who never answered fits nothing: ask that with “not”."
    )

    survey: str = option(
        default="delivery", label=pgettext_lazy("triggers", "Survey"), choices=questions.choices
    )
    comparison: str = option(
        default=AT_LEAST, label=pgettext_lazy("triggers", "Comparison"), choices=_comparisons
    )
    score: int = option(
        default=0,
        label=pgettext_lazy("triggers", "Answer"),
        help_text=pgettext_lazy("triggers", "Stars from 1 to 5, or a number from 0 to 10."),
    )
    same_thing: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Only about the same thing"),
        help_text=pgettext_lazy("triggers", "As about the very order that the flow is about."),
    )
    within: timedelta | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Within the last"),
        help_text=pgettext_lazy("triggers", "Empty: ever."),
    )

    def __post_init__(self) -> None:
        """Refuse a comparison that is none, and a number that nobody can answer."""
        known = (AT_LEAST, AT_MOST, ANSWERED)
        if self.comparison not in known:
            raise ValueError(
                pgettext("triggers", "comparison must be one of %(known)s, not '%(found)s'")
                % {"known": ", ".join(known), "found": self.comparison}
            )
        if not 0 <= self.score <= 10:
            raise ValueError(pgettext("triggers", "Answers are from 0 to 10."))

    def holds_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Answer for a batch in a constant number of queries."""
        people = contacts.same_people(subjects)
        rows = SurveyAnswer.objects.filter(
            survey=self.survey, contact_id__in={pk for ids in people for pk in ids}
        )
        if self.within is not None:
            rows = rows.filter(answered_at__gt=now - self.within)
        answers = list(
            rows.order_by("answered_at", "pk").values(
                "contact_id", "about_type", "about_id", "score", "answered_at"
            )
        )
        verdicts = []
        for one, ids in zip(subjects, people, strict=True):
            mine = [row for row in answers if row["contact_id"] in ids and self._fits(row, one)]
            last = mine[-1] if mine else None
            compared = {
                "survey": self.survey,
                "score": last["score"] if last else None,
                "answered_at": last["answered_at"] if last else None,
                "comparison": self.comparison,
                "wanted": self.score,
            }
            holds = last is not None and self._compare(last["score"])
            verdicts.append(Verdict(holds=holds, compared=compared))
        return verdicts

    def _fits(self, row: Mapping[str, Any], subject: Subject) -> bool:
        about = subject.about
        return not self.same_thing or (row["about_type"], row["about_id"]) == (about.type, about.id)

    def _compare(self, score: int) -> bool:
        if self.comparison == ANSWERED:
            return True
        return score >= self.score if self.comparison == AT_LEAST else score <= self.score
