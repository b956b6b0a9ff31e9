"""Pruning: rows go when OSCAR_TRIGGERS["RETENTION"] says so; what they add up to stays.

In small batches, each in a transaction of its own: a crash leaves nothing half done. Consents,
suppressions, contacts and published versions are never pruned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import triggers_settings
from ..exceptions import TriggersError
from ..kinds import parse_duration
from ..limits import NEVER, Reentry
from ..models import (
    Alarm,
    BasketWatch,
    Decision,
    Enrollment,
    EnrollmentState,
    Flow,
    Hit,
    JournalEntry,
    Message,
    MessageState,
    OrderWatch,
    PriceSeen,
    ProductRequest,
    ProviderReport,
    Pulse,
    SegmentRoll,
    StockCause,
    StockChange,
    SurveyAnswer,
)
from ..models.sql import database_for
from . import plans, sweeping, totals

#: How long rows are kept unless RETENTION says otherwise; None: for ever.
DEFAULTS: Mapping[str, timedelta | None] = {
    # Personal data of events, once flows have read them.
    "persons": timedelta(days=90),
    # What letters were filled with.
    "payloads": timedelta(days=180),
    "hits": timedelta(days=180),
    "baskets": timedelta(days=90),
    "journal": timedelta(days=400),
    "decisions": timedelta(days=400),
    "reports": timedelta(days=400),
    "alarms": timedelta(days=400),
    # Prices that people saw, and what they asked for or answered, once that is over.
    "prices": timedelta(days=400),
    "requests": timedelta(days=400),
    "orders": timedelta(days=400),
    "answers": timedelta(days=730),
    # Who belonged to a segment when it was counted for a list.
    "segments": timedelta(days=30),
    # What became of stock and prices.
    "stock": timedelta(days=400),
    "messages": timedelta(days=730),
    "enrollments": timedelta(days=730),
}
#: What limits, waits and attributions look back for.
SHORTEST: Mapping[str, timedelta] = {
    "messages": timedelta(days=30),
    "enrollments": timedelta(days=30),
    "journal": timedelta(days=7),
    "persons": timedelta(days=1),
    "payloads": timedelta(days=1),
    # The lowest price of the 30 days before a reduction, while that is told.
    "stock": timedelta(days=60),
}
_BATCH = 200
#: A sweep of the tick gives way after so many seconds and goes on at its next turn.
_SWEEP_SECONDS = 1.0
_PASS_EVERY = timedelta(hours=24)

Action = Callable[[Sequence[int], datetime], None]


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One kind of rows that are pruned."""

    name: str
    model: type[models.Model]
    #: What is older than a moment and may go.
    old: Callable[[datetime], QuerySet[Any]]
    #: What is done with a locked batch.
    act: Action


def lengths() -> dict[str, timedelta | None]:
    """Return how long each kind of rows is kept; raises ImproperlyConfigured."""
    given = triggers_settings().retention
    unknown = sorted(set(map(str, given)) - set(DEFAULTS))
    if unknown:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['RETENTION'] names {', '.join(unknown)}; "
            f"write some of {', '.join(sorted(DEFAULTS))}."
        )
    return {name: _length(name, given.get(name, length)) for name, length in DEFAULTS.items()}


def _length(name: str, value: Any) -> timedelta | None:
    if value is None:
        return None
    try:
        length = value if isinstance(value, timedelta) else parse_duration(str(value))
    except ValueError as error:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['RETENTION'][{name!r}] is {value!r}; write '400d', or None to keep "
            "them for ever."
        ) from error
    shortest = SHORTEST.get(name, timedelta(days=1))
    if length < shortest:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['RETENTION'][{name!r}] is {value!r}; the engine itself looks back for "
            f"{shortest.days} days, so write at least '{shortest.days}d'."
        )
    return length


def count(now: datetime) -> dict[str, int]:
    """Return how many rows of each kind may go; changes nothing."""
    kept = lengths()
    return {
        table.name: table.old(now - length).count()
        for table in _TABLES
        if (length := kept[table.name]) is not None
    }


