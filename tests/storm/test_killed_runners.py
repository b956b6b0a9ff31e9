"""`triggers_run` is killed again and again in the middle of a batch: nothing lost, nothing doubled."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from oscar_triggers.models import Dispatch, DispatchState, Message, MessageState
from tests.storm.processes import Process, running, wait_until
from tests.storm.sink import Sink, running_sink
from tests.storm.world import plan_cards, publish_card_flow

pytestmark = [pytest.mark.storm, pytest.mark.usefixtures("vendor")]

LETTERS = 400
FEW = 200
KILLS = 3
LEASE = 2.0
TICK = 0.2
#: The survivor finishes the batch in its hands first, on a machine that others use too.
SLACK = 4.0

IN_HAND = (DispatchState.LEASED, DispatchState.SENDING)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """Run an SMTP server that answers late: a kill often falls between the two."""
    with running_sink(tmp_path / "accepted.log", delay=0.06) as running_one:
        yield running_one


def _of(runner: Process) -> str:
    """Return how the leases of a runner begin: host and process id."""
    return f"{socket.gethostname()[:16]}:{runner.pid}:"


def _kill_one(runners: list[Process]) -> None:
    """Kill a runner that is handing a letter over while another stands; then start it anew.

    What was in its hands must be taken over within the lease and a tick.
    """
    victims: list[Process] = []

    def is_in_the_middle() -> bool:
        for runner in runners:
            others = [one for one in runners if one is not runner]
            mine = Dispatch.objects.filter(lease_owner__startswith=_of(runner))
            if (
                all(one.stands for one in others)
                and mine.filter(state=DispatchState.SENDING).exists()
            ):
                victims.append(runner)
                return True
        return False

    wait_until(is_in_the_middle, 30, "a runner is in the middle of a batch", pause=0.01)
    [victim] = victims
    left_behind = _of(victim)
    victim.kill()
    victim.start()
    mine = Dispatch.objects.filter(lease_owner__startswith=left_behind, state__in=IN_HAND)
    wait_until(lambda: not mine.exists(), LEASE + TICK + SLACK, "taken over", pause=0.05)


@pytest.mark.timeout(150)
def test_killed_runners_lose_nothing_and_double_nothing(
    shop: None, environment: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    publish_card_flow(on_doubt="hold")
    plan_cards(LETTERS)
    environment |= {"STORM_LEASE_SECONDS": str(LEASE), "STORM_BATCH_SIZE": "10"}
    command = ["manage.py", "triggers_run", "--every", str(TICK)]
    runners = [Process(command, environment, tmp_path / f"runner-{n}.log") for n in range(2)]
    with running(runners):
        for _kill in range(KILLS):
            _kill_one(runners)
        wait_until(
            lambda: not Message.objects.filter(state=MessageState.PLANNED).exists(),
            60,
            "every letter has its end",
        )
        time.sleep(LEASE)  # for whoever would send one again
        said = "".join(runner.said for runner in runners)
    accepted = Counter(letter.recipient for letter in sink.accepted())
    states = Counter(Message.objects.values_list("state", flat=True))
    unknown = Dispatch.objects.filter(state=DispatchState.UNKNOWN)
    doubtful = set(unknown.values_list("point__normalised", flat=True))
    print(f"\n{KILLS} kills: {dict(states)}, {len(accepted)} arrived")  # noqa: T201 - the figure
    assert set(accepted.values()) == {1}, "somebody got a letter twice"
    assert set(states) <= {MessageState.SENT, MessageState.UNKNOWN}, said[-3000:]
    assert len(set(accepted) | doubtful) == LETTERS, "a letter was lost"
    # At most the one letter in hand of each killed runner is in doubt, and it is shown.
    assert len(doubtful) <= KILLS
    assert states[MessageState.SENT] == LETTERS - len(doubtful)
    assert re.search(r"Traceback", said) is None, said[-3000:]


@pytest.mark.timeout(150)
def test_in_doubt_a_flow_may_send_again_at_most_once_a_kill(
    shop: None, environment: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    publish_card_flow(on_doubt="resend")
    plan_cards(FEW)
    environment |= {"STORM_LEASE_SECONDS": str(LEASE), "STORM_BATCH_SIZE": "10"}
    command = ["manage.py", "triggers_run", "--every", str(TICK)]
    runners = [Process(command, environment, tmp_path / f"runner-{n}.log") for n in range(2)]
    with running(runners):
        for _kill in range(2):
            _kill_one(runners)
        wait_until(
            lambda: Message.objects.filter(state=MessageState.SENT).count() == FEW,
            60,
            "every letter is sent",
        )
    accepted = Counter(letter.recipient for letter in sink.accepted())
    assert len(accepted) == FEW
    assert sum(accepted.values()) - FEW <= 2
