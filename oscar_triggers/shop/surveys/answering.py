"""Answers to surveys: one for each person, survey and thing, which may be changed.

Only a POST answers. The link names the person, so nobody signs in, and nothing of what is known
about the person is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import transaction

from ...conf import triggers_settings
from ...engine import fields, intake, joining
from ...kinds import clean_text
from ...models import Contact, Message, SurveyAnswer
from ...models.sql import database_for
from ...snapshots import Person
from . import links, questions
from .events import SurveyAnswered
from .links import Invitation
from .questions import Survey

logger = logging.getLogger(__name__)

LONGEST_TEXT = 2_000


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A link that works: what it asks, of whom."""

    survey: Survey
    invitation: Invitation
    contact: Contact


def open_link(token: str) -> Opened | None:
    """Return what a link asks; None for no link of ours, or when the person or survey is gone."""
    invitation = links.read(token)
    if invitation is None or invitation.survey not in questions.registry:
        return None
    contact = Contact.objects.filter(pk=invitation.contact_id).first()
    if contact is None:
        return None
    return Opened(
        survey=questions.registry.get(invitation.survey),
        invitation=invitation,
        contact=joining.follow([contact])[contact.pk],
    )


def read_score(opened: Opened, text: str) -> int | None:
    """Return a score that the survey knows, None for any other text."""
    found = [answer for answer in opened.survey.answers if str(answer) == text]
    return found[0] if found else None


def next_of(opened: Opened) -> Opened | None:
    """Return the survey that follows, unless the person has answered that already."""
    name = opened.survey.then
    if not name or name not in questions.registry:
        return None
    following = Opened(
        survey=questions.registry.get(name),
        invitation=opened.invitation.to(name),
        contact=opened.contact,
    )
    return None if SurveyAnswer.objects.filter(**_key(following)).exists() else following


def may_answer(token: str) -> bool:
    """Count a try at a link; say whether it was within OSCAR_TRIGGERS["REQUEST_LIMITS"]."""
    most, within = triggers_settings().request_limits
    key = f"oscar_triggers:survey:{token[-43:]}"
    try:
        cache.add(key, 0, timeout=int(within.total_seconds()))
        return cache.incr(key) <= most
    except Exception as error:  # noqa: BLE001 - a cache that is down must not lose an answer
        logger.warning("Answers to surveys are not counted: %s.", type(error).__name__)
        return True


def answer(opened: Opened, score: int, text: str, now: datetime) -> SurveyAnswer:
    """Keep an answer, or change the one that is there, and tell flows of it.

    A text that was written before stays when the new one is empty.
    """
    survey, contact = opened.survey, opened.contact
    written = clean_text(text).strip()[:LONGEST_TEXT]
    message = _message_of(opened.invitation)
    known: dict[str, Any] = {"score": score, "answered_at": now}
    if written:
        known["text"] = written
    if message is not None:
        known["message_id"] = message
    with transaction.atomic(using=database_for(SurveyAnswer)):
        row, _is_new = SurveyAnswer.objects.update_or_create(**_key(opened), defaults=known)
        fields.set_field_many([contact.pk], survey.field, score, now)
        intake.record(
            SurveyAnswered(
                survey=survey.name,
                score=score,
                group=survey.group_of(score),
                contact_id=contact.pk,
            ),
            about=opened.invitation.about if opened.invitation.about.id else None,
            person=Person(contact_id=contact.pk, user_id=contact.user_id),
            occurred_at=now,
            site_id=contact.site_id,
        )
    return row


def _key(opened: Opened) -> Mapping[str, Any]:
    about = opened.invitation.about
    return {
        "survey": opened.survey.name,
        "contact_id": opened.contact.pk,
        "about_type": about.type,
        "about_id": about.id,
    }


def _message_of(invitation: Invitation) -> int | None:
    """Return the newest letter of the way through the flow that the link came from."""
    if not invitation.enrollment_id:
        return None
    return (
        Message.objects.filter(
            items__enrollment_id=invitation.enrollment_id, contact_id=invitation.contact_id
        )
        .order_by("-pk")
        .values_list("pk", flat=True)
        .first()
    )
