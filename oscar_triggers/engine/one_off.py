"""One-off letters: confirming, pausing and cancelling a letter to everybody in a segment.

A confirmed letter has a small flow of its own, so that its messages obey and tell all that those
of other flows do. Who gets it is chosen when its time comes (`engine.choosing`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from django.db import transaction
from django.utils.timezone import get_default_timezone
from django.utils.translation import pgettext

from ..definitions import FlowDefinition, StepDefinition
from ..exceptions import DefinitionError, InvalidOptions, Problem, ProblemsError, UnknownKind
from ..models import FlowState, LetterState, OneOffLetter, Owner
from ..models.sql import database_for
from . import flows, saved_segments, segments

#: Kind of the event with which the flow of a letter begins (`builtin.events`).
KIND = "one_off_letter"
#: Key of its one step.
STEP = "letter"
#: Under caps, what somebody's act began goes first; flows have 50 unless told otherwise.
PRIORITY = 10
#: The blast guard lets pass so many times what was confirmed, and some more: a segment lives.
_GROWTH, _SPARE = 2, 100
#: The first and the last clock on earth to show an hour.
_EARLIEST_ZONE, _LATEST_ZONE = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))

#: What an editor writes.
WRITTEN = (
    *(
        "name",
        "segment",
        "template",
        "topic",
        "sender",
        "send_at",
        "in_readers_time",
        "max_lateness",
    ),
)

OPEN = (LetterState.SCHEDULED, LetterState.SENDING)


class LetterProblems(ProblemsError):
    """What keeps a one-off letter from being confirmed or changed."""


def definition_of(letter: OneOffLetter, *, people: int = 0) -> FlowDefinition:
    """Return the flow by which a letter is sent; `people` is how many it was confirmed for."""
    return FlowDefinition(
        key=f"one-off-{letter.pk or 0}",
        name=letter.name,
        trigger=KIND,
        topic=letter.topic,
        sender=letter.sender,
        priority=PRIORITY,
        max_lateness=letter.max_lateness,
        blast_limit=_GROWTH * people + _SPARE,
        steps=(StepDefinition(key=STEP, kind="send", options={"template": letter.template}),),
    )


def problems_of(letter: OneOffLetter, now: datetime) -> list[Problem]:
    """Return everything that keeps a letter from being confirmed."""
    found = list(flows.check(definition_of(letter)))
    try:
        segment = segments.get(letter.segment)
        found += saved_segments.misplaced_in(segment.conditions)
    except (InvalidOptions, UnknownKind) as error:
        found.append(Problem(where="segment", message=str(error)))
    if letter.send_at is not None and last_moment(letter) < now:
        message = pgettext("triggers", "This moment has passed. Choose a later one, or send now.")
        found.append(Problem(where="send_at", message=message))
    return found


def save_draft(letter: OneOffLetter, now: datetime) -> OneOffLetter:
    """Write what an editor may change; raises LetterProblems once the letter was confirmed."""
    letter.changed_at = now
    if letter._state.adding:
        letter.created_at = now
        letter.save()
        return letter
    with transaction.atomic(using=database_for(OneOffLetter)):
        _must_be(locked(letter.pk), LetterState.DRAFT)
        letter.save(update_fields=[*WRITTEN, "changed_at"])
    return letter


def confirm(letter_id: int, *, people: int, by: Any = None, now: datetime) -> OneOffLetter:
    """Let a letter go to whoever is in its segment when its time comes; return it.

    `people` is the number that whoever confirms was shown. Confirmed again, nothing happens.
    Raises LetterProblems.
    """
    with transaction.atomic(using=database_for(OneOffLetter)):
        letter = locked(letter_id)
        if letter.state in OPEN:
            return letter
        _must_be(letter, LetterState.DRAFT)
        problems = problems_of(letter, now)
        if problems:
            raise LetterProblems(problems)
        try:
            version = flows.publish(
                definition_of(letter, people=people), owner=Owner.LETTER, by=by, now=now
            )
        except DefinitionError as error:
            raise LetterProblems(error.problems) from error
        letter.flow = version.flow
        letter.state = LetterState.SCHEDULED
        letter.start_at = first_moment(letter, now)
        letter.confirmed_at, letter.confirmed_by, letter.confirmed_people = now, by, people
        letter.save()
    return letter


def cancel(letter_id: int, *, by: Any = None, now: datetime) -> OneOffLetter:
    """Stop a letter for good: what has not left yet never leaves; return it.

    Raises LetterProblems for one that is over.
    """
    with transaction.atomic(using=database_for(OneOffLetter)):
        letter = locked(letter_id)
        if letter.state == LetterState.CANCELLED:
            return letter
        _must_be(letter, *OPEN)
        end(letter, LetterState.CANCELLED, now)
    return letter


def pause(letter_id: int, *, by: Any = None, now: datetime) -> OneOffLetter:
    """Let nothing more leave until it is resumed; raises LetterProblems for one that is over."""
    return _run(letter_id, flows.pause, now, by)


def resume(letter_id: int, *, by: Any = None, now: datetime) -> OneOffLetter:
    """Let a paused letter go on; what became too late is not sent."""
    return _run(letter_id, flows.resume, now, by)


def _run(letter_id: int, act: Any, now: datetime, by: Any) -> OneOffLetter:
    with transaction.atomic(using=database_for(OneOffLetter)):
        letter = locked(letter_id)
        _must_be(letter, *OPEN)
        assert letter.flow is not None
        act(letter.flow.key, now, by)
        letter.flow.refresh_from_db()
    return letter


def end(letter: OneOffLetter, state: LetterState, now: datetime) -> None:
    """Close a locked letter and switch its flow off."""
    letter.state = state
    letter.ended_at = now
    letter.problem = ""
    letter.save(update_fields=["state", "ended_at", "problem"])
    if letter.flow is not None:
        flows.archive(letter.flow.key, now)


def is_paused(letter: OneOffLetter) -> bool:
    """Say whether a letter that is not over stands still."""
    return (
        letter.state in OPEN and letter.flow is not None and letter.flow.state == FlowState.PAUSED
    )


def first_moment(letter: OneOffLetter, now: datetime) -> datetime:
    """Return when people are chosen (UTC): in readers' time, when the first of them has that hour."""
    if letter.send_at is None:
        return now
    if not letter.in_readers_time:
        return letter.send_at
    return max(now, _wall(letter.send_at).replace(tzinfo=_EARLIEST_ZONE).astimezone(UTC))


