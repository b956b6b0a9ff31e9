"""What people answer, as an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from ... import events
from ...events import Event, TriggerOptions
from ...kinds import option
from ...snapshots import About
from . import questions

_MOST = 10


@dataclass(frozen=True, kw_only=True)
class SurveyAnsweredOptions(TriggerOptions):
    """Which answers start the flow."""

    survey: str = option(
        default="delivery", label=pgettext_lazy("triggers", "Survey"), choices=questions.choices
    )
    at_least: int = option(default=0, label=pgettext_lazy("triggers", "Answer, at least"))
    at_most: int = option(default=_MOST, label=pgettext_lazy("triggers", "Answer, at most"))

    def __post_init__(self) -> None:
        """Refuse numbers that nobody can answer."""
        if not 0 <= self.at_least <= self.at_most <= _MOST:
            raise ValueError(
                pgettext("triggers", "Answers are from 0 to 10, and the least not above the most.")
            )


@events.register
@dataclass(frozen=True, kw_only=True)
class SurveyAnswered(Event):
    """Someone answered a survey; what they wrote beside it is not told."""

    kind: ClassVar[str] = "survey_answered"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Somebody answered the question in a letter."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "A survey was answered")
    about_type: ClassVar[str] = "order"
    options_class: ClassVar[type[TriggerOptions]] = SurveyAnsweredOptions
    is_visit: ClassVar[bool] = True

    survey: str
    score: int
    #: "promoter", "passive" or "detractor" for answers from 0 to 10; "" for stars.
    group: str = ""
    #: Whose answer it is: one person's answers about one thing are one act as long as they agree.
    contact_id: int

    def act_key(self, about: About | None) -> str:
        """Return one key for each answer that differs."""
        return f"{self.episode_key(about)}:{self.score}"

    def episode_key(self, about: About | None) -> str:
        """Return one key for each survey, person and thing: who changes their mind is one case."""
        return f"survey:{self.survey}:{self.contact_id}:{about or ''}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow asked for such an answer."""
        return (
            isinstance(options, SurveyAnsweredOptions)
            and options.survey == self.survey
            and options.at_least <= self.score <= options.at_most
        )
