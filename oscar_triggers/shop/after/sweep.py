"""The sweep over orders: which stage each has reached, whoever set it there.

Admins, imports, `QuerySet.update` and shipping events send no signal. So orders are compared with
what the last look saw, counted by the database; only those that differ are read. Which of them
are compared, the tables say (`stirring`); the others have their turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from ...conf import triggers_settings
from ...engine import flows, intake, sweeping
from ...models import OrderWatch, Pulse
from ...models.bulk import update_each
from ...models.sql import database_for, insert_or_ignore
from .. import tables
from ..orders import OVERLAP, highest_order
from . import pickup, reading, stages, stirring
from .deciding import Decided, Look, Thresholds
from .events import OrderUnpaid, OrderUnpaidOptions, PickupEnding, PickupEndingOptions

NAME = "order_stages"

#: How many orders are compared at once, and at each look in turn; how many are read at once.
SLICE = 1_000
BATCH = 500
_MOST_BATCHES = 40
#: A row is dated when it is written and seen when it is committed.
_OVERLAP = timedelta(minutes=10)
#: Orders with nothing more ahead of them than a refund.
_SETTLED = Q(stages__has_any_keys=[stages.RECEIVED, *stages.OVER])


@dataclass(kw_only=True)
class _Tally:
    looked: int = 0
    new: int = 0
    changed: int = 0
    told: int = 0

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(kw_only=True)
class _Round:
    """What one run of the sweep knows."""

    now: datetime
    #: Orders up to this number were there when we began to look: they start nothing.
    floor: int
    #: What fell due before we began to look is not told either.
    began_at: datetime
    thresholds: Thresholds
    tally: _Tally = field(default_factory=_Tally)


@sweeping.register
class OrderStageSweep(sweeping.Sweep):
    """Tells each stage of each order once; the first look of a shop only watches."""

    name = NAME

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Take up new orders, compare the open ones, and let go of those that are too old."""
        mark = dict(pulse.watermark)
        highest = highest_order()
        mark.setdefault("floor", highest)
        mark.setdefault("began_at", now.isoformat())
        mark.setdefault("order", 0)
        oldest = now - triggers_settings().order_max_age
        OrderWatch.objects.filter(closed_at=None, placed_at__lt=oldest).update(closed_at=now)
        this = _Round(
            now=now,
            floor=mark["floor"],
            began_at=datetime.fromisoformat(mark["began_at"]),
            thresholds=_thresholds(),
        )
        mark["order"] = _take_up(mark["order"], highest, oldest, this)
        _compare(this, mark)
        pulse.watermark = mark
        return this.tally.as_dict()


def _thresholds() -> Thresholds:
    unpaid = flows.live_trigger_options(OrderUnpaid.kind)
    ending = flows.live_trigger_options(PickupEnding.kind)
    return Thresholds(
        unpaid=sorted({one.after for one in unpaid if isinstance(one, OrderUnpaidOptions)}),
        pickup=sorted(
            {(one.term, one.before) for one in ending if isinstance(one, PickupEndingOptions)}
        ),
    )


def _take_up(mark: int, highest: int, oldest: datetime, this: _Round) -> int:
    """Begin to watch the orders above the mark; return how far we came."""
    since = max(mark - OVERLAP, 0)
    for _batch in range(_MOST_BATCHES):
        watched = OrderWatch.objects.filter(order_id=OuterRef("pk"))
        ids = list(
            tables.orders()
            .filter(~Exists(watched), pk__gt=since, pk__lte=highest, date_placed__gte=oldest)
            .order_by("pk")
            .values_list("pk", flat=True)[:BATCH]
        )
        if ids:
            this.tally.new += len(ids)
            _look([OrderWatch(order_id=pk) for pk in ids], this)
            since = ids[-1]
        if len(ids) < BATCH:
            return highest
    return since