def last_moment(letter: OneOffLetter) -> datetime:
    """Return the moment (UTC) for which the last of its readers is meant to get it."""
    assert letter.send_at is not None
    if not letter.in_readers_time:
        return letter.send_at
    return _wall(letter.send_at).replace(tzinfo=_LATEST_ZONE).astimezone(UTC)


def moment_for(letter: OneOffLetter, zone: Any, now: datetime) -> datetime:
    """Return when a reader in a zone is to get it (UTC), not before now."""
    if letter.send_at is None or not letter.in_readers_time:
        return now
    return max(now, _wall(letter.send_at).replace(tzinfo=zone).astimezone(UTC))


def _wall(moment: datetime) -> datetime:
    """Return what the shop's clock shows at a moment, without the zone."""
    return moment.astimezone(get_default_timezone()).replace(tzinfo=None)


def locked(letter_id: int) -> OneOffLetter:
    """Return a letter that nobody else changes until the caller's transaction ends."""
    rows = OneOffLetter.objects.select_for_update(of=("self",)).select_related("flow")
    return rows.get(pk=letter_id)


def _must_be(letter: OneOffLetter, *states: LetterState) -> None:
    if letter.state not in states:
        message = pgettext("triggers", "“%(letter)s” is %(state)s; that cannot be done now.") % {
            "letter": letter.name,
            "state": LetterState(letter.state).label,
        }
        raise LetterProblems([Problem(message=message)])
