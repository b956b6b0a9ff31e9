"""A heap of offers does not keep waiting what somebody waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from oscar_triggers import channels, tasks
from oscar_triggers.channels import Channel, Outcome, Parcel, Receipt
from oscar_triggers.engine import clockwork, intake
from oscar_triggers.models import Dispatch, Message
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db(transaction=True)

HEAP = 60


@dataclass(frozen=True, kw_only=True)
class SlowChannel(Channel):
    """Takes its time, and remembers when it took what."""

    kind: ClassVar[str] = "email"
    content: ClassVar[str] = "email"
    takes: ClassVar[float] = 0.02
    took: ClassVar[dict[str, float]] = {}
    #: Called once when the first message was taken.
    first: ClassVar[Any] = None

    def normalise(self, value: str) -> str:
        """Return it as it is."""
        return value

    def send_many(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Take each."""
        for parcel in parcels:
            time.sleep(self.takes)
            self.took[parcel.to] = time.monotonic()
            if SlowChannel.first is not None:
                SlowChannel.first, act = None, SlowChannel.first
                act()
        return [Receipt(dispatch_id=one.dispatch_id, outcome=Outcome.SENT) for one in parcels]


@pytest.fixture
def heap(settings: Any) -> Iterator[list[float]]:
    """Have offers due; while the first leaves, somebody does what a letter answers at once."""
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "BATCH_SIZE": 5,
        "TICK_EVERY": timedelta(seconds=20),
    }
    SlowChannel.took.clear()
    publish_card_flow()
    intake.record_many(card_records(HEAP))
    clockwork.tick(timezone.now(), send=False)
    acted: list[float] = []

    def act() -> None:
        # What comes in now is transactional; the heap is of the other lane.
        Dispatch.objects.update(lane=1)
        [record] = card_records(HEAP + 1)[HEAP:]
        intake.record_many([record])
        acted.append(time.monotonic())

    publish_card_flow(stream="transactional")
    SlowChannel.first = staticmethod(act)
    with channels.registry.temporarily("email", SlowChannel):
        yield acted
    SlowChannel.first = None


def _waited(acted: list[float]) -> tuple[float, int]:
    at = SlowChannel.took[f"person-{HEAP}@example.com"]
    return at - acted[0], sum(1 for other in SlowChannel.took.values() if other > at)


def test_one_tick_serves_an_event_before_the_rest_of_the_heap(heap: list[float]) -> None:
    clockwork.tick()
    waited, behind = _waited(heap)
    assert Message.objects.filter(state="sent").count() == HEAP + 1
    assert waited <= 2
    assert behind > HEAP / 3


def test_workers_with_chunks_serve_an_event_before_their_next_chunk(heap: list[float]) -> None:
    ids = list(Dispatch.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, HEAP, 5):
        tasks.send_chunk(ids[start : start + 5])
    waited, behind = _waited(heap)
    assert waited <= 1
    assert behind > HEAP / 2