def _compare(this: _Round, mark: dict[str, Any]) -> None:
    """Look at the orders of which the tables say that something stirred, and at some in turn.

    What no table dates, a line that `QuerySet.update` set, is seen when its order has its turn.
    """
    watched = OrderWatch.objects.filter(closed_at=None)
    since = datetime.fromisoformat(mark.get("looked_at", mark["began_at"])) - _OVERLAP
    stirred = stirring.find(watched, since, this.now, this.thresholds)
    turns = (("open", watched.exclude(_SETTLED)), ("settled", watched.filter(_SETTLED)))
    for name, rows in turns:
        turn = rows.filter(pk__gt=mark.get(name, 0)).order_by("pk").values_list("pk", flat=True)
        ids = list(turn[:SLICE])
        mark[name] = ids[-1] if len(ids) == SLICE else 0
        stirred.update(ids)
    mark["looked_at"] = this.now.isoformat()
    ids = sorted(stirred)
    for start in range(0, len(ids), SLICE):
        _compare_slice(list(watched.filter(pk__in=ids[start : start + SLICE]).order_by("pk")), this)


def _compare_slice(watches: Sequence[OrderWatch], this: _Round) -> None:
    if not watches:
        return
    this.tally.looked += len(watches)
    now = reading.fingerprints([watch.order_id for watch in watches])
    kept = _kept_until(watches, this)
    wanted = [
        watch
        for watch in watches
        if now.get(watch.order_id) != watch.fingerprint
        or this.thresholds.due(watch, kept.get(watch.number), this.began_at, this.now)
    ]
    for start in range(0, len(wanted), BATCH):
        _look(wanted[start : start + BATCH], this, kept)


def _kept_until(watches: Sequence[OrderWatch], this: _Round) -> dict[str, datetime]:
    """Ask the shop's code about orders that wait to be fetched, where a flow wants to know."""
    if not this.thresholds.pickup:
        return {}
    waiting = [
        watch.number
        for watch in watches
        if stages.READY in watch.stages
        and not {stages.RECEIVED, *stages.OVER} & watch.stages.keys()
    ]
    return pickup.kept_until(waiting) if waiting else {}


def _look(
    watches: Sequence[OrderWatch], this: _Round, kept: dict[str, datetime] | None = None
) -> None:
    """Read a batch of orders and write what follows, in one short transaction."""
    ids = [watch.order_id for watch in watches]
    # Counted before it is read: what changes in between is seen by the next look.
    prints = reading.fingerprints(ids)
    seen = reading.read(ids)
    decided = [
        Look(
            watch,
            seen.get(watch.order_id),
            fingerprint=prints.get(watch.order_id, ""),
            now=this.now,
            is_silent=watch._state.adding and watch.order_id <= this.floor,
            kept_until=(kept or {}).get(watch.number),
            thresholds=this.thresholds,
            began_at=this.began_at,
        ).decide()
        for watch in watches
    ]
    with transaction.atomic(using=database_for(OrderWatch)):
        _write([one.watch for one in decided])
        records = [record for one in decided for record in one.told]
        intake.record_many(records)
    this.tally.told += len(records)
    this.tally.changed += sum(1 for one in _old(decided))


def _old(decided: Sequence[Decided]) -> Iterator[Decided]:
    return (one for one in decided if not one.is_new)


_WRITTEN = (
    "number",
    "status",
    "fingerprint",
    "stages",
    "known",
    "placed_at",
    "seen_at",
    "closed_at",
)


def _write(watches: Sequence[OrderWatch]) -> None:
    new = [watch for watch in watches if watch._state.adding and watch.number]
    insert_or_ignore(
        OrderWatch,
        [
            {"order_id": watch.order_id, **{name: getattr(watch, name) for name in _WRITTEN}}
            for watch in new
        ],
        conflict="order_id",
    )
    update_each([watch for watch in watches if not watch._state.adding], _WRITTEN)


def look_again(order_id: int) -> None:
    """Have an order compared at the next look, whatever the tables say of it."""
    OrderWatch.objects.filter(order_id=order_id, closed_at=None).update(fingerprint="")


def hurry() -> None:
    """Have the next tick look, instead of the next turn: a signal told that there is something."""
    Pulse.objects.filter(name=f"sweep:{NAME}").update(ran_at=None)
