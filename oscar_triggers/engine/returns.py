"""What comes back: providers' reports about messages, once each and in any order.

A report is a row; what it means is read from all rows about the same dispatch or point. So a
report that comes twice, late or before the one that it follows changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from .. import signals
from ..kinds import clean_text
from ..models import (
    Dispatch,
    DispatchState,
    Feedback,
    ProviderReport,
    SuppressionReason,
    point_hash,
)
from ..models.sql import database_for, insert_or_ignore
from ..policy.bounces import Weight
from ..policy.points import EMAIL, normalise_or_nothing
from . import alarms, catches, resolving, suppressing, unsubscribing, wearing

#: What a later word may overrule: a complaint stands above all, a delay below all.
RANK: dict[str, int] = {
    Feedback.DEFERRED: 1,
    Feedback.DELIVERED: 2,
    Feedback.OPENED: 3,
    Feedback.CLICKED: 4,
    Feedback.UNSUBSCRIBED: 5,
    Feedback.FAILED: 6,
    Feedback.REJECTED: 7,
    Feedback.BOUNCED: 8,
    Feedback.COMPLAINED: 9,
}
#: It did not reach the mailbox, whatever was said before.
_NOT_DELIVERED = frozenset({Feedback.BOUNCED, Feedback.REJECTED, Feedback.FAILED})
#: It is in the mailbox.
_ARRIVED = frozenset({Feedback.DELIVERED, Feedback.OPENED, Feedback.CLICKED})
#: The provider itself sent nothing.
_NOT_SENT = frozenset({Feedback.REJECTED, Feedback.FAILED})
#: Words of Anymail's that only say that the provider has it.
_TAKEN_OVER = frozenset({"queued", "sent"})

#: So many refusals by rule from one provider within a day are told to staff.
POLICY_ALARM = 10
_POLICY_REASONS = ("blocked", "spam", "timed_out", Weight.POLICY.value)
_POLICY_WITHIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ProviderEvent:
    """One report of a provider, in Anymail's words; who hands it over has authenticated it."""

    provider: str
    #: "queued", "sent" or one of models.Feedback; anything else is left out.
    kind: str
    #: When it happened (UTC); None where the provider does not say.
    occurred_at: datetime | None = None
    #: The provider's own id of this report.
    event_id: str = ""
    #: The provider's id of the message.
    provider_id: str = ""
    #: Message.public_id, where the provider gives our metadata back.
    public_id: str = ""
    channel: str = EMAIL
    #: The point as the provider writes it; only its keyed hash is kept.
    point: str = ""
    #: Anymail's reject_reason: invalid, bounced, timed_out, blocked, spam, unsubscribed, other.
    reason: str = ""
    #: What a refusal says about the point.
    weight: Weight = Weight.NONE
    #: What was said, without addresses.
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class _Report:
    event: ProviderEvent
    dedup_key: str
    dispatch: Dispatch | None
    point_hash: str
    occurred_at: datetime


def take_many(events: Sequence[ProviderEvent], now: datetime) -> int:
    """Take providers' reports in; return how many are new.

    The reports and what follows from them are one transaction: after a crash, the provider's
    repetition does it all.
    """
    known = [e for e in events if e.kind in RANK or e.kind in _TAKEN_OVER]
    if not known:
        return 0
    with transaction.atomic(using=database_for(ProviderReport)):
        reports = _new(_read(known, now))
        kept = [report for report in reports if report.event.kind in RANK]
        insert_or_ignore(
            ProviderReport, [_row(report, now) for report in kept], conflict="dedup_key"
        )
        _resolve(reports, now)
        _write_feedback(kept)
        _suppress(kept, now)
        _unsubscribe(kept, now)
        _tell(kept)
    _warn_of_policies(kept, now)
    return len(reports)


def _read(events: Sequence[ProviderEvent], now: datetime) -> list[_Report]:
    matched = _match(events)
    reports = []
    for event, dispatch in zip(events, matched, strict=True):
        spelled = normalise_or_nothing(event.channel, event.point)
        # A letter that was redirected or forwarded comes back from another point than it went to.
        hash_ = point_hash(event.channel, spelled) if spelled else ""
        reports.append(
            _Report(
                event=event,
                dedup_key=_dedup_key(event, hash_),
                dispatch=dispatch,
                point_hash=hash_ or (dispatch.point_hash if dispatch is not None else ""),
                # Two clocks: what comes from the future happened now.
                occurred_at=min(event.occurred_at or now, now),
            )
        )
    return reports


