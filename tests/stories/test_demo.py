"""`make demo` tells the truth: it succeeds when the story comes true, and only then."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.processes import sandbox_environment

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def play(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what `make demo` runs, with a temporary folder of its own."""
    environment = sandbox_environment(tmp_path / "var", TMPDIR=str(tmp_path))
    return subprocess.run(
        [sys.executable, "-m", "sandbox.demo", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def lines_not_true(told: str) -> str:
    """Return what the demo says did not come true."""
    found = re.search(r"The story did NOT come true.*", told, re.DOTALL)
    assert found, told[-2000:]
    return found.group()


def still_running(folder: Path) -> list[str]:
    """Return the commands of processes that were started for a folder (where /proc tells)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"TMPDIR={folder}".encode() in environment.split(b"\0") and command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_the_main_job_comes_true_and_leaves_nothing_behind(tmp_path: Path) -> None:
    played = play(tmp_path)

    assert played.returncode == 0, played.stdout[-3000:] + played.stderr
    assert "The story came true" in played.stdout
    assert "✗" not in played.stdout
    table = " ".join(re.sub(r"[│─┼]", " ", played.stdout).split())
    for shown in (
        "basket: Enamel mug",
        "entry entered",
        "consent skipped no_consent",
        "abandoned-basket-3",
        "“You left something in",
        "“В вашей корзине",
    ):
        assert shown in table, shown
    assert list(tmp_path.iterdir()) == []
    assert still_running(tmp_path) == []


def test_an_order_that_is_missing_is_noticed_by_the_letter_that_follows(tmp_path: Path) -> None:
    played = play(tmp_path, "BREAK=order")

    assert played.returncode != 0
    wrong = lines_not_true(played.stdout)
    assert "Olga, a day later: arrived should be nothing, but was “Помочь с заказом?”" in wrong
    assert "Greta" not in wrong


def test_a_missing_consent_is_noticed_by_the_letter_that_does_not_come(tmp_path: Path) -> None:
    played = play(tmp_path, "BREAK=consent")

    assert played.returncode != 0
    wrong = lines_not_true(played.stdout)
    assert (
        "Greta, after an hour: arrived should be “In Ihrem Warenkorb liegt noch etwas”, "
        "but was nothing" in wrong
    )
    assert "Anna" not in wrong


def test_a_mail_server_that_refuses_is_noticed(tmp_path: Path) -> None:
    played = play(tmp_path, "BREAK=smtp")

    assert played.returncode != 0
    wrong = lines_not_true(played.stdout)
    assert (
        "Anna, after an hour: arrived should be “You left something in your basket”, "
        "but was nothing" in wrong
    )


def test_the_menu_hands_on_how_to_break_it() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo", "BREAK=order"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1].endswith("-m sandbox.demo BREAK=order")


def test_an_unknown_way_to_break_it_is_refused(tmp_path: Path) -> None:
    played = play(tmp_path, "BREAK=everything")

    assert played.returncode != 0
    assert "BREAK=order|consent|smtp" in played.stderr
