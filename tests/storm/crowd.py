"""The crowd: two beats, two workers and three loops over one outbox, and acts told four times."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.storm.ground import Ground, asked
from tests.storm.listening import Listener
from tests.storm.processes import Supervisor, wait_until

REPORTERS = 4
TIMES = 5


def meet(ground: Ground, letters: int) -> dict[str, Any]:
    """Have all of them work on the same letters; Redis forgets everything on the way."""
    from oscar_triggers.engine import intake
    from oscar_triggers.models import Dispatch, Enrollment, JournalEntry, Message, MessageState
    from tests.storm.world import agree, card_records, publish_card_flow

    assert ground.redis is not None
    publish_card_flow()
    agree(["anna@example.com"])
    crowd = [
        *(ground.worker(f"worker-{n}") for n in range(2)),
        *(ground.beat(f"beat-{n}") for n in range(2)),
        *(ground.runner(f"runner-{n}", every=0.3) for n in range(3)),
    ]
    began = time.monotonic()
    with Listener(ground.redis) as listener, Supervisor(crowd) as supervisor:
        wait_until(lambda: all(one.stands for one in crowd), 90, "the crowd stands")
        reporters = _report_at_once(ground, time.time() + 5)
        intake.record_many(card_records(letters))

        def sent() -> int:
            return asked(lambda: Message.objects.filter(state=MessageState.SENT).count())

        wait_until(lambda: sent() >= letters // 3, 120, "a third is sent", pause=0.05)
        ground.redis.forget_everything()
        for reporter in reporters:
            assert reporter.wait(60) == 0, reporter.said
        wait_until(lambda: sent() >= letters + 1, 60 + letters / 5, "every letter is sent")
        time.sleep(3)  # for whoever would send one again
        said = supervisor.said
        restarts = supervisor.restarts
    arrived = Counter(letter.recipient for letter in ground.sink.accepted())
    return {
        "letters": letters + 1,
        "accepted": sum(arrived.values()),
        "accepted_distinct": len(arrived),
        "letters_about_the_act_told_often": arrived["anna@example.com"],
        "times_told": REPORTERS * TIMES,
        "journal_rows": JournalEntry.objects.filter(kind="gift_card_expiring").count(),
        "enrollments": Enrollment.objects.count(),
        "messages": Message.objects.count(),
        "attempts": sorted(set(Dispatch.objects.values_list("attempt", flat=True))),
        "beats": 2,
        "workers": 2,
        "runners": 3,
        "restarts": restarts,
        "tracebacks": said.count("Traceback"),
        "seconds": round(time.monotonic() - began),
        **listener.report(),
    }


def _report_at_once(ground: Ground, begin: float) -> list[Any]:
    return [
        ground.process(
            f"reporter-{n}",
            *("-m", "tests.storm.acts", "record", str(begin), str(n * TIMES), str(TIMES)),
            "told-often",
        )
        for n in range(REPORTERS)
    ]
