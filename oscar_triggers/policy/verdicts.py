"""May this message go to this point, now? The one referee, asked for a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..conf import TRANSACTIONAL, triggers_settings
from ..limits import DROP, POSTPONE, SendWindow
from . import caps, consent, holdouts, rivals, suppressions, windows, zones

NO_POINT = "no_point"
SUPPRESSED = "suppressed"
NO_CONSENT = "no_consent"
WITHDRAWN = "withdrawn"
HOLDOUT = "holdout"
QUIET_HOURS = "quiet_hours"
SEND_WINDOW = "send_window"
FREQUENCY_CAP = caps.FREQUENCY_CAP
PRIORITY = rivals.PRIORITY
#: Quiet hours, a window and the reader's zones leave no moment in common.
NEVER_OPEN = "never_open"
#: When a limit would let it go, nobody wants it any more.
TOO_LATE_AFTER_LIMIT = "too_late_after_limit"

#: Rules that verdicts name.
CONSENT = "consent"
WINDOWS = "windows"


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
    flow_id: int | None = None
    #: Of two that want to go to one person, the higher number goes first.
    priority: int = 50
    #: After this moment (UTC) it is never sent; None: at any time.
    not_after: datetime | None = None
    #: "postpone" or "drop", when a limit holds it back.
    when_limited: str = POSTPONE
    send_window: SendWindow | None = None
    #: Percent of the flow's people who are kept without messages.
    holdout: int = 0
    #: IANA name of the reader's own zone, "" when unknown.
    time_zone: str = ""
    #: The reader's numbers in E.164, whose prefixes tell a zone.
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """It may go; `compared` names the line of the ledger that allows it."""

    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Skip:
    """It must not go, for one of the reasons above."""

    reason: str
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: Which rule spoke, as decisions name it.
    rule: str = CONSENT


@dataclass(frozen=True, kw_only=True)
class Postpone:
    """It may go later."""

    until: datetime
    reason: str
    compared: Mapping[str, Any] = field(default_factory=dict)
    rule: str = "policy"


Judgement = Allowed | Skip | Postpone


def judge_many(requests: Sequence[SendRequest], now: datetime) -> list[Judgement]:
    """Judge a batch in its order, by a number of queries that does not grow with it.

    The first rule that objects decides: a point to write to, suppression, consent, holdout,
    quiet hours and the flow's window, frequency caps, priority between flows.
    """
    judged = may_be_written_to(requests)
    for limit in (_holdouts, _windows, _caps):
        open_ = [place for place, one in enumerate(judged) if isinstance(one, Allowed)]
        answers = limit([requests[place] for place in open_], now)
        for place, answer in zip(open_, answers, strict=True):
            if answer is not None:
                judged[place] = answer
    return judged


# ── Point, suppression, consent ──────────────────────────────────────────────────────────────────


def may_be_written_to(requests: Sequence[SendRequest]) -> list[Judgement]:
    """Judge only by what does not pass with time: a point to write to, suppression, consent."""
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
    return [_judge_consent(one, suppressed, states) for one in requests]


def _topic_point(one: SendRequest) -> consent.TopicPoint:
    return consent.TopicPoint(channel=one.channel, point_hash=one.point_hash, topic=one.topic)


def _judge_consent(
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


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────


def _holdouts(requests: Sequence[SendRequest], now: datetime) -> list[Judgement | None]:
    """Hold the share that a flow keeps without messages; what people are owed is never held."""
    draws = {
        one: holdouts.Draw(flow_id=one.flow_id, contact_id=one.contact_id, percent=one.holdout)
        for one in requests
        if one.holdout and one.flow_id and one.contact_id and one.stream != TRANSACTIONAL
    }
    arms = holdouts.arms_of(list(draws.values()), now)
    answers: list[Judgement | None] = []
    for one in requests:
        held = one in draws and arms.get((one.flow_id or 0, one.contact_id or 0)) == holdouts.HELD
        answers.append(
            Skip(reason=HOLDOUT, rule=HOLDOUT, compared={"percent": one.holdout}) if held else None
        )
    return answers


def _windows(requests: Sequence[SendRequest], now: datetime) -> list[Judgement | None]:
    """Mind the reader's night and the flow's own hours."""
    return [_judge_window(one, now) for one in requests]


def _judge_window(one: SendRequest, now: datetime) -> Judgement | None:
    rules = windows.rules_for(one.channel, one.send_window, promotional=one.stream != TRANSACTIONAL)
    if not rules:
        return None
    places = zones.zones_of(one.time_zone, one.phones, one.site_id)
    opens = windows.next_open(now, places, rules)
    if opens == now:
        return None
    local = [now.astimezone(zone) for zone in places]
    closed = next(
        (moment for moment in local if rules.is_quiet(moment.time())),
        next((moment for moment in local if not rules.is_in_window(moment)), local[0]),
    )
    quiet = rules.is_quiet(closed.time())
    compared: dict[str, Any] = {
        "local_time": f"{closed:%a %H:%M}",
        "time_zone": str(closed.tzinfo),
        "zones": len(places),
    }
    if rules.quiet:
        compared["quiet"] = [f"{edge:%H:%M}" for edge in rules.quiet]
    if rules.window:
        compared["window"] = rules.window.to_dict()
    if opens is None:
        return Skip(reason=NEVER_OPEN, rule=WINDOWS, compared=compared)
    return _limited(one, QUIET_HOURS if quiet else SEND_WINDOW, WINDOWS, compared, opens)


def _caps(requests: Sequence[SendRequest], now: datetime) -> list[Judgement | None]:
    """Count what a person got, and let the flow that matters more go first."""
    answers: dict[int, Judgement] = {}
    for stream in {one.stream for one in requests}:
        told = caps.caps_for(stream)
        mine = [one for one in requests if one.stream == stream and one.contact_id]
        people = {one.contact_id for one in mine if one.contact_id}
        if not told or not mine:
            continue
        received = caps.received_by(people, stream, now)
        due = rivals.due_for(people, stream, now)
        for one in mine:
            assert one.contact_id is not None
            standing = caps.standing_with(
                told, received.get(one.contact_id, ()), now, message_id=one.message_id
            )
            ahead = rivals.ahead_of(one.message_id, one.priority, due.get(one.contact_id, ()))
            answer = _judge_caps(one, standing, ahead, now)
            if answer is not None:
                answers[one.message_id] = answer
    return [answers.get(one.message_id) for one in requests]


def _judge_caps(
    one: SendRequest, standing: caps.Standing, ahead: Sequence[rivals.Rival], now: datetime
) -> Judgement | None:
    if standing.until is not None:
        # Not into the reader's night.
        rules = windows.rules_for(
            one.channel, one.send_window, promotional=one.stream != TRANSACTIONAL
        )
        places = zones.zones_of(one.time_zone, one.phones, one.site_id)
        until = windows.next_open(standing.until, places, rules) or standing.until
        return _limited(one, FREQUENCY_CAP, FREQUENCY_CAP, standing.compared(), until)
    if len(ahead) < standing.room:
        return None
    first = max(ahead, key=lambda rival: (rival.priority, -rival.message_id))
    compared = {
        **standing.compared(),
        "priority": one.priority,
        "first": first.message_id,
        "its_priority": first.priority,
    }
    return _limited(one, PRIORITY, PRIORITY, compared, now + triggers_settings().tick_every)


def _limited(
    one: SendRequest, reason: str, rule: str, compared: Mapping[str, Any], until: datetime
) -> Judgement:
    """Postpone or drop, as the flow says; what would be too late then is not sent at all."""
    if one.when_limited == DROP:
        return Skip(reason=reason, rule=rule, compared={**compared, "until": until})
    if one.not_after is not None and until > one.not_after:
        return Skip(
            reason=TOO_LATE_AFTER_LIMIT,
            rule=rule,
            compared={
                **compared,
                "limit": reason,
                "until": until,
                "not_after": one.not_after,
            },
        )
    return Postpone(until=until, reason=reason, rule=rule, compared=compared)
