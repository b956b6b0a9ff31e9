"""The hand-over: one short statement that asks once more and marks, then the channel.

A dispatch is marked `sending` by an UPDATE whose WHERE re-checks, in the database and at that
statement's own moment: still leased by us, flow live, consent and suppression, and what the
guards of the shop say (no order, lines there, prices and stock as rendered). What was committed
before that moment stops the letter; what is not marked is never handed over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from .. import channels, signals
from ..channels import Channel, Outcome, Receipt
from ..conf import triggers_settings
from ..exceptions import CancelMessage
from ..models import Dispatch, DispatchState, FlowState, trips
from ..models.deadlocks import again_after_deadlock
from ..models.sql import database_for
from ..policy import caps, guards, verdicts
from ..snapshots import Subject
from . import allowances, breakers, catches, faults, incentives, installation, marking, settling
from .decisions import Note, note_again, note_on
from .letters import Composed
from .settling import parties_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A dispatch that is composed and allowed."""

    row: Dispatch
    enrollment_id: int
    subject: Subject
    point_id: int
    point_hash: str
    composed: Composed
    allowed: verdicts.Allowed
    #: What the referee was asked, and when (UTC).
    request: verdicts.SendRequest
    asked_at: datetime
    #: The others for whom the same message speaks, when it is a bundle.
    others: tuple[Member, ...] = ()

    @property
    def stream(self) -> str:
        """Return the stream of the message."""
        return self.row.message.stream

    @cached_property
    def pairs(self) -> list[tuple[Subject, Mapping[str, Any]]]:
        """Return its members as guards ask for them."""
        return [(member.subject, member.observed) for member in self.members]

    @cached_property
    def members(self) -> list[Member]:
        """Return all for whom it speaks, with what guards compare."""
        asked = {"message": self.row.message_id, "now": self.asked_at.isoformat()}
        first = Member(subject=self.subject, observed={**self.composed.observed, caps.ASKED: asked})
        return [first, *self.others]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One for whom a message speaks, and what was observed when it was written."""

    subject: Subject
    observed: Mapping[str, Any]


def hand_over(
    ready: Sequence[Ready],
    now: datetime,
    owner: str,
    gate: breakers.Gate | None = None,
    *,
    until: float | None = None,
) -> int:
    """Mark and hand over a batch in groups of OSCAR_TRIGGERS["HAND_OVER_GROUP"]; count them.

    From `until` (of time.monotonic()) on, what is left goes back uncounted, after one group.

    What became of a group is written in the very commit that marks the next one: a worker that
    dies leaves one group in doubt, and each letter costs one commit.
    """
    batch = _Batch(now, owner, gate or breakers.Gate())
    waiting = deque(ready)
    handed_over = 0
    try:
        while waiting:
            if handed_over and until is not None and time.monotonic() >= until:
                batch.put_back(waiting, everything=True)
                break
            batch.renew_leases(waiting)
            group = batch.next_group(waiting)
            try:
                batch.hand_over_group(group)
            except Exception as error:  # noqa: BLE001 - one guard's bug must not stop the others
                batch.give_back(group, error)
            handed_over += len(group)
            batch.put_back(waiting)
    finally:
        batch.close()
    batch.write_notes()
    return handed_over


class _Kept(threading.local):
    """The channels of this thread that outlive a batch; None where each batch has its own."""

    channels: dict[str, Channel] | None = None


_kept = _Kept()


@contextmanager
def connections_kept() -> Iterator[None]:
    """Let all batches inside share their channels, so that connections are opened once."""
    if _kept.channels is not None:
        yield
        return
    _kept.channels = {}
    try:
        yield
    finally:
        shared, _kept.channels = _kept.channels, None
        _close(shared)


def _close(opened: Mapping[str, Channel]) -> None:
    for kind, channel in opened.items():
        try:
            channel.close()
        except Exception as error:  # noqa: BLE001 - what was sent is sent
            logger.error("The channel %s cannot be closed: %s", kind, faults.told(error))


def _no_receipt(one: Ready) -> Receipt:
    return Receipt(
        dispatch_id=one.row.pk, outcome=Outcome.UNKNOWN, detail="The channel gave no receipt."
    )


class _Batch:
    """What is kept over the groups of one batch: channels, notes, the time that passed."""

    def __init__(self, now: datetime, owner: str, gate: breakers.Gate) -> None:
        self.started_at = now
        self.owner = owner
        self._started = time.monotonic()
        self._renewed_at = now
        self._own: dict[str, Channel] = {}
        self._notes: list[Note] = []
        self._sent: list[int] = []
        #: What went with the last group, and is not written down yet.
        self._gone: list[settling.Gone] = []
        self._probing = set(gate.probing)
        self._troubled = set(gate.troubled)
        #: Channels whose provider is left alone from now on.
        self._stopped: set[str] = set()

    @property
    def now(self) -> datetime:
        """Return the batch's time: its start plus what really passed since."""
        return self.started_at + timedelta(seconds=time.monotonic() - self._started)

    def renew_leases(self, rest: Iterable[Ready]) -> None:
        """Keep what is still to come leased while slow providers take their time."""
        length = triggers_settings().lease_for
        if self.now - self._renewed_at < length / 3:
            return
        self._renewed_at = self.now
        Dispatch.objects.filter(
            pk__in=[one.row.pk for one in rest],
            state=DispatchState.LEASED,
            lease_owner=self.owner,
        ).update(leased_until=self.now + length)

    def next_group(self, waiting: deque[Ready]) -> list[Ready]:
        """Take the next group: of one stream, and no two that contend for the same number."""
        size = triggers_settings().hand_over_group
        if waiting[0].row.channel in self._probing:
            size = 1
        if size == 1:
            return [waiting.popleft()]
        group: list[Ready] = []
        taken: set[int] = set()
        later: list[Ready] = []
        while waiting and len(group) < size:
            one = waiting.popleft()
            numbers = marking.contended(one.pairs)
            if group and (one.stream != group[0].stream or numbers & taken):
                later.append(one)
                continue
            group.append(one)
            taken |= numbers
        waiting.extendleft(reversed(later))
        return group

    def hand_over_group(self, group: Sequence[Ready]) -> None:
        """Settle the last group and mark this one in one commit, then hand over what is marked."""
        if signals.message_sending.has_listeners():
            # A receiver that kills the process must not leave the letters before in doubt.
            self._write_down()
        willing = [
            one
            for one in group
            if not self._is_rehearsal(one) and self._is_let_out(one) and self._nobody_objects(one)
        ]
        marked = self._settle_and_mark(willing)
        for one in willing:
            if one not in marked:
                self._explain(one)
        for one, receipt in zip(marked, self._send(marked), strict=True):
            self._write(one, receipt)

    def _settle_and_mark(self, willing: Sequence[Ready]) -> list[Ready]:
        if not willing:
            return []
        gone, notes = self._gone, self._notes
        now = self.now
        asked = [
            marking.Asked(
                row=one.row, point_id=one.point_id, point_hash=one.point_hash, members=one.pairs
            )
            for one in willing
        ]

        def go() -> set[int]:
            with trips.trip(database_for(Dispatch)) as trip:
                settling.write_sent(trip, gone, now)
                note_on(trip, notes, now)
                return marking.mark_many(
                    trip, asked, owner=self.owner, leased_until=now + triggers_settings().lease_for
                )

        # Who cancels many may hold the next letter and ask for the last one.
        ids = again_after_deadlock(go)
        self._gone, self._notes = [], []
        settling.tell_sent(gone)
        return [one for one in willing if one.row.pk in ids]

    def give_back(self, group: Sequence[Ready], error: Exception) -> None:
        """Try each alone when a group failed; what fails alone is tried again later.

        What was marked is taken over when its lease ends.
        """
        logger.error("A group could not be handed over: %s", faults.told(error))
        leased = Dispatch.objects.filter(
            pk__in=[one.row.pk for one in group],
            state=DispatchState.LEASED,
            lease_owner=self.owner,
        ).values_list("pk", flat=True)
        ours = set(leased)
        for one in group:
            if one.row.pk not in ours:
                continue
            if not group[1:]:
                settling.failed(one.row, error, self.now, rule="send", reason="broken_guard")
                continue
            try:
                self.hand_over_group([one])
            except Exception as alone:  # noqa: BLE001 - one guard's bug must not stop the others
                self.give_back([one], alone)

    def put_back(self, waiting: deque[Ready], *, everything: bool = False) -> None:
        """Give back, uncounted and in their order, messages of a provider that is down."""
        stopped = {one.row.channel for one in waiting} if everything else self._stopped
        rest = [one for one in waiting if one.row.channel in stopped]
        if rest:
            settling.put_back([one.row.pk for one in rest], self.owner)
            allowances.return_all(Counter(one.row.channel for one in rest), self.now)
            kept = [one for one in waiting if one.row.channel not in stopped]
            waiting.clear()
            waiting.extend(kept)

    def _is_rehearsal(self, one: Ready) -> bool:
        """Settle a letter that is only rehearsed: it was composed and kept, and goes nowhere."""
        message = one.row.message
        flow = message.flow
        if not message.is_shadow and (flow is None or flow.state != FlowState.SHADOW):
            return False
        settling.settle(
            parties_of(one.row, one.point_hash), DispatchState.SHADOWED, self.now, reason="shadow"
        )
        self._notes.append(
            Note(
                rule="shadow",
                verdict=DispatchState.SHADOWED.value,
                compared={"consent": one.allowed.compared, **one.composed.observed},
                message_id=one.row.message_id,
                enrollment_id=one.enrollment_id,
                flow_id=message.flow_id,
            )
        )
        return True

    def _is_let_out(self, one: Ready) -> bool:
        """Ask the safety catches; a parcel that they keep is decided against."""
        caught = catches.caught(one.composed.parcel, one.row.channel)
        if not isinstance(caught, str):
            return True
        self._skip(one, rule="safety_catch", reason=caught, compared={})
        return False

    def _nobody_objects(self, one: Ready) -> bool:
        if not signals.message_sending.has_listeners():
            return True
        try:
            signals.message_sending.send(
                sender=None,
                dispatch_id=one.row.pk,
                message_id=one.row.message_id,
                contact_id=one.row.message.contact_id,
                channel=one.row.channel,
            )
        except CancelMessage as veto:
            self._skip(one, rule="veto", reason="veto", compared={"said": veto.reason})
            return False
        except Exception as error:  # noqa: BLE001 - who only listens must not stop the letter
            said = faults.told(error)
            logger.error(
                "A message_sending receiver failed; message %s goes on: %s",
                one.row.message_id,
                said,
            )
        return True

    def _send(self, marked: Sequence[Ready]) -> list[Receipt]:
        receipts: dict[int, Receipt] = {}
        for kind in dict.fromkeys(one.row.channel for one in marked):
            parcels = [
                caught
                for one in marked
                if one.row.channel == kind
                and not isinstance(caught := catches.caught(one.composed.parcel, kind), str)
            ]
            try:
                answers = self._channel(kind).send_many(parcels)
            except Exception as error:  # noqa: BLE001 - see below
                # A channel promises not to raise; what it did before it broke nobody can tell.
                logger.error("The channel %s failed: %s", kind, faults.told(error))
                answers = [
                    Receipt(
                        dispatch_id=parcel.dispatch_id,
                        outcome=Outcome.UNKNOWN,
                        detail=f"The channel failed: {type(error).__name__}.",
                    )
                    for parcel in parcels
                ]
            receipts.update({answer.dispatch_id: answer for answer in answers})
        return [receipts.get(one.row.pk) or _no_receipt(one) for one in marked]

    def _channel(self, kind: str) -> Channel:
        opened = self._own if _kept.channels is None else _kept.channels
        if kind not in opened:
            opened[kind] = channels.get(kind)
        return opened[kind]

    def _write(self, one: Ready, receipt: Receipt) -> None:
        receipt = catches.receipt_of(receipt)
        parties = parties_of(one.row, one.point_hash)
        if receipt.outcome is Outcome.SENT:
            self._gone.append(settling.Gone(parties=parties, receipt=receipt))
            self._sent.append(one.row.message_id)
            state = DispatchState.SENT
        else:
            on_doubt = str(one.row.message.options.get("on_doubt", "hold"))
            state = settling.write_receipt(
                parties, receipt, on_doubt, self.now, owner=self.owner, attempt=one.row.attempt + 1
            )
        self._judge_provider(one.row.channel, receipt)
        note = Note(
            rule="send",
            verdict=state.value,
            reason="" if state is DispatchState.SENT else receipt.outcome.value,
            compared={
                "consent": one.allowed.compared,
                "still_true": [g.name for g in guards.guards_for(one.subject)],
                **one.composed.observed,
            },
            message_id=one.row.message_id,
            enrollment_id=one.enrollment_id,
            flow_id=one.row.message.flow_id,
        )
        if state is DispatchState.PLANNED:
            allowances.return_all({one.row.channel: 1}, self.now)
            note_again(note, self.now)
        else:
            self._notes.append(note)

    def _judge_provider(self, channel: str, receipt: Receipt) -> None:
        """Count what was the provider's fault, and an answer after trouble."""
        if breakers.is_the_providers_fault(receipt):
            self._troubled.add(channel)
            if breakers.failed(channel, receipt, self.now):
                self._stopped.add(channel)
                self._probing.discard(channel)
        elif channel in self._troubled and breakers.is_an_answer(receipt):
            breakers.succeeded(channel, self.now)
            self._troubled.discard(channel)
            self._probing.discard(channel)

    def _explain(self, one: Ready) -> None:
        """Find out why the mark was refused, and do what follows."""
        now = self.now
        state, owner = Dispatch.objects.values_list("state", "lease_owner").get(pk=one.row.pk)
        if state == DispatchState.CANCELLED:
            # What was promised after the cancelling took promises back.
            incentives.revoke_all([one.row.message_id], now)
        if state != DispatchState.LEASED or owner != self.owner:
            return  # Cancelled or taken over; whoever did it wrote down why.
        if installation.objections().exists() or marking.standing(one.row.message.flow_id).exists():
            settling.requeue(one.row.pk, now)
            return
        [verdict] = verdicts.judge_many([one.request], now)
        if isinstance(verdict, verdicts.Skip):
            settling.refuse(one.row, one.enrollment_id, verdict, now)
            return
        if isinstance(verdict, verdicts.Postpone):
            settling.put_off(one.row, verdict, now, rule=verdict.rule)
            return
        for member in one.members:
            for guard in guards.guards_for(member.subject):
                refused = guard.explain(member.subject, member.observed, now)
                if refused is not None:
                    settling.hold_back(
                        one.row,
                        member.subject.enrollment_id,
                        guard.name,
                        refused,
                        now,
                        alone=not one.others,
                    )
                    return
        # True again by now: prepare it anew.
        settling.requeue(one.row.pk, now + triggers_settings().tick_every)

    def _skip(self, one: Ready, *, rule: str, reason: str, compared: dict[str, object]) -> None:
        settling.settle(parties_of(one.row), DispatchState.SKIPPED, self.now, reason=reason)
        self._notes.append(
            Note(
                rule=rule,
                verdict=DispatchState.SKIPPED.value,
                reason=reason,
                compared=compared,
                message_id=one.row.message_id,
                flow_id=one.row.message.flow_id,
            )
        )

    def close(self) -> None:
        """Let go of the connections that nobody else goes on with."""
        _close(self._own)

    def write_notes(self) -> None:
        """Write what is not written yet, and restart the waits behind what was sent."""
        self._write_down()
        now = self.now
        if self._sent:
            settling.restart_waits(self._sent, now)
        breakers.release(frozenset(self._probing), now)

    def _write_down(self) -> None:
        gone, notes = self._gone, self._notes
        if gone or notes:
            with trips.trip(database_for(Dispatch)) as trip:
                settling.write_sent(trip, gone, self.now)
                note_on(trip, notes, self.now)
            self._gone, self._notes = [], []
            settling.tell_sent(gone)
