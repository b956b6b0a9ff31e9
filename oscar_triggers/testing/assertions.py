"""What a test says about letters; a failure shows every decision that was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..engine import reading
from ..models import Dispatch, DispatchState, Message, MessageState
from .clock import read_duration
from .playing import FlowRun

#: What a letter may leave later than expected, in a test.
TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class SentLetter:
    """A letter as the person got it."""

    to: str
    #: UTC.
    at: datetime
    subject: str
    text: str
    html: str
    message: Message


def assert_sent(
    run: FlowRun,
    step_key: str,
    *,
    to: str = "",
    after: str | timedelta | None = None,
    subject: str = "",
    times: int = 1,
) -> SentLetter:
    """Fail unless the letter of a step was sent so often; return it, the last one of several.

    `to` is the address, `after` how long after the start (to the minute), `subject` a part of
    the subject.
    """
    sent = [_letter(message) for message in _messages(run, step_key, sent=True)]
    if len(sent) != times:
        raise AssertionError(f"'{step_key}' was sent {len(sent)} times, not {times}.\n{run}")
    if not sent:
        raise ValueError("To say that nothing was sent, use assert_not_sent.")
    last = sent[-1]
    if to and last.to != to.lower():
        raise AssertionError(f"'{step_key}' went to {last.to}, not to {to}.\n{run}")
    if after is not None:
        passed = last.at - run.started_at
        if abs(passed - read_duration(after)) > TOLERANCE:
            raise AssertionError(f"'{step_key}' was sent after {passed}, not {after}.\n{run}")
    if subject not in last.subject:
        raise AssertionError(f"'{step_key}' says '{last.subject}', not '{subject}'.\n{run}")
    return last


def assert_not_sent(run: FlowRun, step_key: str = "", *, reason: str = "") -> None:
    """Fail if the letter of a step, or any letter, was sent; `reason` is why it was not."""
    sent = _messages(run, step_key, sent=True)
    if sent:
        keys = ", ".join(message.step_key for message in sent)
        raise AssertionError(f"These were sent: {keys}.\n{run}")
    if reason:
        found = {decision.reason for decision in run.decisions}
        found |= {message.reason for message in _messages(run, step_key)}
        if reason not in found:
            raise AssertionError(f"'{reason}' was not the reason.\n{run}")


def _messages(run: FlowRun, step_key: str, *, sent: bool = False) -> list[Message]:
    return [
        message
        for message in run.messages
        if (not step_key or message.step_key == step_key)
        and (not sent or message.state == MessageState.SENT)
    ]


def _letter(message: Message) -> SentLetter:
    dispatch = (
        Dispatch.objects.filter(message=message, state=DispatchState.SENT)
        .select_related("point")
        .get()
    )
    letter = reading.letter_of(message)
    assert dispatch.settled_at is not None
    return SentLetter(
        to=dispatch.point.normalised if dispatch.point else "",
        at=dispatch.settled_at,
        subject=letter.subject if letter else "",
        text=letter.text if letter else "",
        html=letter.html if letter else "",
        message=message,
    )
