"""The sweep that finds left baskets, and what no signal told about them.

Oscar dates a line when it is saved; a removal, a voucher, `QuerySet.update` and bulk imports
leave no date. So lines saved since the last look are found by their date (indexed), and every
basket that is being watched is compared with its fingerprint at each look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction

from ..conf import triggers_settings
from ..engine import enrollments, flows, intake, sweeping
from ..engine.intake import Record
from ..models import BasketWatch, Enrollment, ExitReason, JournalEntry, Pulse
from ..models.sql import database_for, upsert
from ..snapshots import About, Person
from . import tables, waiting
from .events import BasketLeft, BasketLeftOptions, about_basket
from .looking import Seen, line_count_of, look

#: How far a slice reaches back into the one before it: a change is dated when it is made and
#: seen when it is committed, and the clocks of the shop's servers differ.
OVERLAP = timedelta(minutes=10)
BATCH = 1_000


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What the live flows want to hear about."""

    #: {idle: the longest age that a flow with that idle accepts}
    idles: dict[timedelta, timedelta] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Iterable[object]) -> Thresholds:
        """Return the thresholds of flows."""
        idles: dict[timedelta, timedelta] = {}
        for one in options:
            if isinstance(one, BasketLeftOptions):
                idles[one.idle] = max(one.max_age, idles.get(one.idle, one.max_age))
        return cls(idles=idles)

    @property
    def oldest(self) -> timedelta:
        """Return the age beyond which no flow wants a basket."""
        return max(self.idles.values(), default=triggers_settings().basket_max_age)


