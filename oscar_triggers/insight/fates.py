"""What became of each message that a flow owed one person, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import pgettext

from ..engine import installation
from ..models import (
    Breaker,
    BreakerState,
    Decision,
    Dispatch,
    DispatchState,
    Flow,
    FlowState,
    Message,
    MessageState,
)
from .lines import Line, about_words, event_words, exit_words
from .telling import INFO, NOT_SENT, SENT, WAITING, clock, length, why

_NEVER_SENT = (
    MessageState.SKIPPED,
    MessageState.EXPIRED,
    MessageState.CANCELLED,
    MessageState.DEAD,
    MessageState.SHADOWED,
)


class Fates:
    """Tells the messages of one person and one flow from the decisions about them."""

    def __init__(
        self,
        flow: Flow,
        by_message: Mapping[int | None, Sequence[Decision]],
        exits: Mapping[int | None, Decision],
        now: datetime,
    ) -> None:
        self.flow, self.by_message, self.exits, self.now = flow, by_message, exits, now

    def told(self, message: Message) -> Iterator[Line]:
        """Yield what became of a message: planned, put off, sent or not, and what came back."""
        name = message.step_key or str(message.pk)
        yield Line(
            moment=message.planned_at,
            text=pgettext("triggers", "“%(message)s” was planned for %(moment)s.")
            % {"message": name, "moment": clock(message.due_at)},
        )
        for one in self.by_message[message.pk]:
            if one.verdict in ("postpone", "stale", "left_out"):
                yield self._put_off(name, one)
        dispatches = list(message.dispatches.all())
        if message.state == MessageState.SENT:
            yield from self._sent(name, message, dispatches)
        elif message.state == MessageState.UNKNOWN:
            yield self._line(
                message,
                pgettext(
                    "triggers",
                    "“%(message)s” was handed over, and nobody can tell whether it arrived: %(why)s.",
                ),
                name,
                tone=SENT,
            )
        elif message.state in _NEVER_SENT:
            yield self._not_sent(name, message, dispatches)
        else:
            yield self._waits(name, dispatches)

    def _put_off(self, name: str, one: Decision) -> Line:
        texts = {
            "postpone": pgettext(
                "triggers", "“%(message)s” was put off until %(until)s, because %(why)s."
            ),
            "stale": pgettext("triggers", "“%(message)s” was written anew, because %(why)s."),
            "left_out": pgettext(
                "triggers", "One thing was left out of “%(message)s”, because %(why)s."
            ),
        }
        until = one.compared.get("until")
        return Line(
            moment=one.decided_at,
            text=texts[one.verdict]
            % {
                "message": name,
                "until": clock(datetime.fromisoformat(until)) if until else "–",
                "why": why(one.reason, one.compared),
            },
            tone=WAITING if one.verdict == "postpone" else INFO,
        )

    def _line(self, message: Message, text: str, name: str, *, tone: str) -> Line:
        return Line(
            moment=message.settled_at or self.now,
            text=text % {"message": name, "why": self._reason(message)[0]},
            tone=tone,
        )

    def _reason(self, message: Message) -> tuple[str, Mapping[str, Any]]:
        """Say why a message was settled as it was, and with what compared values.

        By its own decision, or by that which ended the way of whoever was owed it.
        """
        own = [one for one in self.by_message[message.pk] if one.reason == message.reason]
        ends = [
            one
            for item in message.items.all()
            if (one := self.exits.get(item.enrollment_id)) and one.reason == message.reason
        ]
        if own:
            last = own[-1]
            is_end = last.verdict == "cancelled"
            return exit_words(last) if is_end else why(last.reason, last.compared), last.compared
        if ends:
            return exit_words(ends[-1]), ends[-1].compared
        return why(message.reason, {}), {}

    def _not_sent(self, name: str, message: Message, dispatches: Sequence[Dispatch]) -> Line:
        because, compared = self._reason(message)
        limit = compared.get("limit")
        if message.reason == "too_late_after_limit" and isinstance(limit, str):
            because = pgettext(
                "triggers", "%(why)s, until %(until)s; after %(not_after)s it is of no use"
            ) % {
                "why": why(limit, compared),
                "until": clock(datetime.fromisoformat(str(compared.get("until")))),
                "not_after": clock(message.not_after),
            }
        detail = next((one.detail for one in dispatches if one.detail), "")
        if message.state == MessageState.SHADOWED:
            text = pgettext("triggers", "“%(message)s” was written and not sent, because %(why)s.")
        else:
            text = pgettext("triggers", "“%(message)s” was not sent, because %(why)s.")
        said = text % {"message": name, "why": because}
        return Line(
            moment=message.settled_at or self.now,
            text=said + _just_before(compared, dispatches) + (f" ({detail})" if detail else ""),
            tone=NOT_SENT,
        )

    def _sent(self, name: str, message: Message, dispatches: Sequence[Dispatch]) -> Iterator[Line]:
        went = next((one for one in dispatches if one.state == DispatchState.SENT), None)
        tries = (
            pgettext("triggers", " at try %(count)s") % {"count": went.attempt}
            if went is not None and went.attempt > 1
            else ""
        )
        consent = next(
            (
                one.compared["consent"]["consent_event"]
                for one in self.by_message[message.pk]
                if isinstance(one.compared.get("consent"), Mapping)
                and "consent_event" in one.compared["consent"]
            ),
            None,
        )
        allowed = (
            pgettext("triggers", " Line %(line)s of the consent ledger allowed it.")
            % {"line": consent}
            if consent
            else ""
        )
        yield Line(
            moment=message.settled_at or self.now,
            text=pgettext("triggers", "“%(message)s” was sent%(tries)s.%(allowed)s")
            % {"message": name, "tries": tries, "allowed": allowed},
            tone=SENT,
        )
        if went is not None and went.feedback:
            yield Line(
                moment=went.feedback_at or self.now,
                text=pgettext("triggers", "The provider says of “%(message)s”: %(feedback)s.")
                % {"message": name, "feedback": went.get_feedback_display()},
            )
        if message.clicked_at:
            yield Line(
                moment=message.clicked_at,
                text=pgettext("triggers", "They followed a link in “%(message)s”.")
                % {"message": name},
            )
        for one in message.conversions.all():
            yield Line(
                moment=one.occurred_at,
                text=pgettext("triggers", "After “%(message)s”: %(event)s%(about)s.")
                % {
                    "message": name,
                    "event": event_words(one.kind),
                    "about": about_words(one.about_type, one.about_id),
                },
            )

    def _waits(self, name: str, dispatches: Sequence[Dispatch]) -> Line:
        due = min((one.due_at for one in dispatches), default=self.now)
        held = self._held_up({one.channel for one in dispatches})
        text = pgettext("triggers", "“%(message)s” waits until %(moment)s.")
        if held:
            text = pgettext("triggers", "“%(message)s” waits, because %(why)s.")
        return Line(
            moment=self.now,
            text=text % {"message": name, "moment": clock(due), "why": held},
            tone=WAITING,
        )

    def _held_up(self, channels: set[str]) -> str:
        """Say what keeps due messages from leaving at this moment, "" for nothing."""
        hold = installation.hold_reason()
        if hold == installation.FOREIGN:
            return pgettext("triggers", "this database belongs to another installation")
        if hold:
            return pgettext("triggers", "all sending is stopped")
        if self.flow.state not in (FlowState.LIVE, FlowState.SHADOW):
            return pgettext("triggers", "the flow is not running")
        breaker = Breaker.objects.filter(name__in=channels, state=BreakerState.OPEN).first()
        if breaker is not None and breaker.retry_at:
            return pgettext(
                "triggers", "the provider of “%(channel)s” failed; it is tried again at %(moment)s"
            ) % {"channel": breaker.name, "moment": clock(breaker.retry_at)}
        return ""


def _just_before(compared: Mapping[str, Any], dispatches: Sequence[Dispatch]) -> str:
    """Say how long before its hand-over an act stopped a message, where that is known."""
    acted = compared.get("placed_at") or compared.get("at")
    due = min((one.due_at for one in dispatches), default=None)
    if not acted or due is None:
        return ""
    gap = due - datetime.fromisoformat(str(acted))
    if gap.total_seconds() <= 0:
        return ""
    return pgettext("triggers", " That was %(length)s before the hand-over.") % {
        "length": length(gap)
    }
