"""Short storms on servers of their own: the promises of docs/trust.md, with small numbers.

`make storm` runs the same ones in full.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.storm import promises
from tests.storm.ground import prepare
from tests.storm.processes import ROOT
from tests.storm.servers import missing, own_folder

# Slow too: they bring their own servers, so that one run of them is enough.
pytestmark = [pytest.mark.storm, pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 240
Storm = Callable[..., list[str]]


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """Make the shop's tables once, on PostgreSQL and SQLite."""
    if lacking := missing():
        services.demand("servers of its own", f"install {lacking}")
    with own_folder() as folder:
        prepare(folder)
        yield folder


@pytest.fixture
def storm(template: Path, tmp_path: Path) -> Storm:
    """Return what lets a storm rage in a process of its own and tells the broken promises."""

    def rage(name: str, *arguments: Any) -> list[str]:
        out = tmp_path / "figures.json"
        environment = {k: v for k, v in os.environ.items() if k != "TEST_DATABASE_URL"}
        with (tmp_path / "said.log").open("w+") as said:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.storm", name, *map(str, arguments)),
                    *("--template", str(template), "--out", str(out)),
                ],
                cwd=ROOT,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            try:
                code = process.wait(SECONDS)
            finally:
                # Told to stop, it ends its servers and processes.
                process.terminate()
                process.wait(30)
            said.seek(0)
            assert code == 0, said.read()[-3000:]
        figures = json.loads(out.read_text())
        print(f"\n{name}: {figures}")  # noqa: T201 - the figures
        return [str(broken) for broken in promises.PROMISES[name](figures)]

    return rage


SERVERS_FALL = ("--redis-kills", 1, "--postgres-restarts", 1)


def test_killed_workers_and_servers_lose_nothing_and_double_nothing(storm: Storm) -> None:
    assert storm("kills", "--messages", 600, "--kills", 6, "--delay", 0.1, *SERVERS_FALL) == []


def test_in_doubt_a_flow_may_send_again_at_most_once_a_kill(storm: Storm) -> None:
    resend = ("--on-doubt", "resend", "--redis-kills", 1)
    assert storm("kills", "--messages", 300, "--kills", 4, "--delay", 0.1, *resend) == []


def test_on_sqlite_kills_lose_nothing_and_the_visitor_never_waits_in_vain(storm: Storm) -> None:
    assert storm("sqlite", "--messages", 300, "--kills", 3) == []


def test_two_beats_two_workers_and_three_loops_do_everything_once(storm: Storm) -> None:
    assert storm("crowd", "--messages", 150) == []


def test_an_outage_burns_no_attempt_and_the_backlog_leaves_at_the_set_rate(storm: Storm) -> None:
    assert storm("outage", "--seconds", 9) == []


def test_receipts_overtake_a_mountain_of_promotions(storm: Storm) -> None:
    assert storm("mountain", "--messages", 4_000, "--delay", 0.02) == []


def test_a_dump_started_elsewhere_sends_nothing_until_it_is_adopted(storm: Storm) -> None:
    assert storm("staging", "--messages", 30, "--seconds", 2) == []


def test_a_poisoned_letter_dies_alone(storm: Storm) -> None:
    assert storm("poison", "--messages", 120) == []
