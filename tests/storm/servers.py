"""A PostgreSQL and a Redis of a storm's own: on free ports, in folders of their own, to be killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sandbox.processes import free_port

#: Who owns a cluster when a storm runs as root, which PostgreSQL refuses.
_OWNER = "postgres"
_START_SECONDS = 30


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs, None when they are not installed."""
    folders: list[Path] = []
    if shutil.which("pg_config"):
        said = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(said.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists()), None)


def missing() -> str:
    """Say which server program a storm would not find, "" when all are there."""
    if postgres_programs() is None:
        return "PostgreSQL's server programs (initdb, postgres)"
    if os.geteuid() == 0 and not _has_owner():
        return f"a system user {_OWNER!r}: PostgreSQL does not run as root"
    return "" if shutil.which("redis-server") else "redis-server"


def _has_owner() -> bool:
    try:
        pwd.getpwnam(_OWNER)
    except KeyError:
        return False
    return True


def _owner() -> str | None:
    """Return as whom PostgreSQL's programs run; None: as we do."""
    return _OWNER if os.geteuid() == 0 else None


@contextmanager
def own_folder() -> Iterator[Path]:
    """Have a folder that PostgreSQL's user may enter, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="triggers-storm-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _until(truth: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not truth():
        if time.monotonic() - began > _START_SECONDS:
            raise TimeoutError(f"{what}: not within {_START_SECONDS} s")
        time.sleep(0.02)


class Postgres:
    """One cluster; its data folder may be a copy of another one."""

    def __init__(self, data: Path) -> None:
        programs = postgres_programs()
        assert programs is not None, "ask missing() first"
        self.programs = programs
        self.data = data
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, data: Path) -> Postgres:
        """Make an empty cluster."""
        cluster = cls(data)
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, _OWNER, _OWNER)
        cluster._run("initdb", "--auth=trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D",
                     str(data))  # fmt: skip
        return cluster

    @classmethod
    def copy(cls, template: Path, data: Path) -> Postgres:
        """Copy the folder of a cluster that is stopped."""
        subprocess.run(["cp", "-a", str(template), str(data)], check=True)
        return cls(data)

    def url(self, name: str) -> str:
        """Return the address of a database in it."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self.data.parent / "postgres.log").open("ab") as log:
            self._popen = subprocess.Popen(
                [
                    str(self.programs / "postgres"),
                    *("-D", str(self.data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                ],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=_owner(),
                group=_owner(),
            )
        _until(self.answers, "PostgreSQL answers")

    def answers(self) -> bool:
        """Say whether it takes connections."""
        asked = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def restart_at_once(self) -> None:
        """Shut it down without a word to anybody (immediate mode), and start it again."""
        self.end(signal.SIGQUIT)
        self.start()

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """Shut it down; nothing of it is left running."""
        if self._popen is None:
            return
        self._popen.send_signal(how)
        try:
            self._popen.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
        self._popen = None

    def make_database(self, name: str) -> None:
        """Make an empty database."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)

    def dump_into(self, source: str, target: str) -> None:
        """Dump a database and restore the dump under another name, as people do for staging."""
        dump = self.data.parent / f"{source}.dump"
        self._run("pg_dump", "-Fc", "-f", str(dump), self.url(source), as_owner=False)
        self.make_database(target)
        self._run("pg_restore", "--no-owner", "-d", self.url(target), str(dump), as_owner=False)

    def _run(self, program: str, *arguments: str, as_owner: bool = True) -> None:
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            user=_owner() if as_owner else None,
            group=_owner() if as_owner else None,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")


class Redis:
    """One server that keeps nothing on disk: killed, it forgets everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._popen = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _until(self.answers, "Redis answers")

    def answers(self) -> bool:
        """Say whether it takes commands."""
        return self._say("ping") == "PONG"

    def forget_everything(self) -> None:
        """Send FLUSHALL."""
        assert self._say("flushall") == "OK"

    def _say(self, *words: str) -> str:
        said = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return said.stdout.strip()

    def kill(self) -> None:
        """Cut its power."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None
