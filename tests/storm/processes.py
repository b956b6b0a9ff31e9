"""Starting, watching and killing the processes of a storm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A Python program in a process group of its own; what it says is kept in a file."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        ready: str = "Ticking",
    ) -> None:
        self.arguments = list(arguments)
        self.environment = dict(environment)
        self.log = log
        #: What it says when it stands.
        self.ready = ready
        #: How often it was started.
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start it (anew)."""
        self._said_before = len(self.said) if self.log.exists() else 0
        self._stood = False
        self.starts += 1
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Return what it printed."""
        return self.log.read_text(errors="replace")

    @property
    def stands(self) -> bool:
        """Say whether it lives and has said that it is ready since its last start."""
        self._stood = self._stood or self.ready in self.said[self._said_before :]
        return self._stood and self.is_running

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Say whether it lives."""
        return self._popen.poll() is None

    def wait(self, timeout: float) -> int:
        """Wait for its end (seconds) and return its exit code; raises TimeoutExpired."""
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """Cut the power of the whole group: SIGKILL."""
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def stop(self, timeout: float = 15) -> None:
        """Ask it to stop; kill it when it does not."""
        if self.is_running:
            self._popen.terminate()
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._signal(signal.SIGKILL)  # children that a dead parent left behind

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._popen.pid, number)
        except ProcessLookupError:
            pass


def members(group: int) -> set[int]:
    """Return the process ids of a process group, as /proc tells them (Linux)."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; state, parent and group follow it.
            rest = path.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(rest[2]) == group:
            found.add(int(path.parent.name))
    return found


class Supervisor:
    """Starts again whatever ends, as systemd does; counts how often."""

    def __init__(self, processes: Sequence[Process], *, pause: float = 0.3) -> None:
        self.processes = list(processes)
        self.restarts = 0
        self._pause = pause
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._keep_up, daemon=True)

    def __enter__(self) -> Supervisor:
        self._watch.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._watch.join()
        for process in self.processes:
            process.kill()
            process.stop(0)

    def _keep_up(self) -> None:
        while not self._over.wait(self._pause):
            for process in self.processes:
                if not process.is_running:
                    process.start()
                    self.restarts += 1

    @property
    def said(self) -> str:
        """Return what all of them printed."""
        return "".join(process.said for process in self.processes)


@contextmanager
def running(processes: Sequence[Process]) -> Iterator[None]:
    """Have processes running, and none left afterwards."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.stop(0)


def wait_until(
    truth: Callable[[], bool], timeout: float, what: str, *, pause: float = 0.2
) -> float:
    """Wait until something is true (seconds); return how long; raises AssertionError."""
    started = time.monotonic()
    while not truth():
        waited = time.monotonic() - started
        assert waited < timeout, f"{what}: not within {timeout:g} s"
        time.sleep(pause)
    return time.monotonic() - started
