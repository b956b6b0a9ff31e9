"""What one look at one order means: what is told of it, and what is remembered. No queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ...engine.intake import Record
from ...models import OrderWatch
from ..events import about_order
from ..receivers import person_of
from . import stages
from .events import (
    OF_STAGES,
    OrderEvent,
    OrderLineStatusChanged,
    OrderStatusChanged,
    OrderUnpaid,
    PaymentEventRecorded,
    PickupEnding,
    ShippingEventRecorded,
)
from .reading import Happening, Seen

#: Oscar writes a shipping event before its lines: so long is one without lines left alone.
_PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What the live flows want to hear of that happens by itself."""

    unpaid: Sequence[timedelta] = ()
    #: (kept for, remind before the end)
    pickup: Sequence[tuple[timedelta, timedelta]] = ()

    def due(
        self, watch: OrderWatch, kept_until: datetime | None, since: datetime, now: datetime
    ) -> list[str]:
        """Return the names of what fell due for an order since we look, and was not told."""
        told = watch.known.get("told", [])
        found = [
            _name(after)
            for after in self.unpaid
            if _is_unpaid(watch) and since < watch.placed_at + after <= now
        ]
        for term, before in self.pickup if _waits_for_pickup(watch) else ():
            until = kept_until or _ready_at(watch) + term
            if since < until - before <= now:
                found.append(_name(term, before, until))
        return [name for name in found if name not in told]


def _name(*parts: Any) -> str:
    return ":".join(
        f"{part:%Y%m%d%H%M}" if isinstance(part, datetime) else str(int(part.total_seconds()))
        for part in parts
    )


def _is_unpaid(watch: OrderWatch) -> bool:
    return not set(stages.ALL) & watch.stages.keys()


def _waits_for_pickup(watch: OrderWatch) -> bool:
    over = {stages.RECEIVED, *stages.OVER}
    return stages.READY in watch.stages and not over & watch.stages.keys()


def _ready_at(watch: OrderWatch) -> datetime:
    return datetime.fromisoformat(watch.stages[stages.READY])


@dataclass(kw_only=True)
class Decided:
    """What a look at one order led to."""

    watch: OrderWatch
    is_new: bool
    told: list[Record] = field(default_factory=list)


