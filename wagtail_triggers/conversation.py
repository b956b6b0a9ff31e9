"""What was said to whom in one message, and on which way they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import pgettext

from oscar_triggers.conf import site_settings
from oscar_triggers.content import headers
from oscar_triggers.content.letters import Letter
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import reading
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import Dispatch, Enrollment, Message

from .naming import step_names
from .outline import Line, outline


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A letter as the log shows it."""

    letter: Letter | None
    headers: tuple[tuple[str, str], ...] = ()
    #: Why there is nothing to show.
    missing: str = ""


def address_of(message: Message) -> str:
    """Return where a message went or was to go; "" when that was erased or is not yet known."""
    if hasattr(message, "address"):
        return message.address or ""
    for dispatch in message.dispatches.all():
        if dispatch.point is not None:
            return dispatch.point.value
    return ""


def letter_of(message: Message) -> Letter | None:
    """Return what was said, None when nobody can tell any more."""
    try:
        return reading.letter_of(message)
    except (TriggersError, ValueError):
        # A release that compiles differently cannot read it; the log still shows the rest.
        return None


def letter_parts(message: Message, dispatches: Sequence[Dispatch]) -> Parts:
    """Return what was said, with its headers."""
    letter = letter_of(message)
    if letter is None:
        return Parts(
            letter=None,
            missing=pgettext(
                "triggers", "It was never written, or what it said has been erased since."
            ),
        )
    return Parts(letter=letter, headers=tuple(_headers(message, letter, dispatches)))


def _headers(
    message: Message, letter: Letter, dispatches: Sequence[Dispatch]
) -> Iterable[tuple[str, str]]:
    yield "Subject", letter.subject
    for dispatch in dispatches:
        if dispatch.point is not None:
            yield "To", dispatch.point.value
    yield from reading_headers(message).items()


def reading_headers(message: Message) -> Mapping[str, str]:
    """Return the headers that a message left with, made again from its row."""
    site = site_settings(message.site_id)
    sender = site.senders[message.stream]
    found: dict[str, str] = {
        "From": sender.from_email,
        "Reply-To": message.options.get("reply_to") or sender.reply_to,
    }
    found.update(
        headers.letter_headers(
            stream=message.stream,
            public_id=message.public_id,
            base_url=site.base_url,
            topic=message.topic,
            flow_key=message.flow.key if message.flow else "test",
            date=message.settled_at or message.planned_at,
        )
    )
    return {name: value for name, value in found.items() if value}


def enrollment_lines(enrollment: Enrollment, here: str) -> tuple[Line, ...]:
    """Return the flow that an enrollment goes through, with the message's own step marked."""
    definition = FlowDefinition.from_dict(enrollment.version.definition)
    try:
        return outline(definition, {here})
    except TriggersError:
        return ()


def step_names_of(enrollments: Iterable[Enrollment]) -> dict[str, str]:
    """Return the names of the steps of every version that people went through, by key."""
    found: dict[str, str] = {}
    for enrollment in enrollments:
        found |= step_names(FlowDefinition.from_dict(enrollment.version.definition))
    return found
