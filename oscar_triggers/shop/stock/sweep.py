"""The sweep that sees what becomes of stock and prices, however the shop changes them.

What was marked is looked at in each tick, everything every SWEEP_EVERY. A pass over a large shop
gives way after a while and goes on in the next tick, so that letters do not wait for it.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ...conf import triggers_settings
from ...engine import sweeping
from ...models import Pulse, StockChange, StockMark
from ...models.sql import database_for
from . import filling, offers
from .diffing import Diff, Found, Scope

#: How many stock records one transaction compares.
SLICE = 50_000
#: How many marks one transaction looks at.
MARKS = 1_000
#: After so many seconds a pass gives way to the rest of the tick.
SECONDS = 2.0


@sweeping.register
class StockSweep(sweeping.Sweep):
    """Journals what changed of stock and prices since the last look."""

    name = "stock"
    #: Marks are looked at in each tick.
    every = timedelta(0)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Look at what was marked and, when its time has come, at everything."""
        newest = StockChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        found = Found()
        # Before the first pass is through, a mark tells nothing: there is nothing to compare.
        if pulse.position_at is not None:
            _look_at_marks(pulse, now, found)
        if _is_due(pulse, now):
            is_first = pulse.position_at is None
            _pass(pulse, now, found, is_first=is_first)
            if _AT not in pulse.watermark:
                found.offers = offers.look(now, is_first=is_first)
        filled = filling.fill(newest, now) if found.changed or found.offers else 0
        told = {**asdict(found), "quoted": filled}
        return {name: number for name, number in told.items() if number}


#: Key in the watermark: the pass that is under way has looked at all numbers up to this one.
_AT = "at"
#: Key in the watermark: when that pass began.
_BEGAN = "began"


def _is_due(pulse: Pulse, now: datetime) -> bool:
    if _AT in pulse.watermark or pulse.position_at is None:
        return True
    every = triggers_settings().sweep_every
    # A position in the future (a clock that was set back) must not stop the passes.
    return not now - every < pulse.position_at <= now + every


def _look_at_marks(pulse: Pulse, now: datetime, found: Found) -> None:
    while True:
        marks = list(
            StockMark.objects.order_by("pk").values_list("pk", "stock_record_id", "marked_at")[
                :MARKS
            ]
        )
        if not marks:
            return
        scope = Scope.these([stock_record_id for _pk, stock_record_id, _marked_at in marks])
        _compare(pulse, scope, now, found)
        # What was marked again meanwhile is looked at again.
        StockMark.objects.filter(
            pk__in=[pk for pk, _id, _marked_at in marks],
            marked_at__lte=max(marked_at for _pk, _id, marked_at in marks),
        ).delete()
        if len(marks) < MARKS:
            return


def _pass(pulse: Pulse, now: datetime, found: Found, *, is_first: bool) -> None:
    """Go on with the pass over all stock records; it is over when the watermark is empty."""
    until = time.monotonic() + SECONDS
    began = str(pulse.watermark.get(_BEGAN) or now.isoformat())
    for after, last in Diff().bounds(int(pulse.watermark.get(_AT, 0)), SLICE):
        _compare(pulse, Scope.between(after, last), now, found, is_first=is_first)
        if last is not None and time.monotonic() >= until:
            pulse.watermark = {_AT: last, _BEGAN: began}
            return
    pulse.watermark = {}
    pulse.position_at = datetime.fromisoformat(began)


def _compare(
    pulse: Pulse, scope: Scope, now: datetime, found: Found, *, is_first: bool = False
) -> None:
    alias = database_for(StockChange)
    with transaction.atomic(using=alias):
        # One runner at a time, even where one stalled until its lease was over.
        list(Pulse.objects.select_for_update().filter(pk=pulse.pk).values_list("pk"))
        found.add(Diff().compare(scope, now, is_first=is_first))
