"""What became of those whose turn it was: told, or put back in the line at their place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from ...models import (
    Enrollment,
    EnrollmentState,
    ExitReason,
    JournalEntry,
    MessageItem,
    MessageState,
    ProductRequest,
    RequestKind,
    RequestState,
)
from ...models.sql import database_for
from . import alerts
from .events import ABOUT_REQUEST, BackInStock

BATCH = 1_000
#: The goods were gone, or cost otherwise: it is this person's turn again as soon as they are back.
_GOODS = frozenset({"sold_out", "price_changed", "nothing_buyable", "product_gone", "stale"})
#: We could not write: the person is told in a later wave. Whatever else kept a letter back, the
#: person does not want it or cannot be reached.
_OURS = frozenset(
    {
        "too_late", "too_late_after_limit", "condition", "cancelled", "missed", "switched_off",
        "flow_switched_off", "failed", "gave_up", "no_answer", "crashed", "worker_died", "shadow",
        "went_live", "blast_limit",
    }
)  # fmt: skip
_REACHED = (MessageState.SENT, MessageState.UNKNOWN)


@dataclass(kw_only=True)
class _Fate:
    """What the journal, the flows and the messages say of one turn."""

    is_routed: bool = False
    is_entered: bool = False
    is_under_way: bool = False
    is_reached: bool = False
    reasons: set[str] = field(default_factory=set)


def settle(now: datetime) -> dict[str, int]:
    """Look at those who were told and whose letter was not known to have left; return counts."""
    found = {"reached": 0, "back_in_line": 0}
    last = 0
    while batch := list(_unsettled().filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        _settle(batch, found, now)
    return found


def _unsettled() -> QuerySet[ProductRequest]:
    return ProductRequest.objects.filter(
        kind=RequestKind.BACK, state=RequestState.TOLD, ended_at=None
    )


def _settle(batch: Sequence[ProductRequest], found: dict[str, int], now: datetime) -> None:
    fates = _fates(batch)
    reached, back, later, given_up = [], [], [], []
    for request in batch:
        fate = fates[_turn_of(request)]
        if fate.is_under_way or not (fate.is_routed or fate.is_reached):
            continue
        if fate.is_reached or (fate.is_entered and not fate.reasons):
            reached.append(request)
        elif fate.reasons & _GOODS:
            back.append(request)
        elif not fate.is_entered or fate.reasons & _OURS:
            later.append(request)
        else:
            given_up.append(request)
    _of(reached).update(ended_at=now)
    # The units are free at once, and nobody asks this person again.
    _of(given_up).update(ended_at=now, buy_until=now)
    _put_back(back, told_at=None)
    _put_back(later, told_at=now)
    found["reached"] += len(reached)
    found["back_in_line"] += len(back) + len(later)


def _of(requests: Collection[ProductRequest]) -> QuerySet[ProductRequest]:
    return _unsettled().filter(pk__in=[request.pk for request in requests])


def _put_back(requests: Sequence[ProductRequest], *, told_at: datetime | None) -> None:
    """Let people wait again where they stood, and give their alerts back to Oscar's pages."""
    if not requests:
        return
    with transaction.atomic(using=database_for(ProductRequest)):
        # Who asked again meanwhile has another request in the line: this one is over.
        again = _asked_again(requests)
        _of(again).update(ended_at=F("told_at"))
        others = [request for request in requests if request not in again]
        _of(others).update(
            state=RequestState.WAITING, told_at=told_at, buy_until=None, answer_id=None
        )
        alerts.give_back(others)


def _asked_again(requests: Sequence[ProductRequest]) -> list[ProductRequest]:
    open_ones = set(
        ProductRequest.objects.filter(
            contact_id__in={one.contact_id for one in requests},
            product_id__in={one.product_id for one in requests},
            state__in=[RequestState.UNCONFIRMED, RequestState.WAITING],
        ).values_list("contact_id", "product_id", "kind")
    )
    return [one for one in requests if (one.contact_id, one.product_id, one.kind) in open_ones]


def _turn_of(request: ProductRequest) -> str:
    return f"request:{request.pk}:{request.wave}"


def _fates(batch: Sequence[ProductRequest]) -> Mapping[str, _Fate]:
    """Read what became of each turn, by three queries for all."""
    fates: dict[str, _Fate] = defaultdict(_Fate)
    turns = {_turn_of(request): request for request in batch}
    keys = {f"{BackInStock.kind}:{turn}": turn for turn in turns}
    for key, routed_at, error in JournalEntry.objects.filter(dedup_key__in=list(keys)).values_list(
        "dedup_key", "routed_at", "error"
    ):
        # What cannot be read stands in the doctor's report, and goes on when it can.
        fates[keys[key]].is_routed = routed_at is not None and not error
    entered = {}
    for pk, turn, state, exit_reason in Enrollment.objects.filter(
        about_type=ABOUT_REQUEST,
        about_id__in=[str(request.pk) for request in batch],
        episode_key__in=list(turns),
        is_shadow=False,
    ).values_list("pk", "episode_key", "state", "exit_reason"):
        entered[pk] = turn
        fate = fates[turn]
        fate.is_entered = True
        fate.is_under_way |= state != EnrollmentState.ENDED
        if exit_reason and exit_reason != ExitReason.COMPLETED:
            fate.reasons.add(exit_reason)
    for pk, state, reason in MessageItem.objects.filter(
        enrollment_id__in=list(entered)
    ).values_list("enrollment_id", "message__state", "message__reason"):
        fate = fates[entered[pk]]
        fate.is_reached |= state in _REACHED
        fate.is_under_way |= state == MessageState.PLANNED
        if reason:
            fate.reasons.add(reason)
    return fates
