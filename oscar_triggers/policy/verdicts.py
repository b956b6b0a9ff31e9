"""May this message go to this point, now? Asked for a batch, answered with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..conf import TRANSACTIONAL
from . import consent, suppressions

NO_POINT = "no_point"
SUPPRESSED = "suppressed"
NO_CONSENT = "no_consent"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class SendRequest:
    """A message that is about to be sent, as far as rules need to know it."""

    message_id: int
    contact_id: int | None
    channel: str
    #: "" when the contact has no point on the channel.
    point_hash: str
    stream: str
    topic: str
    site_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """It may go; `compared` names the line of the ledger that allows it."""

    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Skip:
    """It must not go: no_point, suppressed, no_consent or withdrawn."""

    reason: str
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Postpone:
    """It may go later."""

    until: datetime
    reason: str
    compared: Mapping[str, Any] = field(default_factory=dict)


Judgement = Allowed | Skip | Postpone


def judge_many(requests: Sequence[SendRequest], now: datetime) -> list[Judgement]:
    """Judge a batch in its order, by two queries however large it is."""
    suppressed = suppressions.suppressed_among(
        (one.channel, one.point_hash) for one in requests if one.point_hash
    )
    promotional = [one for one in requests if one.stream != TRANSACTIONAL and one.point_hash]
    states = dict(
        zip(
            (_topic_point(one) for one in promotional),
            consent.state_many([_topic_point(one) for one in promotional]),
            strict=True,
        )
    )
    return [_judge(one, suppressed, states) for one in requests]


def _topic_point(one: SendRequest) -> consent.TopicPoint:
    return consent.TopicPoint(channel=one.channel, point_hash=one.point_hash, topic=one.topic)


def _judge(
    one: SendRequest,
    suppressed: Mapping[tuple[str, str], str],
    states: Mapping[consent.TopicPoint, consent.State | None],
) -> Judgement:
    asked = {"channel": one.channel, "stream": one.stream, "topic": one.topic}
    if not one.point_hash:
        return Skip(reason=NO_POINT, compared=asked)
    if reason := suppressed.get((one.channel, one.point_hash)):
        return Skip(reason=SUPPRESSED, compared={**asked, "suppression": reason})
    if one.stream == TRANSACTIONAL:
        return Allowed(compared=asked)
    state = states[_topic_point(one)]
    if state is None:
        return Skip(reason=NO_CONSENT, compared=asked)
    compared = {**asked, **state.compared()}
    if not state.allowed:
        return Skip(reason=WITHDRAWN, compared=compared)
    return Allowed(compared=compared)