def _dedup_key(event: ProviderEvent, hash_: str) -> str:
    """Return what is the same for the same report.

    Ids of reports are not enough: one notification of a provider may tell of several recipients.
    """
    told = event.event_id or "|".join(
        (
            event.provider_id or event.public_id,
            event.occurred_at.isoformat() if event.occurred_at is not None else "",
        )
    )
    content = "|".join((told, event.kind, hash_))
    digest = hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=24).hexdigest()
    return f"{clean_text(event.provider)[:60]}:{digest}"


def _match(events: Sequence[ProviderEvent]) -> list[Dispatch | None]:
    """Find each report's dispatch, by our own id first; one query."""
    wanted = Q()
    if public_ids := {e.public_id for e in events if e.public_id}:
        wanted |= Q(message__public_id__in=public_ids)
    if provider_ids := {e.provider_id for e in events if e.provider_id}:
        wanted |= Q(provider_id__in=provider_ids)
    if not wanted:
        return [None] * len(events)
    by_public: dict[tuple[str, str], list[Dispatch]] = defaultdict(list)
    by_provider: dict[tuple[str, str], list[Dispatch]] = defaultdict(list)
    for row in _candidates(public_ids, provider_ids):
        by_public[row.channel, row.message.public_id].append(row)
        if row.provider_id:
            by_provider[row.channel, row.provider_id].append(row)
    found: list[Dispatch | None] = []
    for event in events:
        ours = by_public.get((event.channel, event.public_id), [])
        same = by_provider.get((event.channel, event.provider_id), [])
        # Of several tries by one channel, the one that the provider names.
        both = [row for row in ours if row in same]
        found.append(next(iter([*both, *ours[-1:], *same[-1:]]), None))
    return found


def _candidates(public_ids: Iterable[str], provider_ids: Iterable[str]) -> list[Dispatch]:
    # Two queries that use an index each; OR over two tables would use none.
    columns = ("message__public_id", "message__contact_id", "message__flow_id")
    rows = Dispatch.objects.select_related("message").only(
        "channel", "provider_id", "point_hash", "state", "feedback", "attempt", "hop", *columns
    )
    found = {row.pk: row for row in rows.filter(message__public_id__in=list(public_ids))}
    for row in rows.filter(provider_id__in=list(provider_ids)):
        found.setdefault(row.pk, row)
    return [found[pk] for pk in sorted(found)]


def _new(reports: Sequence[_Report]) -> list[_Report]:
    first = {report.dedup_key: report for report in reversed(reports)}
    known = set(
        ProviderReport.objects.filter(dedup_key__in=first).values_list("dedup_key", flat=True)
    )
    return [report for key, report in reversed(first.items()) if key not in known]


def _row(report: _Report, now: datetime) -> dict[str, object]:
    event = report.event
    return {
        "dedup_key": report.dedup_key,
        "dispatch_id": report.dispatch.pk if report.dispatch is not None else None,
        "provider": clean_text(event.provider)[:60],
        "kind": event.kind,
        "channel": event.channel,
        "point_hash": report.point_hash,
        "reason": _reason_of(event)[:20],
        "detail": clean_text(event.detail)[:500],
        "occurred_at": report.occurred_at,
        "received_at": now,
    }


def _reason_of(event: ProviderEvent) -> str:
    """Return the reason that is kept: soft bounces and refusals by rule are counted by it."""
    if event.weight is Weight.SOFT:
        return Weight.SOFT.value
    if event.weight is Weight.POLICY and event.reason not in _POLICY_REASONS:
        return Weight.POLICY.value
    return clean_text(event.reason)


def _resolve(reports: Sequence[_Report], now: datetime) -> None:
    """Settle what nobody could tell about: the provider can.

    Also what counts as failed because workers died or tries ran out: one of them did arrive.
    """
    for report in reports:
        dispatch = report.dispatch
        if dispatch is None:
            continue
        in_doubt = dispatch.state in (DispatchState.UNKNOWN, DispatchState.RETRY)
        if report.event.kind in _NOT_SENT:
            if dispatch.state == DispatchState.UNKNOWN:
                resolving.mark_failed(dispatch.pk, now)
        elif in_doubt or (dispatch.state == DispatchState.DEAD and report.event.kind in _ARRIVED):
            resolving.mark_arrived(dispatch.pk, now)


