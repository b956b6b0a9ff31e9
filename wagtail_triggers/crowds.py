"""Segments and one-off letters in the words of the editor."""

from __future__ import annotations

from typing import Any

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import npgettext, pgettext

from oscar_triggers.engine import one_off, segments
from oscar_triggers.engine.audience import Count
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import LetterState, OneOffLetter, SavedSegment

from .outline import Question, question


def segment_names() -> dict[str, str]:
    """Return what each segment is called, by key."""
    return {key: str(one.label) for key, one in segments.known().items()}


def questions_of(row: SavedSegment) -> list[Question]:
    """Return what a segment asks, in words; what nobody brings any more reads as its kind."""
    found = []
    for data in row.conditions or []:
        try:
            found.append(question(data))
        except TriggersError:
            found.append(Question(text=str(data.get("kind", "?"))))
    return found


def in_words(row: SavedSegment) -> str:
    """Return who belongs to a segment, in one line."""
    return "; ".join(_flat(one) for one in questions_of(row)) or "–"


def _flat(one: Question) -> str:
    inner = ", ".join(_flat(each) for each in one.inner)
    return f"{one.text} ({inner})" if inner else one.text


def count_in_words(row: SavedSegment) -> str:
    """Return the last count of a segment, and of when it is."""
    if row.people is None or row.counted_at is None:
        return pgettext("triggers", "not counted yet")
    counted = Count(people=row.people, looked_at=row.looked_at, known=row.known)
    at = date_format(localtime(row.counted_at), "SHORT_DATETIME_FORMAT")
    number = f"{row.people:,}" if counted.is_whole else about(counted)
    return pgettext("triggers", "%(people)s (%(moment)s)") % {"people": number, "moment": at}


def about(counted: Count) -> str:
    """Return an estimate that says that it is one."""
    return pgettext("triggers", "about %(people)s") % {"people": f"{counted.estimate:,}"}


def count_sentence(counted: Count) -> str:
    """Say how many belong, and honestly so where not everybody was asked."""
    if counted.is_whole:
        return npgettext(
            "triggers",
            "Matches %(people)s person now, of %(known)s.",
            "Matches %(people)s people now, of %(known)s.",
            counted.people,
        ) % {"people": f"{counted.people:,}", "known": f"{counted.known:,}"}
    return pgettext(
        "triggers",
        "Matches %(people)s of the first %(looked_at)s people; of all %(known)s that may be about "
        "%(estimate)s.",
    ) % {
        "people": f"{counted.people:,}",
        "looked_at": f"{counted.looked_at:,}",
        "known": f"{counted.known:,}",
        "estimate": f"{counted.estimate:,}",
    }


def letter_state(letter: OneOffLetter) -> str:
    """Return the state of a letter, paused where it stands still."""
    if one_off.is_paused(letter):
        return str(capfirst(pgettext("triggers", "paused")))
    return str(capfirst(LetterState(letter.state).label))


def when_in_words(letter: OneOffLetter) -> str:
    """Return when a letter goes, or went."""
    moment = letter.send_at or letter.started_at or letter.start_at
    if moment is None:
        return pgettext("triggers", "when confirmed")
    text = date_format(localtime(moment), "SHORT_DATETIME_FORMAT")
    if letter.in_readers_time:
        return pgettext("triggers", "%(moment)s, in each reader's time") % {"moment": text}
    return text


def link_kind(kind: str) -> Any:
    """Return what something is that uses a segment."""
    return {
        "flow": pgettext("triggers", "Flow"),
        "letter": pgettext("triggers", "One-off letter"),
        "segment": pgettext("triggers", "Segment"),
    }.get(kind, kind)
