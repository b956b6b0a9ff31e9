"""Why did, or didn't, they get it? One person and one flow, asked by staff (W3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.insight.lines import Line
from oscar_triggers.insight.telling import INFO, NOT_SENT, SENT, WAITING
from oscar_triggers.models import (
    Contact,
    Decision,
    Enrollment,
    Flow,
    FlowVersion,
    JournalEntry,
    Message,
)
from oscar_triggers.models.partial import NotIndexed

from ..naming import step_names
from ..stories import tell
from ..wording import (
    Answer,
    compared_answers,
    compared_rows,
    reason_in_words,
    rule_in_words,
    verdict_in_words,
)

#: The newest decisions that are shown with their values.
MOST_DECISIONS = 100
_IN_SHORT: dict[str, Any] = {
    SENT: pgettext_lazy("triggers", "Yes, they got something from this flow."),
    NOT_SENT: pgettext_lazy("triggers", "No, they did not get it."),
    WAITING: pgettext_lazy("triggers", "Not yet: they are on their way, or something waits."),
    INFO: pgettext_lazy("triggers", "Nothing was to be sent to them."),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One decision, with the values that were compared."""

    row: Decision
    rule: str
    verdict: str
    reason: str
    compared: list[tuple[str, str]]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer: in short, as a story, and every decision behind it."""

    in_short: str
    tone: str
    story: list[Line]
    decisions: list[Verdict]


def ask(contact: Contact, flow: Flow, now: datetime) -> Reply:
    """Tell why a person did or did not get the messages of a flow; reads only."""
    ways = list(
        Enrollment.objects.filter(flow=flow, contact=contact).values_list("pk", "version_id")
    )
    steps = _steps(flow, {version for _pk, version in ways})
    story = tell(contact.pk, flow, steps, now)
    tone = next((line.tone for line in reversed(story) if line.tone != INFO), INFO)
    return Reply(
        in_short=str(_IN_SHORT[tone]),
        tone=tone,
        story=story,
        decisions=_decisions(flow, contact, [pk for pk, _version in ways], steps),
    )


def nobody(now: datetime) -> Reply:
    """Answer for somebody whom no contact stands for."""
    text = pgettext(
        "triggers",
        "There is no such contact: nobody with this address or number has acted in the shop, was "
        "imported or asked for anything since the flows are running, or they were erased. See "
        "whether it is written right, and whether the person uses another address.",
    )
    return Reply(
        in_short=pgettext("triggers", "No: there is no such contact."),
        tone=NOT_SENT,
        story=[Line(moment=now, text=text, tone=NOT_SENT)],
        decisions=[],
    )


def _steps(flow: Flow, versions: set[int]) -> dict[str, str]:
    """Return the names of the steps of the versions that somebody saw, by key."""
    found: dict[str, str] = {}
    wanted = versions | ({flow.live_version_id} if flow.live_version_id else set())
    for definition in FlowVersion.objects.filter(pk__in=wanted).values_list(
        "definition", flat=True
    ):
        found |= step_names(FlowDefinition.from_dict(definition))
    return found


def _decisions(
    flow: Flow, contact: Contact, ways: list[int], steps: dict[str, str]
) -> list[Verdict]:
    messages = Message.objects.filter(flow=flow, contact=contact).values("pk")
    entries = JournalEntry.objects.filter(contact=contact).values("pk")
    every = Decision.objects.order_by().alias(of_flow=NotIndexed("flow_id"))
    # Each by an index of its own; joined by "or", the whole log would be read.
    first, *others = (
        every.filter(one).values("pk")
        for one in (
            Q(enrollment__in=ways),
            Q(message__in=messages),
            Q(journal_entry__in=entries, of_flow=flow.pk),
        )
    )
    rows = Decision.objects.filter(pk__in=first.union(*others))
    return [
        Verdict(
            row=row,
            rule=rule_in_words(row.rule, steps),
            verdict=verdict_in_words(row.verdict),
            reason=reason_in_words(row.reason),
            compared=compared_rows(row.compared, steps=steps, kind=row.reason),
            answers=compared_answers(row.compared),
        )
        for row in rows.order_by("-decided_at", "-pk")[:MOST_DECISIONS]
    ]
