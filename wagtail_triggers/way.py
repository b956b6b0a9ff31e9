"""The way of one person through one flow: what was decided and sent, in the order it happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import pgettext

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import (
    Decision,
    Enrollment,
    EnrollmentState,
    Message,
    MessageState,
)

from .naming import step_names
from .outline import Line, outline
from .wording import (
    Answer,
    compared_answers,
    compared_rows,
    reason_in_words,
    rule_in_words,
    verdict_in_words,
)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One thing that happened on the way."""

    moment: datetime
    what: str
    #: What was decided, or what became of the message.
    outcome: str
    why: str = ""
    count: int = 1
    compared: tuple[tuple[str, str], ...] = ()
    answers: tuple[Answer, ...] = ()
    #: The message that was planned there.
    message_id: int | None = None
    #: "sent", "not_sent", "waiting" or "info": how it is drawn.
    tone: str = "info"


@dataclass(frozen=True, kw_only=True)
class Way:
    """What happened on the way so far, and the flow with the step at which they are."""

    taken: tuple[Taken, ...]
    lines: tuple[Line, ...]


def way_of(enrollment: Enrollment) -> Way:
    """Return the way of an enrollment; three queries, however long it was."""
    try:
        definition = FlowDefinition.from_dict(enrollment.version.definition)
        names = step_names(definition)
        here = {enrollment.step_key} if enrollment.state != EnrollmentState.ENDED else set()
        lines = outline(definition, here)
    except TriggersError:
        # A kind whose app is gone: what happened can still be told.
        names, lines = {}, ()
    taken = [*_decisions(enrollment, names), *_messages(enrollment, names)]
    return Way(taken=tuple(sorted(taken, key=lambda one: one.moment)), lines=lines)


def _decisions(enrollment: Enrollment, names: Mapping[str, str]) -> Iterator[Taken]:
    for one in Decision.objects.filter(enrollment=enrollment, message=None).order_by(
        "decided_at", "pk"
    ):
        yield Taken(
            moment=one.decided_at,
            what=rule_in_words(one.rule, names),
            outcome=str(capfirst(verdict_in_words(one.verdict))),
            why=str(capfirst(reason_in_words(one.reason))),
            count=one.count,
            compared=tuple(compared_rows(one.compared, steps=names, kind=one.reason)),
            answers=compared_answers(one.compared),
        )


def _messages(enrollment: Enrollment, names: Mapping[str, str]) -> Iterator[Taken]:
    messages = (
        Message.objects.filter(items__enrollment=enrollment)
        .select_related("template")
        .defer("payload", "options")
        .order_by("planned_at", "pk")
    )
    for one in messages:
        step = names.get(one.step_key, "")
        name = str(one.template) if one.template is not None else pgettext("triggers", "Message")
        yield Taken(
            moment=one.settled_at or one.due_at,
            what=f"{step}: {name}" if step else name,
            outcome=str(capfirst(one.get_state_display())),
            why=str(capfirst(reason_in_words(one.reason))),
            message_id=one.pk,
            tone=_tone(one.state),
        )


def _tone(state: Any) -> str:
    if state in (MessageState.SENT, MessageState.SHADOWED):
        return "sent"
    return "waiting" if state in (MessageState.PLANNED, MessageState.UNKNOWN) else "not_sent"
