"""The engine with Wagtail uninstalled: its tests pass, and flows live from files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oscar_triggers.engine import intake
from tests.storm.processes import ROOT
from tests.storm.sink import Sink
from tests.storm.world import card_records, publish_card_flow

pytestmark = [pytest.mark.storm]

_UNINSTALLED = {"PYTHONPATH": str(Path(__file__).parent / "without_wagtail")}


def _run(*arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**environment, **_UNINSTALLED},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_wagtail_is_really_gone() -> None:
    program = "import importlib.util as u; assert u.find_spec('wagtail') is None; import wagtail"
    with pytest.raises(AssertionError, match="No module named 'wagtail'"):
        _run("-c", program, environment=dict(os.environ))


#: What goes through every room of the engine once: from the act over steps and letters to what
#: comes back, with the shop around it.
_THROUGH_ALL_ROOMS = (
    "engine/test_entering.py",
    "engine/test_files.py",
    "engine/test_moving_on.py",
    "engine/test_outbox.py",
    "engine/test_returns.py",
    "engine/test_simulation.py",
    "engine/test_steps_acts.py",
    "policy/test_consent.py",
    "shop/test_guards.py",
    "shop/test_left_baskets.py",
)


@pytest.mark.slow  # On SQLite whatever database is asked for: one run of it is enough.
@pytest.mark.timeout(240)
def test_the_engines_tests_pass_without_wagtail() -> None:
    kept = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    folders = [f"tests/{name}" for name in _THROUGH_ALL_ROOMS]
    said = _run(
        *("-m", "pytest", *folders, "-q", "-m", "not postgres and not storm and not slow"),
        environment=kept,
    )
    assert "passed" in said


def test_publishing_and_running_work_without_wagtail(
    shop: None, environment: dict[str, str], sink: Sink
) -> None:
    said = _run("manage.py", "triggers_publish", "preset:abandoned-basket", environment=environment)
    assert "abandoned-basket, version 1 is live" in said
    publish_card_flow()
    intake.record_many(card_records(3))
    _run("manage.py", "triggers_run", "--once", environment=environment)
    assert len(sink.accepted()) == 3