def prune(now: datetime, *, seconds: float | None = None) -> tuple[dict[str, int], bool]:
    """Prune; return how many rows of each kind went, and whether nothing is left to do.

    With `seconds`, it gives way after so long and may be called again.
    """
    until = None if seconds is None else time.monotonic() + seconds
    kept = lengths()
    gone: dict[str, int] = {}
    for table in _TABLES:
        length = kept[table.name]
        if length is None:
            continue
        gone[table.name] = 0
        for number in _batches(table, now - length, now):
            gone[table.name] += number
            if until is not None and time.monotonic() >= until:
                return gone, False
    return gone, True


def _batches(table: _Table, before: datetime, now: datetime) -> Iterator[int]:
    """Prune batch by batch, in the order of ids; yield the size of each."""
    alias = database_for(table.model)
    skip = connections[alias].features.has_select_for_update_skip_locked
    last = 0
    while True:
        with transaction.atomic(using=alias):
            # First found, then locked: a lock and a join do not go together everywhere.
            found = list(
                table.old(before)
                .filter(pk__gt=last)
                .order_by("pk")
                .values_list("pk", flat=True)[:_BATCH]
            )
            locked = table.model._default_manager.using(alias).filter(pk__in=found)
            locked = locked.select_for_update(skip_locked=skip).order_by("pk")
            ids = list(locked.values_list("pk", flat=True))
            if ids:
                table.act(ids, now)
        if not found:
            return
        last = found[-1]
        yield len(ids)


# ── What may go ──────────────────────────────────────────────────────────────────────────────────


def _old_persons(before: datetime) -> QuerySet[JournalEntry]:
    return JournalEntry.objects.filter(routed_at__lt=before).exclude(person={})


def _forget_persons(ids: Sequence[int], now: datetime) -> None:
    JournalEntry.objects.filter(pk__in=ids).update(person={})


def _old_payloads(before: datetime) -> QuerySet[Message]:
    return Message.objects.filter(settled_at__lt=before, payload__isnull=False)


def _forget_payloads(ids: Sequence[int], now: datetime) -> None:
    Message.objects.filter(pk__in=ids).update(payload=None)


def _old_messages(before: datetime) -> QuerySet[Message]:
    return Message.objects.filter(settled_at__lt=before).exclude(state=MessageState.PLANNED)


def _delete_messages(ids: Sequence[int], now: datetime) -> None:
    totals.keep(totals.of_messages(ids))
    # The log of each goes with it, and what that counts stays.
    theirs = Decision.objects.filter(message_id__in=ids).order_by()
    totals.keep(totals.of_decisions(list(theirs.values_list("pk", flat=True))))
    Message.objects.filter(pk__in=ids).delete()


def _old_enrollments(before: datetime) -> QuerySet[Enrollment]:
    rows = Enrollment.objects.filter(state=EnrollmentState.ENDED, ended_at__lt=before)
    # Whoever may come again only once is remembered.
    return rows.exclude(flow_id__in=_flows_that_remember()).exclude(
        message_items__message__state=MessageState.PLANNED
    )


def _flows_that_remember() -> list[int]:
    length = lengths()["enrollments"]
    remembering = []
    for flow in Flow.objects.exclude(live_version=None).select_related("live_version"):
        assert flow.live_version is not None
        try:
            rule = Reentry.read(plans.plan_of(flow.live_version).definition.reentry)
        except (TriggersError, ValueError):
            remembering.append(flow.pk)  # Nobody can tell what it allows.
            continue
        too_long = rule.after is not None and length is not None and rule.after > length
        if rule.rule == NEVER or too_long:
            remembering.append(flow.pk)
    return remembering


def _delete_enrollments(ids: Sequence[int], now: datetime) -> None:
    totals.keep(totals.of_enrollments(ids))
    theirs = Decision.objects.filter(enrollment_id__in=ids).order_by()
    totals.keep(totals.of_decisions(list(theirs.values_list("pk", flat=True))))
    Enrollment.objects.filter(pk__in=ids).delete()


def _delete_decisions(ids: Sequence[int], now: datetime) -> None:
    totals.keep(totals.of_decisions(ids))
    Decision.objects.filter(pk__in=ids).delete()


def _delete_journal(ids: Sequence[int], now: datetime) -> None:
    theirs = Decision.objects.filter(journal_entry_id__in=ids).order_by()
    totals.keep(totals.of_decisions(list(theirs.values_list("pk", flat=True))))
    JournalEntry.objects.filter(pk__in=ids).delete()


