"""One letter kills every process that is about to hand it over: the others leave all the same.

Also the app that does it in the processes of that storm: `STORM_POISON` names the contact.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Any

from tests.storm.ground import Ground, asked
from tests.storm.processes import Supervisor, wait_until

POISONED = "person-13@example.com"


def drink(*, contact_id: int, **kwargs: object) -> None:
    """Die without a word, as a library that crashes does (a receiver of message_sending)."""
    from oscar_triggers.models import ContactPoint

    if ContactPoint.objects.filter(contact_id=contact_id, normalised=POISONED).exists():
        os.kill(os.getpid(), signal.SIGKILL)


def spread(ground: Ground, letters: int) -> dict[str, Any]:
    """Send letters of which one is poison, and see what becomes of it."""
    from oscar_triggers.models import Dispatch, Message, MessageState
    from tests.storm.world import plan_cards, publish_card_flow

    publish_card_flow()
    plan_cards(letters)
    poison = {"DJANGO_SETTINGS_MODULE": "tests.storm.poisoned"}
    runners = [ground.runner(f"runner-{n}", every=0.2, **poison) for n in range(2)]
    began = time.monotonic()
    with Supervisor(runners) as supervisor:
        wait_until(
            lambda: not asked(Message.objects.filter(state=MessageState.PLANNED).exists),
            90 + letters / 10,
            "every letter has its end",
        )
        restarts = supervisor.restarts
    accepted = Counter(letter.recipient for letter in ground.sink.accepted())
    dead = Dispatch.objects.filter(message__state=MessageState.DEAD)
    return {
        "letters": letters,
        "workers_that_died": restarts,
        "dead": list(dead.values_list("point__normalised", "crashes", "message__reason")),
        "states": dict(Counter(Message.objects.values_list("state", flat=True))),
        "accepted": sum(accepted.values()),
        "accepted_distinct": len(accepted),
        "poison_accepted": accepted[POISONED],
        "seconds": round(time.monotonic() - began),
    }