class Look:
    """One look at one order."""

    def __init__(
        self,
        watch: OrderWatch,
        seen: Seen | None,
        *,
        fingerprint: str,
        now: datetime,
        is_silent: bool,
        kept_until: datetime | None,
        thresholds: Thresholds,
        began_at: datetime,
    ) -> None:
        """`is_silent` for orders that were there before us: they are watched from now on."""
        self.watch, self.seen, self.fingerprint = watch, seen, fingerprint
        self.now, self.is_silent = now, is_silent
        self.is_new = watch._state.adding
        self.kept_until, self.thresholds, self.began_at = kept_until, thresholds, began_at
        self.told: list[Record] = []

    def decide(self) -> Decided:
        """Compare, remember, and return what is to be told."""
        watch, seen = self.watch, self.seen
        if seen is None:
            watch.closed_at = self.now
            return Decided(watch=watch, is_new=self.is_new)
        if self.is_new:
            watch.number = str(seen.order.number)
            watch.placed_at = seen.order.date_placed or self.now
        known = dict(watch.known)
        self._status(known)
        self._lines(known)
        is_whole = self._happenings(seen.shipping, known, "shipping", ShippingEventRecorded)
        self._happenings(seen.payments, known, "payment", PaymentEventRecorded)
        self._stages()
        watch.known = known
        self._what_fell_due()
        watch.status = seen.status
        # What is not whole yet is looked at again, whether it changes or not.
        watch.fingerprint = self.fingerprint if is_whole else ""
        watch.seen_at = self.now
        return Decided(watch=watch, is_new=self.is_new, told=[] if self.is_silent else self.told)

    def _status(self, known: dict[str, Any]) -> None:
        """Tell each change that Oscar wrote down, and one that it did not."""
        assert self.seen is not None
        is_first, last = self.is_new, known.get("change", 0)
        status = "" if is_first else self.watch.status
        for one in self.seen.changes:
            if one.id <= last:
                continue
            last = one.id
            # Seen before Oscar wrote it down: it was told already.
            if status == one.new and one.old != status and not is_first:
                continue
            self._tell_status(one.old, one.new, one.at, f"change{one.id}")
            status, is_first = one.new, False
        if not is_first and status != self.seen.status:
            self._tell_status(status, self.seen.status, self.now, _act(self.now))
        known["change"] = last

    def _tell_status(self, old: str, new: str, at: datetime, act: str) -> None:
        event = OrderStatusChanged(
            old=old, new=new, stage=stages.stage_of(new), act=act, **self._of_order()
        )
        self._tell(event, at)

    def _lines(self, known: dict[str, Any]) -> None:
        assert self.seen is not None
        before: dict[str, str] = known.get("lines", {})
        for line in self.seen.lines:
            old = before.get(str(line.id))
            if old is not None and old != line.status:
                event = OrderLineStatusChanged(
                    line_id=line.id,
                    product_id=line.product_id,
                    old=old,
                    new=line.status,
                    stage=stages.stage_of(line.status),
                    act=_act(self.now),
                    **self._of_order(),
                )
                self._tell(event, self.now)
        known["lines"] = {str(line.id): line.status for line in self.seen.lines}

    def _happenings(
        self,
        happenings: Sequence[Happening],
        known: dict[str, Any],
        name: str,
        event_class: type[ShippingEventRecorded | PaymentEventRecorded],
    ) -> bool:
        """Tell the events that were not told; say whether all of them are whole."""
        told = set(known.get(name, []))
        is_whole = True
        for one in happenings:
            if one.id in told:
                continue
            is_shipping = event_class is ShippingEventRecorded
            if is_shipping and not one.quantities and self.now - one.at < _PATIENCE:
                is_whole = False
                continue
            told.add(one.id)
            more: dict[str, Any] = {} if is_shipping else {"amount": one.amount}
            event = event_class(
                event_id=one.id,
                type=one.name,
                stage=stages.stage_of(one.name),
                lines=tuple(one.quantities),
                quantities=tuple(one.quantities.values()),
                **self._of_order(),
                **more,
            )
            self._tell(event, one.at)
        known[name] = sorted(told)
        return is_whole

    def _stages(self) -> None:
        assert self.seen is not None
        reached = self.seen.reached()
        # Cancelled by mistake, and put right: it is on its way again.
        before = {
            stage: at
            for stage, at in self.watch.stages.items()
            if stage in stages.FORWARD or stage in reached
        }
        for stage, one in reached.items():
            if stage in before:
                continue
            # An order that we see for the first time may be old, and its stage as old as it is.
            at = one.at or (self.watch.placed_at if self.is_new else self.now)
            at = max(self.watch.placed_at, min(at, self.now))
            before[stage] = at.isoformat()
            self._tell(OF_STAGES[stage](lines=one.lines, **self._of_order()), at)
        self.watch.stages = before

    def _what_fell_due(self) -> None:
        watch = self.watch
        if self.is_silent:
            return
        due = self.thresholds.due(watch, self.kept_until, self.began_at, self.now)
        for event, at, name in self._due_events():
            if name in due:
                self._tell(event, at)
        if due:
            watch.known = {**watch.known, "told": [*watch.known.get("told", []), *due]}

    def _due_events(self) -> Iterator[tuple[OrderEvent, datetime, str]]:
        watch = self.watch
        for after in self.thresholds.unpaid:
            event = OrderUnpaid(after=int(after.total_seconds()), **self._of_order())
            yield event, watch.placed_at + after, _name(after)
        for term, before in self.thresholds.pickup if _waits_for_pickup(watch) else ():
            until = self.kept_until or _ready_at(watch) + term
            ending = PickupEnding(
                until=until,
                term=int(term.total_seconds()),
                before=int(before.total_seconds()),
                **self._of_order(),
            )
            yield ending, until - before, _name(term, before, until)

    def _of_order(self) -> dict[str, Any]:
        assert self.seen is not None
        order = self.seen.order
        return {
            "number": str(order.number),
            "total": order.total_incl_tax,
            "currency": order.currency or "",
        }

    def _tell(self, event: OrderEvent, at: datetime) -> None:
        assert self.seen is not None
        order = self.seen.order
        self.told.append(
            Record(
                event=event,
                about=about_order(order.number),
                person=person_of(order, user=order.user),
                site_id=order.site_id,
                occurred_at=min(at, self.now),
            )
        )


def _act(now: datetime) -> str:
    return f"seen{now:%Y%m%d%H%M%S}"
