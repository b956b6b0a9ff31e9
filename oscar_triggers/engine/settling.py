"""Settling: writing down what became of a message, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import F

from .. import signals
from ..channels import Outcome, Receipt
from ..conf import triggers_settings
from ..models import (
    Dispatch,
    DispatchState,
    ExitReason,
    Message,
    MessageItem,
    MessageState,
    SuppressionReason,
    trips,
)
from ..models.given import Given, GivenUpdate
from ..models.prepared import MOMENT, NUMBER, TEXT, Slot
from ..models.questions import Among, Question
from ..models.sql import database_for
from ..models.trips import Trip
from ..policy import verdicts
from ..policy.guards import Consequence, Refused
from . import bundling, catches, enrollments, incentives, retries, suppressing, wearing
from .decisions import Note, note_again, note_many

#: What a dispatch's end means for its message.
_MESSAGE_STATE = {
    DispatchState.SENT: MessageState.SENT,
    DispatchState.UNKNOWN: MessageState.UNKNOWN,
    DispatchState.SKIPPED: MessageState.SKIPPED,
    DispatchState.EXPIRED: MessageState.EXPIRED,
    DispatchState.CANCELLED: MessageState.CANCELLED,
    DispatchState.DEAD: MessageState.DEAD,
    DispatchState.SHADOWED: MessageState.SHADOWED,
}
#: Why a dispatch waits that was put off by a rate: it has its token, and takes no other.
BOOKED = "token_booked"
_NEVER_SENT = (
    DispatchState.SKIPPED,
    DispatchState.EXPIRED,
    DispatchState.CANCELLED,
    DispatchState.DEAD,
    DispatchState.SHADOWED,
)


@dataclass(frozen=True, kw_only=True)
class Parties:
    """The ids that settling a dispatch needs."""

    dispatch_id: int
    message_id: int
    contact_id: int | None
    channel: str
    point_hash: str


def parties_of(row: Dispatch, point_hash: str = "") -> Parties:
    """Return the ids of a dispatch that was loaded with its message."""
    return Parties(
        dispatch_id=row.pk,
        message_id=row.message_id,
        contact_id=row.message.contact_id,
        channel=row.channel,
        point_hash=point_hash or row.point_hash,
    )


def settle(
    parties: Parties, state: DispatchState, now: datetime, *, reason: str = "", detail: str = ""
) -> None:
    """End a dispatch and its message; waits behind it count from now, or from when it expired.

    What another worker sent meanwhile stays sent.
    """
    with transaction.atomic(using=database_for(Message)):
        settled = (
            Dispatch.objects.filter(pk=parties.dispatch_id)
            .exclude(state=DispatchState.SENT)
            .update(
                state=state,
                reason=reason[:60],
                detail=detail[:500],
                settled_at=now,
                lease_owner="",
                leased_until=None,
            )
        )
        if not settled:
            return
        Message.objects.filter(pk=parties.message_id).update(
            state=_MESSAGE_STATE[state], reason=reason[:60], settled_at=now
        )
        if state in _NEVER_SENT:
            incentives.revoke_all([parties.message_id], now)
        since = now
        if state == DispatchState.EXPIRED:
            # Not from when somebody looked: what would have followed it is late as well, or a
            # flow that stood still would go on with the next letter of everybody at once.
            since = min(
                now, Message.objects.values_list("not_after", flat=True).get(pk=parties.message_id)
            )
        restart_waits([parties.message_id], since)
    if state in _NEVER_SENT:
        signals.message_skipped.send_robust(
            sender=None,
            message_id=parties.message_id,
            contact_id=parties.contact_id,
            reason=reason,
        )


def settle_with_note(
    row: Dispatch,
    state: DispatchState,
    now: datetime,
    *,
    rule: str,
    reason: str,
    compared: Mapping[str, Any],
) -> None:
    """End a dispatch and write down which rule ended it, with the values it compared."""
    settle(parties_of(row), state, now, reason=reason)
    note_many(
        [
            Note(
                rule=rule,
                verdict=state.value,
                reason=reason,
                compared=compared,
                message_id=row.message_id,
                flow_id=row.message.flow_id,
            )
        ],
        now,
    )


def refuse(row: Dispatch, enrollment_id: int, verdict: verdicts.Skip, now: datetime) -> None:
    """Settle what policy forbids; who took consent back leaves the flow too."""
    settle_with_note(
        row,
        DispatchState.SKIPPED,
        now,
        rule=verdict.rule,
        reason=verdict.reason,
        compared=verdict.compared,
    )
    if verdict.reason in (verdicts.WITHDRAWN, verdicts.SUPPRESSED):
        enrollments.exit_many(
            [enrollment_id],
            ExitReason.UNSUBSCRIBED,
            now,
            rule="consent",
            compared=verdict.compared,
        )


def hold_back(
    row: Dispatch,
    enrollment_id: int,
    rule: str,
    refused: Refused,
    now: datetime,
    *,
    alone: bool = True,
) -> None:
    """Do what follows from a guard's refusal: skip, end the enrollment too, or prepare anew.

    Unless the message speaks for this enrollment `alone`, the others' message is prepared anew
    without it.
    """
    if refused.consequence is Consequence.POSTPONE:
        put_off(
            row,
            verdicts.Postpone(
                until=refused.until or now + triggers_settings().tick_every,
                reason=refused.reason,
                compared=refused.compared,
            ),
            now,
            rule=rule,
        )
        return
    if refused.consequence is Consequence.STALE:
        requeue(row.pk, now + triggers_settings().tick_every)
        note_again(
            Note(
                rule=rule,
                verdict="stale",
                reason=refused.reason,
                compared=refused.compared,
                message_id=row.message_id,
                flow_id=row.message.flow_id,
            ),
            now,
        )
        return
    if not alone:
        bundling.leave(
            row, enrollment_id, now, rule=rule, reason=refused.reason, compared=refused.compared
        )
    else:
        settle_with_note(
            row,
            DispatchState.SKIPPED,
            now,
            rule=rule,
            reason=refused.reason,
            compared=refused.compared,
        )
    if refused.consequence is Consequence.EXIT:
        enrollments.exit_many(
            [enrollment_id], refused.exit_reason, now, rule=rule, compared=refused.compared
        )


def put_off(row: Dispatch, verdict: verdicts.Postpone, now: datetime, *, rule: str) -> None:
    """Give a leased dispatch back until a rule allows it, and write down which rule."""
    requeue(row.pk, verdict.until)
    bundling.open_again(row.message)
    note_again(
        Note(
            rule=rule,
            verdict="postpone",
            reason=verdict.reason,
            compared={**verdict.compared, "until": verdict.until},
            message_id=row.message_id,
            flow_id=row.message.flow_id,
        ),
        now,
    )


def restart_waits(message_ids: Sequence[int], since: datetime) -> None:
    """Let the waits behind messages count from a moment (UTC)."""
    items = _ITEMS.ask({"messages": message_ids})
    enrollments.start_waits([enrollment_id for (enrollment_id,) in items], since)


_ITEMS = Question(
    lambda: MessageItem,
    lambda rows: rows.filter(Among("message_id", "messages")).values_list("enrollment_id"),
)


def requeue(dispatch_id: int, due_at: datetime, *, crashed: bool = False) -> None:
    """Give a leased dispatch back uncounted, to be prepared again from then on."""
    Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.LEASED).update(
        state=DispatchState.PLANNED,
        due_at=due_at,
        lease_owner="",
        leased_until=None,
        crashes=F("crashes") + (1 if crashed else 0),
    )


def wait_for_token(dispatch_id: int, due_at: datetime) -> None:
    """Give a leased dispatch back until the moment at which its booked token is due."""
    Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.LEASED).update(
        state=DispatchState.PLANNED,
        due_at=due_at,
        reason=BOOKED,
        lease_owner="",
        leased_until=None,
    )


def failed(row: Dispatch, error: Exception, now: datetime, *, rule: str, reason: str) -> None:
    """Prepare a dispatch anew after a pause; what fails again and again is dead.

    The cause may be gone by then: a cache that was down, an extension that is mended.
    """
    general = triggers_settings()
    compared: dict[str, Any] = {"error": type(error).__name__}
    crashes = row.crashes + 1
    if crashes >= general.max_crashes:
        settle_with_note(row, DispatchState.DEAD, now, rule=rule, reason=reason, compared=compared)
        return
    pauses = general.retry_after or (general.tick_every,)
    until = now + pauses[min(crashes, len(pauses)) - 1]
    requeue(row.pk, until, crashed=True)
    note_again(
        Note(
            rule=rule,
            verdict="postpone",
            reason=reason,
            compared={**compared, "until": until},
            message_id=row.message_id,
            flow_id=row.message.flow_id,
        ),
        now,
    )


def write_receipt(
    parties: Parties,
    receipt: Receipt,
    on_doubt: str,
    now: datetime,
    *,
    owner: str,
    attempt: int,
) -> DispatchState:
    """Write what the provider said; return the state that the dispatch has now.

    `owner` and `attempt` are the fence: what another worker took over meanwhile is not put back.
    """
    if receipt.outcome is Outcome.SENT:
        gone = [Gone(parties=parties, receipt=receipt)]
        with trips.trip(database_for(Message)) as trip:
            write_sent(trip, gone, now)
        tell_sent(gone)
        return DispatchState.SENT
    if receipt.outcome is Outcome.REFUSED:
        if receipt.point_is_dead:
            suppressing.suppress(
                [(parties.channel, parties.point_hash)], SuppressionReason.BOUNCE, now
            )
        elif not catches.are_redirecting():
            wearing.note_refusal(
                parties.dispatch_id,
                parties.channel,
                parties.point_hash,
                receipt.provider,
                receipt.detail,
                now,
            )
        settle(parties, DispatchState.DEAD, now, reason="refused", detail=receipt.detail)
        return DispatchState.DEAD
    fence = {"pk": parties.dispatch_id, "lease_owner": owner, "attempt": attempt}
    if receipt.outcome is Outcome.UNTOUCHED or (
        receipt.outcome is Outcome.FAILED and receipt.provider_is_down
    ):
        pause = retries.uncounted_pause(receipt, parties.dispatch_id, attempt)
        if receipt.outcome is Outcome.UNTOUCHED:
            pause = triggers_settings().tick_every
        Dispatch.objects.filter(**fence, state=DispatchState.SENDING).update(
            state=DispatchState.PLANNED,
            attempt=F("attempt") - 1,
            due_at=now + pause,
            detail=receipt.detail[:500],
            lease_owner="",
            leased_until=None,
        )
        return DispatchState.PLANNED
    if receipt.outcome is Outcome.UNKNOWN and on_doubt != "resend":
        settle(parties, DispatchState.UNKNOWN, now, reason="no_answer", detail=receipt.detail)
        return DispatchState.UNKNOWN
    pause_before_next = retries.pause(receipt, parties.dispatch_id, attempt)
    if pause_before_next is None:
        settle(parties, DispatchState.DEAD, now, reason="gave_up", detail=receipt.detail)
        return DispatchState.DEAD
    Dispatch.objects.filter(**fence, state=DispatchState.SENDING).update(
        state=DispatchState.RETRY,
        due_at=now + pause_before_next,
        detail=receipt.detail[:500],
        lease_owner="",
        leased_until=None,
    )
    return DispatchState.RETRY


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A dispatch that its provider took over, and what the provider said."""

    parties: Parties
    receipt: Receipt


