"""Points that are never written to, whatever their consent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ..models import Suppression, SuppressionReason
from ..models.prepared import TEXT
from ..models.questions import Among, Question


def suppress(
    channel: str, point_hash: str, reason: SuppressionReason, now: datetime, *, note: str = ""
) -> bool:
    """Never write to a point again; return False when it was suppressed already."""
    return suppress_many([(channel, point_hash)], reason, now, note=note) == 1


def suppress_many(
    points: Iterable[tuple[str, str]],
    reason: SuppressionReason,
    now: datetime,
    *,
    note: str = "",
) -> int:
    """Never write to these (channel, point hash) again; return how many are new."""
    wanted = sorted(set(points))
    present = suppressed_among(wanted)
    new = [point for point in wanted if point not in present]
    Suppression.objects.bulk_create(
        [
            Suppression(
                channel=channel, point_hash=point_hash, reason=reason, note=note, created_at=now
            )
            for channel, point_hash in new
        ],
        ignore_conflicts=True,
    )
    return len(new)


def suppressed_among(points: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the suppressed ones of these (channel, point hash) with their reasons, by one query."""
    wanted = set(points)
    if not wanted:
        return {}
    rows = _SUPPRESSED.ask(
        {
            "channels": {channel for channel, _hash in wanted},
            "hashes": {point_hash for _channel, point_hash in wanted},
        }
    )
    return {
        (channel, hash_): reason for channel, hash_, reason in rows if (channel, hash_) in wanted
    }


_SUPPRESSED = Question(
    lambda: Suppression,
    lambda rows: rows.filter(
        Among("channel", "channels", TEXT), Among("point_hash", "hashes", TEXT)
    ).values_list("channel", "point_hash", "reason"),
)


def lift(channel: str, point_hash: str) -> bool:
    """Let a point be written to again where consent allows it; return whether it was suppressed.

    For staff who know that the reason is gone; consent is not given back by it.
    """
    deleted, _by_model = Suppression.objects.filter(channel=channel, point_hash=point_hash).delete()
    return bool(deleted)
