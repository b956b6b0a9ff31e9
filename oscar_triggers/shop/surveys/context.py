"""What letters say of surveys: the addresses of their pages, with an answer chosen or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation

from ...conf import site_settings
from ...content import context
from ...content.context import Provided
from ...snapshots import Subject
from .. import pictures
from . import links, questions
from .links import Invitation


@context.register
class SurveyContext(context.ContextProvider):
    """Links to the surveys about such a thing; reads nothing."""

    name = "survey"
    only_for = "survey"

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject, in their order."""
        return [_provide(subject) for subject in subjects]


def _provide(subject: Subject) -> Provided:
    asked = [one for one in questions.registry.values() if subject.about.type in one.about_types]
    if not asked:
        return Provided()
    base_url = site_settings(subject.site_id).base_url
    values: dict[str, Any] = {}
    with translation.override(subject.language or settings.LANGUAGE_CODE):
        for survey in asked:
            invitation = Invitation(
                survey=survey.name,
                contact_id=subject.contact_id,
                about=subject.about,
                enrollment_id=subject.enrollment_id,
            )
            url = pictures.absolute(base_url, links.path_of(invitation))
            _place(values, survey.paths(), url)
            for answer in survey.answers:
                _place(values, survey.paths(answer), f"{url}?score={answer}")
    return Provided(values=values)


def _place(values: dict[str, Any], path: list[str], url: str) -> None:
    *where, name = path
    for part in where:
        values = values.setdefault(part, {})
    values[name] = url
