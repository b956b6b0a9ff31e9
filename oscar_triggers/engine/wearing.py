"""Points that wear out: mailboxes that are full or away, again and again, for a long time."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from ..conf import triggers_settings
from ..models import Feedback, ProviderReport, SuppressionReason
from ..models.sql import database_for, insert_or_ignore
from ..policy.bounces import Weight, weigh
from . import suppressing


def note_refusal(
    dispatch_id: int, channel: str, point_hash: str, provider: str, detail: str, now: datetime
) -> None:
    """Count a refusal at the hand-over like a bounce that a provider reports later.

    `detail` is what the mail server said, without addresses. Refusals that say nothing about the
    mailbox are not kept.
    """
    weight = weigh(detail)
    if weight not in (Weight.SOFT, Weight.POLICY) or not point_hash:
        return
    digest = hashlib.blake2b(f"{dispatch_id}|{now.isoformat()}".encode(), digest_size=24)
    row = {
        "dedup_key": f"hand-over:{digest.hexdigest()}",
        "dispatch_id": dispatch_id,
        "provider": provider[:60],
        "kind": Feedback.BOUNCED,
        "channel": channel,
        "point_hash": point_hash,
        "reason": weight.value,
        "detail": detail[:500],
        "occurred_at": now,
        "received_at": now,
    }
    with transaction.atomic(using=database_for(ProviderReport)):
        insert_or_ignore(ProviderReport, [row], conflict="dedup_key")
        if weight is Weight.SOFT:
            suppress_worn_out([(channel, point_hash)], now)


def suppress_worn_out(points: Iterable[tuple[str, str]], now: datetime) -> int:
    """Suppress those of these (channel, point hash) that are worn out; return how many."""
    return suppressing.suppress(
        worn_out(points), SuppressionReason.BOUNCE, now, note="soft bounces"
    )


def worn_out(points: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the points that came back softly too often, for too long, with nothing delivered.

    Delays of one message on one day count once: providers report each of their tries.
    """
    wanted = set(points)
    if not wanted:
        return set()
    most, over = triggers_settings().soft_bounces
    told: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    reached = (Feedback.DELIVERED, Feedback.OPENED, Feedback.CLICKED)
    for channel, hash_, kind, _reason, at, dispatch_id, pk in (
        ProviderReport.objects.filter(
            channel__in={channel for channel, _hash in wanted},
            point_hash__in={hash_ for _channel, hash_ in wanted},
        )
        .filter(Q(reason=Weight.SOFT.value) | Q(kind__in=reached))
        .order_by("occurred_at", "pk")
        .values_list("channel", "point_hash", "kind", "reason", "occurred_at", "dispatch_id", "pk")
    ):
        point = (channel, hash_)
        if kind in reached:
            told[point].clear()
        else:
            # A report about no message of ours is a letter of its own.
            told[point].append((at, dispatch_id or -pk))
    found = set()
    for point in wanted:
        moments = told[point]
        times = {(at.date(), letter) for at, letter in moments}
        if len(times) >= most and moments[-1][0] - moments[0][0] >= over:
            found.add(point)
    return found
