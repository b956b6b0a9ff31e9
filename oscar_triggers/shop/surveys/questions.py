"""The surveys that a shop has: one question each, with stars or from 0 to 10.

A shop adds its own in `triggers.py`:

    questions.register(Survey(name="packing", question=_("How was it packed?")))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import pgettext_lazy

from ...conf import triggers_settings
from ...content.tags import MergeTag, register_tags
from ...exceptions import InvalidOptions
from ...registry import Registry

STARS = "stars"
NPS = "nps"
#: The least and the most that can be answered.
SCALES: Mapping[str, range] = {STARS: range(1, 6), NPS: range(11)}
#: What the merge tags of answers begin with.
_ANSWERS: Mapping[str, str] = {STARS: "star", NPS: "nps"}

#: How the Net Promoter Score groups answers from 0 to 10.
PROMOTER = "promoter"
PASSIVE = "passive"
DETRACTOR = "detractor"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_GROUP = pgettext_lazy("triggers", "Surveys")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """One question that people answer on a page of ours, and may explain."""

    #: A promise kept in rows: also the name of the contact field `survey_<name>`.
    name: str
    question: Any
    #: STARS (1 to 5) or NPS (0 to 10).
    scale: str = STARS
    #: Types of things that letters may ask it about.
    about_types: frozenset[str] = frozenset({"order"})
    #: What the lowest and the highest answer mean, beside the numbers.
    lowest: Any = ""
    highest: Any = ""
    #: Name of the survey that the page of thanks asks next.
    then: str = ""
    #: Whether its merge tags stand directly under `survey`: for the two that ship.
    is_main: bool = False

    @property
    def answers(self) -> range:
        """Return what can be answered."""
        return SCALES[self.scale]

    @property
    def field(self) -> str:
        """Return the contact field that holds the last answer."""
        return f"survey_{self.name}"

    def paths(self, answer: int | None = None) -> list[str]:
        """Return where its merge tags stand: the page, or the page with an answer chosen."""
        where = ["survey"] if self.is_main else ["survey", self.name]
        if answer is not None:
            return [*where, f"{_ANSWERS[self.scale]}_{answer}"]
        return [*where, "nps_url" if self.is_main and self.scale == NPS else "url"]

    def group_of(self, score: int) -> str:
        """Return promoter, passive or detractor for an answer from 0 to 10; "" for stars."""
        if self.scale != NPS:
            return ""
        return PROMOTER if score >= 9 else PASSIVE if score >= 7 else DETRACTOR


registry: Registry[Survey] = Registry(pgettext_lazy("triggers", "survey"))


def register(survey: Survey) -> Survey:
    """Register a survey and its merge tags; the same one again changes nothing."""
    if not _NAME.match(survey.name) or survey.scale not in SCALES:
        raise InvalidOptions(
            f"The survey {survey.name!r} needs a name of small letters, digits and _ (40 at most), "
            f"and the scale {STARS!r} or {NPS!r}, not {survey.scale!r}."
        )
    present = registry.get(survey.name) if survey.name in registry else None
    registry.add(survey.name, present if present == survey and present is not None else survey)
    register_tags(_tags(survey))
    return survey


def choices() -> list[tuple[str, Any]]:
    """Return the surveys with their questions, for editors."""
    return [(name, survey.question) for name, survey in registry.items()]


def _tags(survey: Survey) -> list[MergeTag]:
    labels = {None: pgettext_lazy("triggers", "Survey: link to the page")} | {
        answer: _link(survey.scale, answer) for answer in survey.answers
    }
    return [
        MergeTag(
            path=".".join(survey.paths(answer)),
            label=label,
            group=_GROUP,
            sample=_url,
            about_types=survey.about_types,
        )
        for answer, label in labels.items()
    ]


def _link(scale: str, answer: int) -> Any:
    return _Label(scale, answer)


@dataclass(frozen=True)
class _Label:
    """The name of a link that chooses an answer, in the language of whoever reads it."""

    scale: str
    answer: int

    def __str__(self) -> str:
        said = {
            STARS: pgettext_lazy("triggers", "Survey: link with %(answer)d stars"),
            NPS: pgettext_lazy("triggers", "Survey: link with %(answer)d of 10"),
        }[self.scale]
        return str(said) % {"answer": self.answer}


def _url(language: str) -> str:
    return f"{triggers_settings().base_url}/"


DELIVERY = register(
    Survey(
        name="delivery",
        question=pgettext_lazy("triggers", "How was the delivery of your order?"),
        lowest=pgettext_lazy("triggers", "very bad"),
        highest=pgettext_lazy("triggers", "very good"),
        then="recommend",
        is_main=True,
    )
)

RECOMMEND = register(
    Survey(
        name="recommend",
        question=pgettext_lazy("triggers", "How likely are you to recommend us to a friend?"),
        scale=NPS,
        lowest=pgettext_lazy("triggers", "not at all likely"),
        highest=pgettext_lazy("triggers", "very likely"),
        is_main=True,
    )
)
