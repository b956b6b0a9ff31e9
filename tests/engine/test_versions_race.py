"""A flow is edited while workers move its people: nobody is written to twice or forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import advancing, flows, outbox, routing
from oscar_triggers.models import (
    Enrollment,
    EnrollmentState,
    ExitReason,
    FlowVersion,
    Message,
    MessageState,
    Owner,
)
from oscar_triggers.snapshots import Person

from .conftest import SEND, wait

PEOPLE = 30
A = {**SEND, "key": "letter-a"}
B = {**SEND, "key": "letter-b"}
C = {**SEND, "key": "letter-c"}
FIRST = (A, wait("w1", "1s"), B, wait("w2", "1s"), C)
#: The letters in another order, one wait gone, one new.
SECOND = (B, wait("w3", "1s"), A, wait("w1", "1s"), C)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.slow,
]


def definition(steps: tuple[dict[str, Any], ...]) -> FlowDefinition:
    """Return the flow with these steps."""
    return FlowDefinition.from_dict(
        {
            "flow": "gift-cards",
            "trigger": "gift_card_expiring",
            "stream": "transactional",
            "steps": list(steps),
        }
    )


@pytest.mark.parametrize("choice", ["move", "stop", "keep"])
def test_editing_while_workers_move_people_doubles_and_loses_nothing(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    now: datetime,
    choice: str,
) -> None:
    publish_flow(*FIRST, stream="transactional")
    for number in range(PEOPLE):
        expire(card=str(number), at=now, who=Person(email=f"p{number}@example.com"))
    while routing.route(now):
        pass
    errors: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        moment = now
        try:
            while not stop.is_set():
                moment += timedelta(milliseconds=300)
                advancing.advance(moment, limit=7)
                outbox.send_due(moment, limit=7)
        except BaseException as error:  # noqa: BLE001 - the test tells of it
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for steps in (SECOND, FIRST, SECOND):
            flows.publish(definition(steps), owner=Owner.FILE, now=now, people=choice)
    finally:
        stop.wait(0.5)
        stop.set()
        for worker in workers:
            worker.join(timeout=60)
    assert errors == []
    for second in range(2, 400, 4):
        advancing.advance(now + timedelta(seconds=second))
        outbox.send_due(now + timedelta(seconds=second))
    assert not Enrollment.objects.exclude(state=EnrollmentState.ENDED).exists()
    written = Counter(Message.objects.values_list("contact_id", "step_key"))
    assert set(written.values()) <= {1}
    if choice == "stop":
        assert not Message.objects.filter(state=MessageState.PLANNED).exists()
    else:
        assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {
            ExitReason.COMPLETED
        }
        # Whichever way people went, letter C stands at the end of both versions.
        assert sum(1 for _contact, key in written if key == "letter-c") == PEOPLE
