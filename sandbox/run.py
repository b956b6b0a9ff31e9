"""Runs the whole sandbox: shop, mail server, Celery worker and beat, until Ctrl-C.

`python -m sandbox.run` fills the shop first. With `--production` it insists on PostgreSQL and
Redis, whose addresses it takes from the environment.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
#: Seconds a child may take to end by itself.
_PATIENCE = 15
#: Seconds before a child that died is started again; doubled each time, up to a minute.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_SITE_MUST_ANSWER_WITHIN = 180
_MANAGE = [sys.executable, "manage.py"]
_CELERY = [sys.executable, "-m", "celery", "-A", "sandbox.celery"]


class CannotRun(Exception):
    """Something outside is missing; the message says what to do."""


@dataclass(kw_only=True)
class Child:
    """One program of the sandbox, started again when it dies."""

    name: str
    command: list[str]
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    pause: float = _FIRST_PAUSE
    start_again_at: float = 0.0
    _log: IO[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it in a process group of its own, so that Ctrl-C reaches it only through us."""
        if self._log is None:
            self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def look_after(self, now: float, say: Callable[[str], object]) -> None:
        """Start it again if it died; wait longer each time."""
        if self.process is None:
            if now >= self.start_again_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        say(
            f"! {self.name} stopped (exit {code}); starting it again in {self.pause:.0f} s. "
            f"Its log: {self.log_path}"
        )
        self._kill_group()
        self.process = None
        self.start_again_at = now + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def ask_to_stop(self) -> None:
        """Ask it, and not its pool: a worker lets its pool finish what is in hand."""
        if self.process is not None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end, and kill it after the deadline (monotonic seconds)."""
        if self.process is not None:
            try:
                self.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self._kill_group()
        if self._log is not None:
            self._log.close()

    def _kill_group(self) -> None:
        """Kill what it left behind: a worker's pool outlives a worker that was killed."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox and return the exit code."""
    parser = argparse.ArgumentParser(prog="sandbox.run", description=__doc__)
    parser.add_argument("--production", action="store_true", help="on PostgreSQL and Redis")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    try:
        if options.production:
            demand_servers(os.environ)
        port, smtp_port = _port("PORT", 8000), _port("SMTP_PORT", 8025)
        demand_free_port("PORT", port, "the shop")
        demand_free_port("SMTP_PORT", smtp_port, "the mail server")
        _say("Filling the shop:")
        if subprocess.run([*_MANAGE, "sandbox_load"], cwd=ROOT, check=False).returncode:
            raise CannotRun("The shop could not be filled; the lines above say why.")
        return _run(port, started)
    except CannotRun as error:
        print(f"\nCannot run the sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demand_servers(environment: os._Environ[str] | dict[str, str]) -> None:
    """Check that PostgreSQL and Redis are named and answer; raises CannotRun."""
    wanted = {
        "DATABASE_URL": ("postgres", 5432, "postgres://user:password@127.0.0.1:5432/shop"),
        "REDIS_URL": ("redis", 6379, "redis://127.0.0.1:6379/0"),
    }
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        examples = " ".join(f"{name}={wanted[name][2]}" for name in missing)
        raise CannotRun(
            f"set {' and '.join(missing)}, as in:\n  {examples} make sandbox-production"
        )
    for name, (scheme, default_port, example) in wanted.items():
        parts = urlsplit(environment[name])
        if not parts.scheme.startswith(scheme):
            raise CannotRun(f"{name} must begin with {scheme}://, as in {example}.")
        address = (parts.hostname or "127.0.0.1", parts.port or default_port)
        try:
            socket.create_connection(address, timeout=5).close()
        except OSError as error:
            raise CannotRun(
                f"nothing answers at {address[0]}:{address[1]} ({name}): {error}."
            ) from error


def demand_free_port(name: str, port: int, what: str) -> None:
    """Check that nothing listens at a port of the loopback interface; raises CannotRun."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotRun(
                f"port {port} for {what} is taken ({error.strerror}). "
                f"Stop what uses it, or choose another: {name}={port + 1} make sandbox"
            ) from error


def _port(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise CannotRun(f"{name}={value!r} is no port number.")
    return int(value)


def _children(port: int) -> list[Child]:
    var = Path(os.environ.get("SANDBOX_VAR") or ROOT / "sandbox" / "var")
    logs = var / "log"
    logs.mkdir(parents=True, exist_ok=True)
    worker = ["worker", "--concurrency=2", "--loglevel=WARNING"]
    # A broker of files has no broadcasts, which all three would need.
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    commands = {
        "shop": [*_MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"],
        "mail": [*_MANAGE, "sandbox_mail"],
        "worker": [*_CELERY, *worker],
        "beat": [*_CELERY, "beat", "--loglevel=WARNING"],
    }
    return [
        Child(name=name, command=command, log_path=logs / f"{name}.log")
        for name, command in commands.items()
    ]


def _run(port: int, started: float) -> int:
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    children = _children(port)
    try:
        for child in children:
            child.start()
        _wait_for_the_shop(port, children, stopping)
        if not stopping:
            _print_addresses(port, time.monotonic() - started)
        while not stopping:
            for child in children:
                child.look_after(time.monotonic(), _say)
            time.sleep(0.5)
    finally:
        _say("\nStopping …")
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + _PATIENCE
        for child in children:
            child.end(deadline)
        _say("Stopped.")
    return 0


def _wait_for_the_shop(port: int, children: list[Child], stopping: list[int]) -> None:
    deadline = time.monotonic() + _SITE_MUST_ANSWER_WITHIN
    while time.monotonic() < deadline and not stopping:
        for child in children:
            child.look_after(time.monotonic(), _say)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/catalogue/", timeout=5).close()
        except urllib.error.HTTPError as error:
            raise CannotRun(
                f"the shop answers with {error}; see {children[0].log_path}."
            ) from error
        except OSError:
            time.sleep(0.3)
        else:
            return
    if not stopping:
        raise CannotRun(f"the shop does not answer; see {children[0].log_path}.")


def _print_addresses(port: int, seconds: float) -> None:
    # Django is set up only here: the error messages above need none of it.
    import django

    django.setup()
    from sandbox.shop.people import LOGINS

    base = f"http://localhost:{port}"
    addresses = {
        "Shop": f"{base}/",
        "Editor (Wagtail)": f"{base}/cms/",
        "Inbox": f"{base}/inbox/",
        "Oscar's dashboard": f"{base}/dashboard/",
        "Django's admin": f"{base}/django-admin/",
    }
    _say(f"\nThe sandbox runs (after {seconds:.0f} s).\n")
    for name, address in addresses.items():
        _say(f"  {name:<18} {address}")
    _say("")
    for login in LOGINS:
        _say(f"  {login.role:<18} {login.email}  password: {login.password}")
    _say("\n  Let time pass:     .venv/bin/python manage.py sandbox_travel 25h")
    _say("  Stop:              Ctrl-C")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