def _old_stock(before: datetime) -> QuerySet[StockChange]:
    """Keep the newest line of each stock record: it says what has been valid ever since."""
    newer = StockChange.objects.filter(
        product_id=OuterRef("product_id"),
        stock_record_id=OuterRef("stock_record_id"),
        pk__gt=OuterRef("pk"),
    )
    return StockChange.objects.filter(
        Exists(newer) | Q(cause=StockCause.GONE), noticed_at__lt=before
    )


def _deleting(model: type[models.Model]) -> Action:
    def delete(ids: Sequence[int], now: datetime) -> None:
        model._default_manager.filter(pk__in=ids).delete()

    return delete


def _old_orders(before: datetime) -> QuerySet[OrderWatch]:
    """Keep what the sweep would else take for an order that it never saw."""
    watched_until = before - triggers_settings().order_max_age
    return OrderWatch.objects.filter(closed_at__lt=before, placed_at__lt=watched_until)


_TABLES: tuple[_Table, ...] = (
    _Table(name="persons", model=JournalEntry, old=_old_persons, act=_forget_persons),
    _Table(name="payloads", model=Message, old=_old_payloads, act=_forget_payloads),
    _Table(
        name="hits",
        model=Hit,
        old=lambda before: Hit.objects.filter(occurred_at__lt=before),
        act=_deleting(Hit),
    ),
    _Table(
        name="reports",
        model=ProviderReport,
        old=lambda before: ProviderReport.objects.filter(received_at__lt=before),
        act=_deleting(ProviderReport),
    ),
    _Table(
        name="baskets",
        model=BasketWatch,
        old=lambda before: BasketWatch.objects.filter(closed_at__lt=before),
        act=_deleting(BasketWatch),
    ),
    _Table(
        name="alarms",
        model=Alarm,
        old=lambda before: Alarm.objects.filter(cleared_at__lt=before),
        act=_deleting(Alarm),
    ),
    _Table(
        name="prices",
        model=PriceSeen,
        old=lambda before: PriceSeen.objects.filter(seen_at__lt=before),
        act=_deleting(PriceSeen),
    ),
    _Table(
        name="requests",
        model=ProductRequest,
        old=lambda before: ProductRequest.objects.filter(ended_at__lt=before),
        act=_deleting(ProductRequest),
    ),
    _Table(name="orders", model=OrderWatch, old=_old_orders, act=_deleting(OrderWatch)),
    _Table(
        name="answers",
        model=SurveyAnswer,
        old=lambda before: SurveyAnswer.objects.filter(answered_at__lt=before),
        act=_deleting(SurveyAnswer),
    ),
    _Table(
        name="segments",
        model=SegmentRoll,
        old=lambda before: SegmentRoll.objects.filter(started_at__lt=before),
        act=_deleting(SegmentRoll),
    ),
    _Table(name="stock", model=StockChange, old=_old_stock, act=_deleting(StockChange)),
    _Table(
        name="decisions",
        model=Decision,
        old=lambda before: Decision.objects.filter(last_seen_at__lt=before),
        act=_delete_decisions,
    ),
    _Table(
        name="journal",
        model=JournalEntry,
        old=lambda before: JournalEntry.objects.filter(routed_at__lt=before).exclude(
            Q(enrollments__state__in=[EnrollmentState.ACTIVE, EnrollmentState.HELD])
        ),
        act=_delete_journal,
    ),
    _Table(name="messages", model=Message, old=_old_messages, act=_delete_messages),
    _Table(name="enrollments", model=Enrollment, old=_old_enrollments, act=_delete_enrollments),
)


@sweeping.register
class PruningSweep(sweeping.Sweep):
    """Prunes once a day, a little at a time."""

    name = "pruning"
    every = timedelta(minutes=10)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Prune for a second, unless today's pass is done."""
        if pulse.position_at is not None and now < pulse.position_at + _PASS_EVERY:
            return dict(pulse.detail or {})
        gone, is_done = prune(now, seconds=_SWEEP_SECONDS)
        if is_done:
            pulse.position_at = now
        return {name: number for name, number in gone.items() if number}
