"""The sweep that finds reviews of which no signal told: written elsewhere, approved by staff.

Oscar sends nothing when a review is approved, and keeps no date of it: reviews that wait are
remembered by their ids and looked at again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max
from oscar.core.loading import get_model

from ...engine import intake, sweeping
from ...engine.intake import Record
from ...models import JournalEntry, Pulse
from ...snapshots import Person
from .. import tables
from .asking import is_open
from .events import ReviewApproved, ReviewWritten, about_product

#: A review's id is taken when it is written and seen when it is committed: this many ids below
#: the highest one are looked at again.
OVERLAP = 200
BATCH = 500
#: The newest reviews that wait for approval are remembered, and not more of them.
MOST_WAITING = 2_000
_MOST_BATCHES = 20


@sweeping.register
class ReviewSweep(sweeping.Sweep):
    """Records reviews that were written or approved without a word."""

    name = "reviews"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look above the watermark, and at what waits; the first look only takes its place."""
        if not is_open():
            return {"written": 0, "approved": 0}
        model: Any = get_model("reviews", "ProductReview")
        mark = pulse.watermark.get("review")
        floor = int(pulse.watermark.get("review_floor", 0))
        waiting = [int(pk) for pk in pulse.watermark.get("waiting", ())]
        if mark is None:
            mark = floor = int(_reviews().aggregate(highest=Max("pk"))["highest"] or 0)
            waiting = list(
                _reviews()
                .filter(status=model.FOR_MODERATION, pk__lte=mark)
                .order_by("-pk")
                .values_list("pk", flat=True)[:MOST_WAITING]
            )
        records, still = _look_again(waiting, model, now)
        since = max(int(mark) - OVERLAP, floor)
        for _batch in range(_MOST_BATCHES):
            rows = list(_reviews().filter(pk__gt=since).order_by("pk")[:BATCH])
            for row in rows:
                records += records_of(row, now=now)
            still += [row.pk for row in rows if row.status != model.APPROVED]
            if not rows:
                break
            since = rows[-1].pk
            mark = max(int(mark), since)
            if len(rows) < BATCH:
                break
        new = _unknown(records)
        intake.record_many(new)
        pulse.watermark = {
            **pulse.watermark,
            "review": mark,
            "review_floor": floor,
            "waiting": sorted(set(still))[-MOST_WAITING:],
        }
        written = sum(isinstance(one.event, ReviewWritten) for one in new)
        return {"written": written, "approved": len(new) - written}


def records_of(
    review: Any,
    *,
    now: datetime | None,
    person: Person | None = None,
    site_id: int | None = None,
) -> list[Record]:
    """Return what a review tells: that it was written and, when it is shown, that it is approved.

    Reads nothing that is not in memory. `now` dates an approval that is seen only now; `person`
    is whoever wrote it, where more is known than the review says.
    """
    if review.product_id is None:
        return []
    told = {
        "review_id": review.pk,
        "product_id": review.product_id,
        "score": review.score,
        "member": review.user_id is not None,
    }
    # A guest's review proves no address: anybody can type a customer's.
    person = person or Person(
        user_id=review.user_id, email="" if review.user_id is not None else review.email or ""
    )
    if not person:
        return []
    about = about_product(review.product_id)
    records = [
        Record(
            event=ReviewWritten(**told),
            about=about,
            person=person,
            site_id=site_id,
            occurred_at=review.date_created,
        )
    ]
    if review.status == type(review).APPROVED:
        records.append(
            Record(
                event=ReviewApproved(**told),
                about=about,
                person=person,
                site_id=site_id,
                occurred_at=now or review.date_created,
            )
        )
    return records


def _look_again(waiting: list[int], model: Any, now: datetime) -> tuple[list[Record], list[int]]:
    """Return the approvals among reviews that waited, and those that wait, or were rejected, still.

    Who was rejected may be approved after all; who was deleted is forgotten.
    """
    if not waiting:
        return [], []
    records: list[Record] = []
    statuses = dict(_reviews().filter(pk__in=waiting).values_list("pk", "status"))
    approved = [pk for pk, status in statuses.items() if status == model.APPROVED]
    still = [pk for pk in statuses if pk not in set(approved)]
    if approved:
        for row in _reviews().filter(pk__in=approved):
            records += [
                one for one in records_of(row, now=now) if isinstance(one.event, ReviewApproved)
            ]
    return records, still


def _unknown(records: list[Record]) -> list[Record]:
    """Return the records that the journal does not have yet; one query."""
    keys = {f"{one.event.kind}:{one.event.act_key(None)}": one for one in records}
    if not keys:
        return []
    known = set(JournalEntry.objects.filter(dedup_key__in=keys).values_list("dedup_key", flat=True))
    return [one for key, one in keys.items() if key not in known]


def _reviews() -> Any:
    return tables.rows("reviews", "ProductReview").order_by()
