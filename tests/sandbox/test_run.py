"""`make sandbox` starts everything, keeps it running and stops it cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import run
from tests.sandbox.processes import free_port, sandbox_environment

START = [sys.executable, "-m", "sandbox.run"]


def outcome(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the sandbox where it cannot run, and return what it says."""
    return subprocess.run(
        [*START, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = outcome(PORT=str(port), SANDBOX_VAR=str(tmp_path))

    assert result.returncode == 1
    assert f"port {port} for the shop is taken" in result.stderr
    assert f"PORT={port + 1} make sandbox" in result.stderr


def test_production_names_the_servers_that_it_misses() -> None:
    result = outcome("--production", DATABASE_URL="", REDIS_URL="")

    assert result.returncode == 1
    assert "set DATABASE_URL and REDIS_URL" in result.stderr


@pytest.mark.parametrize(
    ("database", "redis", "words"),
    [
        ("sqlite:///x", "redis://127.0.0.1:1/0", "DATABASE_URL must begin with postgres://"),
        ("postgres://u@127.0.0.1:1/x", "redis://127.0.0.1:1/0", r"127.0.0.1:1 \(DATABASE_URL\)"),
    ],
)
def test_production_names_the_server_that_is_wrong(database: str, redis: str, words: str) -> None:
    with pytest.raises(run.CannotRun, match=words):
        run.demand_servers({"DATABASE_URL": database, "REDIS_URL": redis})


def test_a_child_that_dies_is_started_again_later_each_time(tmp_path: Path) -> None:
    said: list[str] = []
    child = run.Child(name="beat", command=[sys.executable, "-c", ""], log_path=tmp_path / "log")
    child.start()
    assert child.process is not None
    child.process.wait()

    child.look_after(100.0, said.append)
    assert "beat stopped (exit 0); starting it again in 1 s" in said[0]
    child.look_after(100.5, said.append)
    assert child.process is None
    child.look_after(101.0, said.append)
    assert child.process is not None
    child.process.wait()
    child.look_after(101.0, said.append)
    assert "again in 2 s" in said[1]
    child.end(time.monotonic() + 5)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], int]]]:
    """Return a function that starts the whole sandbox in a folder of its own."""
    running: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], int]:
        port = free_port()
        environment = sandbox_environment(tmp_path, PORT=str(port), SMTP_PORT=str(free_port()))
        process = subprocess.Popen(
            START, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        running.append(process)
        return process, port

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Read what the sandbox prints up to a line with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if words in line:
            return lines
    raise AssertionError("the sandbox ended early:\n" + "\n".join(lines))


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def is_gone(pid: int) -> bool:
    """Tell whether a process ended (one that nobody waits for counts as ended)."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text(encoding="ascii").split()[2] == "Z"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc, as on Linux")
def test_the_sandbox_starts_survives_a_dead_worker_and_stops_without_a_trace(
    sandbox: Callable[[], tuple[subprocess.Popen[str], int]],
) -> None:
    process, port = sandbox()
    lines = lines_until(process, "Ctrl-C")
    shown = "\n".join(lines)
    assert "anna@example.com  password: customer" in shown
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/catalogue/?page=2") as page:
        assert "add to" in page.read().decode().lower()
    children = children_of(process.pid)
    assert len(children) == 4

    worker = next(pid for pid in children if "worker" in command_of(pid))
    os.kill(worker, signal.SIGKILL)
    assert "worker stopped (exit -9)" in lines_until(process, "worker stopped")[-1]
    everybody = [
        *children,
        *(grandchild for pid in children for grandchild in children_or_none(pid)),
    ]

    process.send_signal(signal.SIGINT)
    lines_until(process, "Stopped.")
    assert process.wait(timeout=20) == 0
    assert [pid for pid in everybody if not is_gone(pid)] == []


def command_of(pid: int) -> str:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def children_or_none(pid: int) -> list[int]:
    """Return the children of a process that may have ended."""
    return [] if is_gone(pid) else children_of(pid)