def write_sent(trip: Trip, gone: Sequence[Gone], now: datetime) -> None:
    """Have a trip write down what went; the waits behind it are restarted by `restart_waits`."""
    if not gone:
        return
    rows = [
        {
            "id": one.parties.dispatch_id,
            "message": one.parties.message_id,
            "provider": one.receipt.provider[:60],
            "provider_id": one.receipt.provider_id[:200],
            "detail": one.receipt.detail[:500],
        }
        for one in gone
    ]
    dispatches, messages = _sent_statements(database_for(Message))
    dispatches.run(trip, rows, {"now": now})
    messages.run(trip, rows, {"now": now})


def tell_sent(gone: Sequence[Gone]) -> None:
    """Send message_sent for each, once that is committed."""
    if not signals.message_sent.has_listeners():
        return
    for one in gone:
        signals.message_sent.send_robust(
            sender=None,
            dispatch_id=one.parties.dispatch_id,
            message_id=one.parties.message_id,
            contact_id=one.parties.contact_id,
            channel=one.parties.channel,
        )


@cache
def _sent_statements(alias: str) -> tuple[GivenUpdate, GivenUpdate]:
    """Return what writes down letters that went, for dispatches and for their messages."""
    now = Slot("now", MOMENT)
    columns: dict[str, Any] = {
        "id": NUMBER,
        "message": NUMBER,
        "provider": TEXT,
        "provider_id": TEXT,
        "detail": TEXT,
    }
    return (
        GivenUpdate(
            Dispatch.objects.using(alias).filter(pk=Given("id", NUMBER)),
            {
                "state": DispatchState.SENT,
                "settled_at": now,
                "provider": Given("provider", TEXT),
                "provider_id": Given("provider_id", TEXT),
                "detail": Given("detail", TEXT),
                "lease_owner": "",
                "leased_until": None,
            },
            columns,
        ),
        GivenUpdate(
            Message.objects.using(alias).filter(pk=Given("message", NUMBER)),
            {"state": MessageState.SENT, "reason": "", "settled_at": now},
            columns,
        ),
    )


def put_back(dispatch_ids: Sequence[int], owner: str) -> None:
    """Give leased dispatches back as they were: uncounted, and in their order."""
    Dispatch.objects.filter(
        pk__in=dispatch_ids, state=DispatchState.LEASED, lease_owner=owner
    ).update(state=DispatchState.PLANNED, lease_owner="", leased_until=None)
