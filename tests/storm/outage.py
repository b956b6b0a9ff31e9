"""The provider is down for a while: nothing is burned, and what waits leaves at the set rate."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.storm.ground import Ground, asked
from tests.storm.processes import Supervisor, wait_until

#: How a provider is down.
WAYS = ("refuse", "hang", "close")
EXPIRING = 15


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long the provider is down (seconds), and how fast letters may leave (a second)."""

    rate: int = 40
    down: float = 21.0
    drain: float = 12.0

    @property
    def letters(self) -> int:
        """Return how many letters fill the time."""
        return int(self.rate * (self.drain + 2))

    def knobs(self) -> dict[str, Any]:
        """Return the setting: seconds stand for the minutes of a real outage."""
        return {
            "RATES": {"email": f"{self.rate}/s"},
            "BREAKER_FAILURES": 5,
            "BREAKER_PAUSES": [{"seconds": 0.5}, {"seconds": 2}],
            "TICK_EVERY": {"seconds": 1},
            "BATCH_SIZE": 20,
            "LEASE_FOR": {"seconds": 20},
        }


def rage(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Send, take the provider away in three ways, bring it back, and look."""
    from oscar_triggers.engine import intake
    from oscar_triggers.models import Decision, Dispatch, DispatchState, Message, MessageState
    from tests.storm.world import card_records, publish_card_flows

    publish_card_flows("C")
    publish_card_flows("X", max_lateness="5s")
    workers = [ground.worker(f"worker-{n}") for n in range(2)]
    began = time.monotonic()
    with Supervisor([*workers, ground.beat()]) as supervisor:
        intake.record_many(card_records(plan.letters))
        wait_until(lambda: len(ground.sink.accepted()) >= plan.rate, 60, "letters leave")
        before = len(ground.sink.accepted())
        for turn, way in enumerate(WAYS):
            ground.sink.behave(way)
            if turn == 0:
                time.sleep(1.0)  # a letter that leaves at this very moment is not late
                intake.record_many(card_records(EXPIRING, letters="X", who="late"))
            time.sleep(plan.down / len(WAYS))
        waiting = Dispatch.objects.filter(state__in=[DispatchState.PLANNED, DispatchState.RETRY])
        burned = sum(attempt for attempt in waiting.values_list("attempt", flat=True))
        backlog = waiting.count()
        during = len(ground.sink.accepted()) - before
        ground.sink.behave("accept")
        back_at = time.time()
        wait_until(
            lambda: not asked(Message.objects.filter(state=MessageState.PLANNED).exists),
            90 + plan.letters / plan.rate,
            "every letter has its end",
        )
        said = supervisor.said
    accepted = ground.sink.accepted()
    recipients = Counter(letter.recipient for letter in accepted)
    expired = Dispatch.objects.filter(state=DispatchState.EXPIRED)
    attempts = Dispatch.objects.filter(state=DispatchState.SENT).values_list("attempt", flat=True)
    first_back = next((letter.at for letter in accepted if letter.at >= back_at), back_at)
    return {
        "letters": plan.letters,
        "seconds_down": plan.down,
        "ways": list(WAYS),
        "accepted_during_the_outage": during,
        "backlog": backlog,
        "attempts_burned": burned,
        "attempts_of_the_sent": dict(Counter(attempts)),
        "states": dict(Counter(Message.objects.values_list("state", flat=True))),
        "duplicates": len(accepted) - len(recipients),
        "back_after": round(first_back - back_at, 1),
        "rate_set": plan.rate,
        "rate_measured": _rate([letter.at for letter in accepted if letter.at >= back_at]),
        "expired": expired.count(),
        "expired_that_arrived": sum(1 for one in recipients if one.startswith("late-")),
        "expired_that_say_so": Decision.objects.filter(message__state=MessageState.EXPIRED)
        .values("message")
        .distinct()
        .count(),
        "expiring": EXPIRING,
        "tracebacks": said.count("Traceback"),
        "seconds": round(time.monotonic() - began),
    }


def _rate(moments: list[float]) -> float:
    """Return how many a second, without the first and the last fifth: probes and remainders."""
    moments = sorted(moments)
    middle = moments[len(moments) // 5 : len(moments) * 4 // 5]
    if len(middle) < 10:
        return 0.0
    return round((len(middle) - 1) / (middle[-1] - middle[0]), 1)