def _write_feedback(reports: Sequence[_Report]) -> None:
    """Write what all reports of each dispatch come to, whatever order they came in."""
    ids = {report.dispatch.pk for report in reports if report.dispatch is not None}
    if not ids:
        return
    told: dict[int, list[tuple[str, datetime]]] = defaultdict(list)
    for dispatch_id, kind, occurred_at in ProviderReport.objects.filter(
        dispatch_id__in=ids
    ).values_list("dispatch_id", "kind", "occurred_at"):
        told[dispatch_id].append((kind, occurred_at))
    rows = []
    for dispatch_id, reports_of in told.items():
        kind, moment = max(reports_of, key=lambda one: (RANK.get(one[0], 0), -one[1].timestamp()))
        is_back = any(name in _NOT_DELIVERED for name, _at in reports_of)
        rows.append(
            Dispatch(
                pk=dispatch_id,
                feedback=kind,
                feedback_at=moment,
                delivered_at=None if is_back else _first(reports_of, Feedback.DELIVERED),
                opened_at=_first(reports_of, Feedback.OPENED),
            )
        )
    Dispatch.objects.bulk_update(
        rows, ["feedback", "feedback_at", "delivered_at", "opened_at"], batch_size=500
    )


def _first(told: Iterable[tuple[str, datetime]], kind: str) -> datetime | None:
    return min((at for name, at in told if name == kind), default=None)


def _suppress(reports: Sequence[_Report], now: datetime) -> None:
    if catches.are_redirecting():
        return
    complained, dead, tired = set(), set(), set()
    for report in reports:
        event, point = report.event, (report.event.channel, report.point_hash)
        if not report.point_hash:
            continue
        if event.kind == Feedback.COMPLAINED:
            complained.add(point)
        elif event.kind in _NOT_DELIVERED and event.weight is Weight.HARD:
            dead.add(point)
        elif event.weight is Weight.SOFT:
            tired.add(point)
    suppressing.suppress(complained, SuppressionReason.COMPLAINT, now)
    suppressing.suppress(dead - complained, SuppressionReason.BOUNCE, now)
    wearing.suppress_worn_out(tired - dead - complained, now)


def _unsubscribe(reports: Sequence[_Report], now: datetime) -> None:
    if catches.are_redirecting():
        return
    for report in reports:
        event = report.event
        wants_out = event.kind == Feedback.UNSUBSCRIBED or (
            event.kind == Feedback.REJECTED and event.reason == "unsubscribed"
        )
        if wants_out and report.point_hash:
            unsubscribing.unsubscribe_point(
                event.channel,
                report.point_hash,
                report.dispatch.message.contact_id if report.dispatch is not None else None,
                now,
                source="provider",
            )


def _tell(reports: Sequence[_Report]) -> None:
    for report in reports:
        if report.dispatch is not None:
            _tell_after_commit(report, report.dispatch)


def _tell_after_commit(report: _Report, dispatch: Dispatch) -> None:
    def tell() -> None:
        signals.feedback_received.send_robust(
            sender=None,
            dispatch_id=dispatch.pk,
            message_id=dispatch.message_id,
            contact_id=dispatch.message.contact_id,
            kind=report.event.kind,
            reason=report.event.reason,
            occurred_at=report.occurred_at,
        )

    transaction.on_commit(tell, using=database_for(ProviderReport), robust=True)


def _warn_of_policies(reports: Sequence[_Report], now: datetime) -> None:
    """Tell staff where letters are refused by rules: people are innocent, the shop is not."""
    for provider in {r.event.provider for r in reports if r.event.weight is Weight.POLICY}:
        count = ProviderReport.objects.filter(
            provider=clean_text(provider)[:60],
            reason__in=_POLICY_REASONS,
            received_at__gt=now - _POLICY_WITHIN,
        ).count()
        if count >= POLICY_ALARM:
            alarms.raise_alarm(
                f"policy:{provider}"[:120],
                f"Mail servers refused {count} letters by their rules within a day ({provider}).",
                now,
                advice=(
                    "Look at the details in the provider reports: SPF, DKIM and DMARC of the "
                    "sender, its reputation, the text. Nobody was suppressed for it."
                ),
            )
