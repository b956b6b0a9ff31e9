"""How long a letter waits: behind a mountain of promotions, and at a steady pace."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from tests.storm.ground import Ground, asked
from tests.storm.processes import Supervisor, wait_until

KNOBS = {"TICK_EVERY": {"seconds": 1}, "LEASE_FOR": {"seconds": 60}}


def pass_a_mountain(ground: Ground, promotions: int, receipts: int) -> dict[str, Any]:
    """Record transactional events while promotions fill the outbox; seconds until accepted."""
    from oscar_triggers.engine import intake
    from oscar_triggers.models import Dispatch, DispatchState
    from tests.storm.world import card_records, plan_cards, publish_card_flows

    publish_card_flows("C")
    publish_card_flows("T", stream="transactional")
    plan_cards(promotions)
    records = card_records(receipts, letters="T", who="buyer")
    chance = random.Random(3)
    recorded: dict[str, float] = {}
    workers = [ground.worker(f"worker-{n}") for n in range(2)]
    with Supervisor([*workers, ground.beat()]):
        wait_until(lambda: len(ground.sink.accepted()) > 50, 90, "promotions leave")
        for number, record in enumerate(records):
            recorded[f"buyer-{number}@example.com"] = time.time()
            intake.record(record.event, person=record.person, about=record.about, occurred_at=None)
            time.sleep(chance.uniform(0.3, 1.2))
        still_due = Dispatch.objects.filter(state=DispatchState.PLANNED).count()

        def arrived() -> dict[str, float]:
            return {
                letter.recipient: letter.at
                for letter in ground.sink.accepted()
                if letter.recipient in recorded
            }

        wait_until(lambda: len(arrived()) == receipts, 120, "every receipt arrived")
        promotions_sent = len(ground.sink.accepted()) - receipts
        moments = arrived()
    delays = [moments[who] - at for who, at in recorded.items()]
    return {
        "promotions_due": promotions,
        "promotions_still_due_at_the_end": still_due,
        "promotions_sent_meanwhile": promotions_sent,
        "receipts": receipts,
        **_spread("delay", delays),
    }


def keep_a_pace(ground: Ground, per_second: int, seconds: int) -> dict[str, Any]:
    """Record events at a steady pace; seconds from due, and from recorded, to accepted."""
    from oscar_triggers.engine import intake
    from oscar_triggers.models import Dispatch
    from tests.storm.world import card_records, publish_card_flow

    publish_card_flow()
    records = card_records(per_second * seconds)
    recorded: dict[str, float] = {}
    workers = [ground.worker(f"worker-{n}") for n in range(2)]
    crowd = [*workers, ground.beat()]
    with Supervisor(crowd):
        wait_until(lambda: all(one.stands for one in crowd), 60, "the workers stand")
        time.sleep(2)  # the first task of a process imports what it needs
        began = time.monotonic()
        for number, record in enumerate(records):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            recorded[f"person-{number}@example.com"] = time.time()
            intake.record(record.event, person=record.person, about=record.about)
        took = time.monotonic() - began
        wait_until(lambda: len(ground.sink.accepted()) >= len(records), 120, "every letter arrived")
    accepted = {letter.recipient: letter.at for letter in ground.sink.accepted()}
    due = {
        row.point.normalised: row.message.due_at.timestamp()
        for row in asked(lambda: list(Dispatch.objects.select_related("point", "message")))
        if row.point is not None
    }
    return {
        "letters": len(records),
        "per_second": round(len(records) / took, 1),
        **_spread("due_to_accepted", [accepted[who] - due[who] for who in accepted]),
        **_spread("recorded_to_accepted", [accepted[who] - recorded[who] for who in accepted]),
    }


def _spread(name: str, times: list[float]) -> dict[str, float]:
    percentiles = statistics.quantiles(times, n=100, method="inclusive")
    return {
        f"{name}_median": round(statistics.median(times), 2),
        f"{name}_p99": round(percentiles[98], 2),
        f"{name}_worst": round(max(times), 2),
    }
