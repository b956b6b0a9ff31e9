"""Waves: as many of those who wait are told as there are units, first come, first served.

Units of which somebody was told stay theirs for the time to buy. What is left then goes to the
next in the line, so that a wave follows a wave while stock remains, and none when it is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from ...engine import intake
from ...engine.intake import Record
from ...models import ProductRequest, Pulse, RequestState
from ...models.sql import database_for, insert_or_ignore
from ...snapshots import Person
from ..stock.quoting import Quote
from . import alerts, line
from .events import BackInStock, about_request
from .line import Turn
from .terms import Terms

#: Two runners plan waves one after the other: this row is held for the length of a claim.
_TURN = "requests:wave"


@dataclass(frozen=True, kw_only=True)
class _Told:
    request: ProductRequest
    quote: Quote
    #: How many units were free before the wave.
    free: int | None


def send(terms: Terms, now: datetime) -> int:
    """Claim the requests whose turn it is and record an event for each; return how many."""
    insert_or_ignore(Pulse, [{"name": _TURN}], conflict="name")
    found = line.answers(terms)
    return sum(
        _claim(product_id, turns, terms, now) for product_id, turns in line.turns(found, terms, now)
    )


def _claim(product_id: int, turns: Sequence[Turn], terms: Terms, now: datetime) -> int:
    """Claim one product's wave in one short transaction.

    Prices and stock were read a moment ago; what is reserved is read here, behind whoever
    claimed before us. What was sold meanwhile, the guard sees before a letter leaves.
    """
    if not any(turn.quotes for turn in turns):
        return 0
    with transaction.atomic(using=database_for(ProductRequest)):
        # A write first: on SQLite it takes the one writer's place, on PostgreSQL this row.
        Pulse.objects.filter(name=_TURN).update(ran_at=now)
        wave = _next_wave(product_id)
        told = _choose(_still_waiting(turns), now)
        told = _with_alerts(told, now)
        if not told:
            return 0
        length = line.lengths([product_id])[product_id]
        _write(told, wave, terms, now)
        intake.record_many([_record(one, wave, length, terms, now) for one in told])
    return len(told)


def _next_wave(product_id: int) -> int:
    found = ProductRequest.objects.filter(product_id=product_id).aggregate(last=Max("wave"))
    return int(found["last"] or 0) + 1


def _still_waiting(turns: Sequence[Turn]) -> list[Turn]:
    """Return those who still wait, locked: nobody cancels them before we commit."""
    ids = [turn.request.pk for turn in turns if turn.quotes]
    held = set(
        line.waiting()
        .select_for_update(no_key=True, of=("self",))
        .filter(pk__in=ids)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    return [turn for turn in turns if turn.request.pk in held]


def _choose(turns: Sequence[Turn], now: datetime) -> list[_Told]:
    """Give each, in their order, the first product of which enough is left.

    Who wants more than there is keeps the place in the line, and those behind get what there is.
    """
    answer_ids = {quote.product_id for turn in turns for quote in turn.quotes}
    before = line.reserved(answer_ids, now)
    taken: dict[int, int] = defaultdict(int, before)
    told = []
    for turn in turns:
        quantity = turn.request.quantity
        for quote in turn.quotes:
            number, answer_id = quote.num_available, quote.product_id
            if number is not None and number - taken[answer_id] < quantity:
                continue
            taken[answer_id] += quantity
            free = None if number is None else number - before.get(answer_id, 0)
            told.append(_Told(request=turn.request, quote=quote, free=free))
            break
    return told


def _with_alerts(told: Sequence[_Told], now: datetime) -> list[_Told]:
    """Close the alerts that the requests stand for; whom Oscar told meanwhile is left out."""
    wanted = {one.request.alert_id for one in told if one.request.alert_id is not None}
    claimed = alerts.claim(wanted, now)
    return [one for one in told if one.request.alert_id is None or one.request.alert_id in claimed]


def _write(told: Sequence[_Told], wave: int, terms: Terms, now: datetime) -> None:
    by_answer: dict[int, list[int]] = defaultdict(list)
    for one in told:
        by_answer[one.quote.product_id].append(one.request.pk)
    for answer_id, ids in by_answer.items():
        line.waiting().filter(pk__in=ids).update(
            state=RequestState.TOLD,
            wave=wave,
            answer_id=answer_id,
            told_at=now,
            buy_until=now + terms.buy_window,
            ended_at=None,
        )


def _record(told: _Told, wave: int, length: tuple[int, int], terms: Terms, now: datetime) -> Record:
    request, quote = told.request, told.quote
    people, units = length
    free = told.free
    return Record(
        event=BackInStock(
            request_id=request.pk,
            product_id=quote.product_id,
            wanted_id=request.product_id,
            quantity=request.quantity,
            waiting=people,
            free=free,
            hurry=free is not None and units - free >= terms.hurry_when_short_by,
            wave=wave,
            buy_until=now + terms.buy_window,
            stock_record_id=quote.stock_record_id if quote.num_available is not None else None,
        ),
        about=about_request(request.pk),
        contact=request.contact_id,
        person=person_of(request),
        occurred_at=now,
        site_id=request.site_id,
    )


def person_of(request: ProductRequest) -> Person:
    """Return who asked, from a request that was loaded with its contact."""
    return Person(
        user_id=request.contact.user_id, contact_id=request.contact_id, language=request.language
    )