@sweeping.register
class BasketSweep(sweeping.Sweep):
    """Watches the baskets of people whom we know, and tells when one is left."""

    name = "baskets"

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at what changed since the last look and at all that is watched."""
        thresholds = Thresholds.of(flows.live_trigger_options(BasketLeft.kind))
        found: dict[str, int] = defaultdict(int)
        for batch in _batches(_ids_to_look_at(thresholds, pulse.position_at, now)):
            _Look(batch, thresholds, now).finish(found)
        # With no flow there is nothing to look for; the first one starts at its oldest age.
        pulse.position_at = now if thresholds.idles else None
        return dict(found)


def _ids_to_look_at(
    thresholds: Thresholds, position_at: datetime | None, now: datetime
) -> list[int]:
    watched = set(
        BasketWatch.objects.filter(closed_at=None, changed_at__isnull=False).values_list(
            "basket_id", flat=True
        )
    )
    if thresholds.idles:
        since = now - thresholds.oldest
        if position_at is not None:
            since = max(since, position_at - OVERLAP)
        watched.update(
            tables.basket_lines()
            .filter(
                waiting.of_known_people(), date_updated__gte=since, basket__status__in=tables.ALIVE
            )
            .values_list("basket_id", flat=True)
            .distinct()
        )
    return sorted(watched)


def _batches(ids: Sequence[int]) -> Iterable[list[int]]:
    iterator = iter(ids)
    while batch := list(islice(iterator, BATCH)):
        yield batch


class _Look:
    """One look at a batch of baskets: what is read, then what follows from it."""

    def __init__(self, ids: Collection[int], thresholds: Thresholds, now: datetime) -> None:
        self.now = now
        self.thresholds = thresholds
        self.ids = ids
        self.seen = look(ids)
        self.watches = {w.basket_id: w for w in BasketWatch.objects.filter(basket_id__in=ids)}
        self.busy = _active_enrollments(ids)
        self.unrouted = _told_but_not_routed(ids)
        self.changed_rows: dict[int, BasketWatch] = {}
        self.restarts: dict[About, datetime] = {}
        self.exits: list[tuple[list[int], str, dict[str, Any]]] = []
        self.told: list[Record] = []
        self.changes = 0

    def finish(self, found: dict[str, int]) -> None:
        """Decide for each basket, then write everything in one short transaction."""
        for basket_id in self.ids:
            self._decide(basket_id, self.watches.get(basket_id), self.seen.get(basket_id))
        with transaction.atomic(using=database_for(BasketWatch)):
            intake.record_many(self.told)
            _write(self.changed_rows.values())
            enrollments.restart_clock(self.restarts, self.now)
            for enrollment_ids, reason, compared in self.exits:
                enrollments.exit_many(
                    enrollment_ids, reason, self.now, rule="basket", compared=compared
                )
        found["looked"] += len(self.ids)
        found["changed"] += self.changes
        found["left"] += len(self.told)
        found["closed"] += sum(1 for row in self.changed_rows.values() if row.closed_at)

    def _decide(self, basket_id: int, watch: BasketWatch | None, seen: Seen | None) -> None:
        over = _over(seen)
        if over is not None:
            self._close(watch)
            if basket_id in self.busy:
                reason, compared = over
                self.exits.append((self.busy[basket_id], reason, compared))
            return
        assert seen is not None
        if basket_id in self.unrouted:
            # It may be about to enroll: what changed is seen again once that is known.
            return
        watch = watch or BasketWatch(basket_id=basket_id)
        known = watch.fingerprint != "" and watch.changed_at is not None
        changed_at = _changed_at(watch, seen, self.now)
        if changed_at is not None:
            self._change(watch, seen, changed_at, known=known)
        elif watch.closed_at is not None:
            return
        assert watch.changed_at is not None
        if self.now - watch.changed_at > self.thresholds.oldest and basket_id not in self.busy:
            self._close(watch)
            return
        self._tell(watch, seen)

    def _change(self, watch: BasketWatch, seen: Seen, changed_at: datetime, *, known: bool) -> None:
        watch.fingerprint = seen.fingerprint
        watch.changed_at = changed_at
        watch.closed_at = None
        if known:
            self.changes += 1
            if watch.basket_id in self.busy:
                self.restarts[about_basket(watch.basket_id)] = changed_at
            elif watch.told:
                watch.episode += 1
                watch.told = []
        self.changed_rows[watch.basket_id] = watch

    def _close(self, watch: BasketWatch | None) -> None:
        # A basket that was never watched and never will be needs no row.
        if watch is None:
            return
        if watch._state.adding:
            self.changed_rows.pop(watch.basket_id, None)
        elif watch.closed_at is None:
            watch.closed_at = self.now
            self.changed_rows[watch.basket_id] = watch

    def _tell(self, watch: BasketWatch, seen: Seen) -> None:
        assert watch.changed_at is not None
        if seen.owner_id is None and watch.contact_id is None:
            return
        age = self.now - watch.changed_at
        for idle, max_age in self.thresholds.idles.items():
            seconds = int(idle.total_seconds())
            if seconds in watch.told or not idle <= age <= max_age:
                continue
            watch.told = [*watch.told, seconds]
            self.changed_rows[watch.basket_id] = watch
            self.told.append(_record(watch, seen, idle=seconds, age=age))


def _over(seen: Seen | None) -> tuple[str, dict[str, Any]] | None:
    """Say why a basket needs no watching any more, as exit reason and compared values."""
    if seen is None:
        return ExitReason.CONDITION, {"basket": "deleted"}
    if seen.order_number:
        return ExitReason.GOAL, {"order": seen.order_number}
    if seen.status == tables.MERGED:
        return ExitReason.SUPERSEDED, {"basket": "merged into another"}
    if seen.status not in tables.ALIVE:
        return ExitReason.CONDITION, {"basket": "no longer open", "status": seen.status}
    if not seen.line_count:
        return ExitReason.CONDITION, {"basket": "emptied", "lines": 0}
    return None


def _changed_at(watch: BasketWatch, seen: Seen, now: datetime) -> datetime | None:
    """Say when a basket changed since the last look; None when it did not.

    What leaves no date is dated by its detection: later than it was, so never too early a letter.
    """
    assert seen.touched_at is not None
    touched_at = min(seen.touched_at, now)
    if watch.changed_at is None:
        return touched_at
    if not watch.fingerprint:
        return max(watch.changed_at, touched_at)
    if seen.fingerprint == watch.fingerprint:
        return touched_at if touched_at > watch.changed_at else None
    removed = seen.line_count < line_count_of(watch.fingerprint)
    return touched_at if touched_at > watch.changed_at and not removed else now


def _record(watch: BasketWatch, seen: Seen, *, idle: int, age: timedelta) -> Record:
    assert watch.changed_at is not None
    return Record(
        event=BasketLeft(
            basket_id=seen.basket_id,
            idle=idle,
            episode=watch.episode,
            value=seen.value,
            currency=seen.currency,
            line_count=seen.line_count,
            left_at=watch.changed_at,
            age=int(age.total_seconds()),
            member=seen.owner_id is not None,
        ),
        about=about_basket(seen.basket_id),
        person=Person(
            user_id=seen.owner_id,
            contact_id=watch.contact_id if seen.owner_id is None else None,
            language=watch.language,
            time_zone=watch.time_zone,
        ),
        occurred_at=watch.changed_at + timedelta(seconds=idle),
        site_id=watch.site_id,
    )


def _write(watches: Iterable[BasketWatch]) -> None:
    """Write what a look decides and nothing else: a page may be noting the visitor meanwhile."""
    decided = ["fingerprint", "changed_at", "episode", "told", "closed_at"]
    upsert(
        BasketWatch,
        [
            {"basket_id": one.basket_id, **{name: getattr(one, name) for name in decided}}
            for one in watches
        ],
        conflict="basket_id",
        update=decided,
    )


def _active_enrollments(basket_ids: Collection[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for about_id, pk in Enrollment.objects.filter(
        about_type="basket",
        about_id__in=[str(pk) for pk in basket_ids],
        state__in=enrollments.UNFINISHED,
    ).values_list("about_id", "pk"):
        found[int(about_id)].append(pk)
    return found


def _told_but_not_routed(basket_ids: Collection[int]) -> set[int]:
    return {
        int(about_id)
        for about_id in JournalEntry.objects.filter(
            kind=BasketLeft.kind,
            about_type="basket",
            about_id__in=[str(pk) for pk in basket_ids],
            routed_at=None,
            error="",
            # What killed its worker thrice is set aside, and stands in the doctor's report.
            crashes__lt=triggers_settings().max_crashes,
        ).values_list("about_id", flat=True)
    }
