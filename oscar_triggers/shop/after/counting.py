"""Which order of a person an order is, said where the person is known: in the tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ...engine import intake
from ...engine.intake import Routed
from ...events import Event
from ...snapshots import About, Subject
from ..events import OrderPlaced
from ..purchases import purchases_of


@intake.completer(OrderPlaced.kind)
def count_orders(routed: Sequence[Routed], now: datetime) -> list[Event]:
    """Add to each order which one of its customer it is: by account, a guest's since we listen."""
    before = [
        {(purchase.placed_at, purchase.number) for purchase in purchases}
        for purchases in purchases_of([_subject(one) for one in routed])
    ]
    completed: list[Event] = []
    for one, known in zip(routed, before, strict=True):
        # Orders that are routed in this very batch are not in the journal as somebody's yet.
        mates = {_placed(mate) for mate in routed if _is_same(mate, one)}
        mine = {at_number for at_number in known | mates if at_number[1] != _placed(one)[1]}
        nth = 1 + sum(1 for placed in mine if placed < _placed(one))
        assert isinstance(one.event, OrderPlaced)
        is_known = one.contact_id is not None
        completed.append(replace(one.event, nth=nth, is_first=nth == 1) if is_known else one.event)
    return completed


def _placed(one: Routed) -> tuple[datetime, str]:
    assert isinstance(one.event, OrderPlaced)
    return one.occurred_at, one.event.number


def _is_same(mate: Routed, one: Routed) -> bool:
    return mate.contact_id is not None and mate.contact_id == one.contact_id


def _subject(one: Routed) -> Subject:
    return Subject(
        enrollment_id=0,
        flow_id=0,
        flow_key="",
        contact_id=one.contact_id or 0,
        user_id=one.person.user_id,
        about=one.about or About(type="", id=""),
        entered_at=one.occurred_at,
        clock_at=one.occurred_at,
    )
