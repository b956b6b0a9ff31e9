"""What people answered to surveys, summed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet

from ...models import SurveyAnswer
from . import questions


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One survey's answers."""

    survey: str
    question: Any
    #: The highest that can be answered; 0 where nobody knows the survey any more.
    highest: int
    answers: int
    average: float
    #: Net Promoter Score, from -100 to 100; None where the question is not that one.
    promoters_less_detractors: int | None = None


def summaries(answers: QuerySet[SurveyAnswer]) -> list[Summary]:
    """Return the sums of some answers, a survey at a time, by one query."""
    rows = (
        answers.order_by()
        .values("survey")
        .annotate(
            answers=Count("pk"),
            average=Avg("score"),
            # The groups of Survey.group_of().
            promoters=Count("pk", filter=Q(score__gte=9)),
            detractors=Count("pk", filter=Q(score__lt=7)),
        )
        .order_by("survey")
    )
    return [_summary(row) for row in rows]


def _summary(row: Mapping[str, Any]) -> Summary:
    name = row["survey"]
    survey = questions.registry.get(name) if name in questions.registry else None
    is_nps = survey is not None and survey.scale == questions.NPS
    return Summary(
        survey=name,
        question=survey.question if survey is not None else name,
        highest=max(survey.answers) if survey is not None else 0,
        answers=row["answers"],
        average=float(row["average"]),
        promoters_less_detractors=(
            round(100 * (row["promoters"] - row["detractors"]) / row["answers"]) if is_nps else None
        ),
    )
