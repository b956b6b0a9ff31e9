"""The same act reported by many processes at once, and many clockworks at once: one letter each."""

from __future__ import annotations

import io
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows, intake
from oscar_triggers.models import (
    Dispatch,
    Enrollment,
    JournalEntry,
    Message,
    MessageState,
    Owner,
)
from tests.storm.processes import Process, running, wait_until
from tests.storm.sink import Sink
from tests.storm.world import agree, card_records, leave_baskets, publish_card_flow

pytestmark = [pytest.mark.storm, pytest.mark.usefixtures("vendor")]

REPORTERS = 4
TIMES = 5


def _report(
    kind: str, environment: dict[str, str], folder: Path, *ids: int, times: int = TIMES
) -> list[Process]:
    begin = time.time() + 4
    return [
        Process(
            [
                "-m",
                "tests.storm.acts",
                kind,
                str(begin),
                str(n * times),
                str(times),
                *map(str, ids),
            ],
            environment,
            folder / f"{kind}-{n}.log",
        )
        for n in range(REPORTERS)
    ]


def _finish(processes: list[Process]) -> None:
    for process in processes:
        assert process.wait(40) == 0, process.said


def _tick_from_two_processes(environment: dict[str, str], folder: Path) -> None:
    command = ["manage.py", "triggers_run", "--once"]
    _finish([Process(command, environment, folder / f"run-{n}.log") for n in range(2)])
    # What one of them entered may have been due only after the other had looked.
    _finish([Process(command, environment, folder / "run-again.log")])


def _one_of_each(sink: Sink, kind: str) -> None:
    assert JournalEntry.objects.filter(kind=kind).count() == 1
    assert Enrollment.objects.count() == 1
    assert Message.objects.count() == 1
    assert len(sink.accepted()) == 1


def test_an_event_reported_from_four_processes_becomes_one_letter(
    shop: None, environment: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    publish_card_flow()
    agree(["anna@example.com"])
    reporters = _report("record", environment, tmp_path)
    with running(reporters):
        _finish(reporters)
    _tick_from_two_processes(environment, tmp_path)
    _one_of_each(sink, "gift_card_expiring")


def test_oscars_signals_sent_from_four_processes_become_one_letter(
    shop: None, environment: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    from django.core.management import call_command

    call_command("triggers_publish", "preset:abandoned-basket", stdout=io.StringIO())
    from django.utils import timezone

    letter = {"key": "one", "kind": "send", "options": {"template": "abandoned-basket-1"}}
    flows.archive("abandoned-basket", timezone.now())
    flows.publish(
        FlowDefinition.from_dict(
            {"flow": "checkout", "trigger": "checkout_started", "steps": [letter]}
        ),
        owner=Owner.FILE,
        now=timezone.now(),
    )
    [basket] = leave_baskets(1)
    reporters = _report("signals", environment, tmp_path, basket.pk, basket.owner_id)
    with running(reporters):
        _finish(reporters)
    said = "".join(process.said for process in reporters)
    assert "could not note" not in said, said
    _tick_from_two_processes(environment, tmp_path)
    _one_of_each(sink, "checkout_started")


@pytest.mark.timeout(120)
def test_two_beats_two_workers_and_a_loop_send_every_letter_once(
    shop: None, environment: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("on PostgreSQL the crowd of test_storms.py meets")
    count = 100
    publish_card_flow()
    environment |= {"STORM_BROKER_DIR": str(tmp_path / "broker"), "STORM_BATCH_SIZE": "7"}
    celery = ["-m", "celery", "-A", "sandbox.celery"]
    log = ["--loglevel", "INFO"]
    worker = [
        *celery,
        "worker",
        *log,
        "--pool",
        "prefork",
        "--concurrency",
        "2",
        "--without-gossip",
    ]
    crowd = [
        *(
            Process(
                [*worker, "--without-mingle", "--without-heartbeat", "-n", f"worker{n}@storm"],
                environment,
                tmp_path / f"worker-{n}.log",
            )
            for n in range(2)
        ),
        *(
            Process(
                [*celery, "beat", *log, "--schedule", str(tmp_path / f"beat-{n}"), "--pidfile="],
                environment,
                tmp_path / f"beat-{n}.log",
            )
            for n in range(2)
        ),
        Process(
            ["manage.py", "triggers_run", "--every", "0.3"], environment, tmp_path / "loop.log"
        ),
    ]
    with running(crowd):
        # All of them ring before there is anything to do, so that they meet over it.
        wait_until(
            lambda: (
                all("succeeded" in one.said or "ready" in one.said for one in crowd[:2])
                and all("beat:" in one.said or "Ticking" in one.said for one in crowd[2:])
            ),
            60,
            "the crowd stands",
        )
        intake.record_many(card_records(count))
        wait_until(
            lambda: Message.objects.filter(state=MessageState.SENT).count() == count,
            60,
            "every letter is sent",
        )
        time.sleep(2)  # for whoever would send one again
        for one in crowd:
            assert one.is_running, one.said
    arrived = Counter(letter.recipient for letter in sink.accepted())
    assert len(arrived) == count
    assert set(arrived.values()) == {1}
    assert Enrollment.objects.count() == count
    assert Message.objects.count() == count
    assert set(Dispatch.objects.values_list("attempt", flat=True)) == {1}
    said = "".join(one.said for one in crowd)
    assert "Traceback" not in said, said[-4000:]
    assert "database is locked" not in said
