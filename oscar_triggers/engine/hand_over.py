"""The hand-over: one short statement that asks once more and marks, then the channel.

A dispatch is marked `sending` by an UPDATE whose WHERE re-checks, in the database and at that
statement's own moment: still leased by us, flow live, consent and suppression, and what the
guards of the shop say (no order, lines there, prices and stock as rendered). What was committed
before that moment stops the letter; what is not marked is never handed over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction

from .. import channels, signals
from ..channels import Channel, Outcome, Receipt
from ..conf import triggers_settings
from ..exceptions import CancelMessage
from ..models import Dispatch, DispatchState, FlowState
from ..models.sql import database_for
from ..policy import caps, guards, verdicts
from ..snapshots import Subject
from . import catches, faults, incentives, installation, marking, settling
from .decisions import Note, note_many
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


def hand_over(ready: Sequence[Ready], now: datetime, owner: str) -> None:
    """Mark and hand over a batch in groups of OSCAR_TRIGGERS["HAND_OVER_GROUP"]."""
    batch = _Batch(now, owner)
    size = triggers_settings().hand_over_group
    with _relaxed_durability():
        try:
            for start in range(0, len(ready), size):
                group = ready[start : start + size]
                batch.renew_leases(ready[start:])
                try:
                    batch.hand_over_group(group)
                except Exception as error:  # noqa: BLE001 - one guard's bug must not stop the others
                    batch.give_back(group, error)
        finally:
            batch.close()
    batch.write_notes()


@contextmanager
def _relaxed_durability() -> Iterator[None]:
    """Let PostgreSQL confirm marks before they reach the disk.

    A killed worker loses nothing by it: the server has the commit. Only a crash of the whole
    database server could forget the last marks, some tenths of a second of them.
    """
    connection = connections[database_for(Dispatch)]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO OFF")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")


def _no_receipt(one: Ready) -> Receipt:
    return Receipt(
        dispatch_id=one.row.pk, outcome=Outcome.UNKNOWN, detail="The channel gave no receipt."
    )


class _Batch:
    """What is kept over the groups of one batch: channels, notes, the time that passed."""

    def __init__(self, now: datetime, owner: str) -> None:
        self.started_at = now
        self.owner = owner
        self._started = time.monotonic()
        self._renewed_at = now
        self._channels: dict[str, Channel] = {}
        self._notes: list[Note] = []
        self._sent: list[int] = []

    @property
    def now(self) -> datetime:
        """Return the batch's time: its start plus what really passed since."""
        return self.started_at + timedelta(seconds=time.monotonic() - self._started)

    def renew_leases(self, rest: Sequence[Ready]) -> None:
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

    def hand_over_group(self, group: Sequence[Ready]) -> None:
        """Mark a group in one commit, hand over what was marked, write the receipts."""
        willing = [
            one
            for one in group
            if not self._is_rehearsal(one) and self._is_let_out(one) and self._nobody_objects(one)
        ]
        turns = marking.contended(one.subject for one in willing)
        # A single mark for which nobody contends commits by itself.
        together = bool(willing[1:] or turns)
        with transaction.atomic(using=database_for(Dispatch)) if together else nullcontext():
            marking.take_turns(turns)
            marked = [one for one in willing if self._mark(one)]
        for one in willing:
            if one not in marked:
                self._explain(one)
        for one, receipt in zip(marked, self._send(marked), strict=True):
            self._write(one, receipt)

    def give_back(self, group: Sequence[Ready], error: Exception) -> None:
        """Try again later what was not marked; what was is taken over when its lease ends."""
        logger.error("A group could not be handed over: %s", faults.told(error))
        leased = Dispatch.objects.filter(
            pk__in=[one.row.pk for one in group],
            state=DispatchState.LEASED,
            lease_owner=self.owner,
        ).values_list("pk", flat=True)
        ours = set(leased)
        for one in group:
            if one.row.pk in ours:
                settling.failed(one.row, error, self.now, rule="send", reason="broken_guard")

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

    def _mark(self, one: Ready) -> bool:
        first, *others = one.members
        return marking.mark(
            one.row,
            one.subject,
            first.observed,
            others=[(other.subject, other.observed) for other in others],
            point_id=one.point_id,
            point_hash=one.point_hash,
            owner=self.owner,
            leased_until=self.now + triggers_settings().lease_for,
        )

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
        if kind not in self._channels:
            self._channels[kind] = channels.get(kind)
        return self._channels[kind]

    def _write(self, one: Ready, receipt: Receipt) -> None:
        on_doubt = str(one.row.message.options.get("on_doubt", "hold"))
        receipt = catches.receipt_of(receipt)
        parties = parties_of(one.row, one.point_hash)
        state = settling.write_receipt(parties, receipt, on_doubt, self.now)
        if state is DispatchState.SENT:
            self._sent.append(one.row.message_id)
        self._notes.append(
            Note(
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
        )

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
        """Let go of the channels' connections."""
        for kind, channel in self._channels.items():
            try:
                channel.close()
            except Exception as error:  # noqa: BLE001 - what was sent is sent
                logger.error("The channel %s cannot be closed: %s", kind, faults.told(error))

    def write_notes(self) -> None:
        """Write the batch's decisions, and restart the waits behind what was sent."""
        settling.restart_waits(self._sent, self.now)
        note_many(self._notes, self.now)
