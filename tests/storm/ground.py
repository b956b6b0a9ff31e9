"""The ground of a storm: its own servers, its own database with a shop in it, its own processes.

Made in a process of its own (`python -m tests.storm …`), which has one ground and one storm. The
tables are made once (`prepare`) and copied for each storm.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.storm.processes import ROOT, Process, members
from tests.storm.servers import Postgres, Redis
from tests.storm.sink import Sink, running_sink

SHOP = "shop"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SETTINGS = "tests.storm.settings"
_Answer = TypeVar("_Answer")


def prepare(folder: Path) -> None:
    """Make a cluster and a SQLite file with the shop's tables, to be copied by every storm."""
    postgres = Postgres.make(folder / "postgres")
    postgres.start()
    try:
        postgres.make_database(SHOP)
        for url in (postgres.url(SHOP), f"sqlite:///{folder / 'shop.sqlite3'}"):
            _make_tables(url, folder)
    finally:
        postgres.end()


def _make_tables(url: str, folder: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": _SETTINGS,
        "TEST_DATABASE_URL": url,
        "STORM_WITHOUT_MIGRATIONS": "1",
        "SANDBOX_VAR": str(folder / "var"),
    }
    command = [sys.executable, "manage.py", "migrate", "--run-syncdb", "--verbosity", "0"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"No tables: {done.stderr[-3000:]}")


@dataclass(kw_only=True)
class Ground:
    """Where a storm rages."""

    folder: Path
    vendor: str
    sink: Sink
    postgres: Postgres | None = None
    redis: Redis | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """Return the address of the shop's database."""
        if self.postgres is not None:
            return self.postgres.url(SHOP)
        return f"sqlite:///{self.folder / 'shop.sqlite3'}"

    def process(
        self, name: str, *arguments: str, ready: str = "Ticking", **environment: str
    ) -> Process:
        """Start a Python program on this ground."""
        environment = {**self.environment, **environment}
        return Process(arguments, environment, self.folder / f"{name}.log", ready=ready)

    def runner(self, name: str, *, every: float, **environment: str) -> Process:
        """Start `triggers_run`."""
        return self.process(name, "manage.py", "triggers_run", "--every", str(every), **environment)

    def worker(self, name: str, *, concurrency: int = 2) -> Process:
        """Start a Celery worker."""
        return self.process(
            name,
            *("-m", "celery", "-A", "sandbox.celery", "worker", "--loglevel", "INFO"),
            *("--pool", "prefork", "--concurrency", str(concurrency), "-n", f"{name}@storm"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ready=" ready.",
        )

    def beat(self, name: str = "beat") -> Process:
        """Start a Celery beat, which rings every second."""
        return self.process(
            name,
            *("-m", "celery", "-A", "sandbox.celery", "beat", "--loglevel", "INFO"),
            *("--schedule", str(self.folder / f"{name}.schedule"), "--pidfile="),
            ready="beat: Starting",
        )


@contextmanager
def ground(
    template: Path,
    folder: Path,
    *,
    vendor: str = POSTGRESQL,
    celery: bool = True,
    delay: float = 0.0,
    smtp_seconds: float = 10.0,
    triggers: Mapping[str, Any] | None = None,
) -> Iterator[Ground]:
    """Make the ground and set Django up on it; `triggers` are keys of OSCAR_TRIGGERS as JSON."""
    with ExitStack() as ends:
        sink = ends.enter_context(running_sink(folder / "accepted.log", delay=delay))
        here = Ground(folder=folder, vendor=vendor, sink=sink)
        if vendor == POSTGRESQL:
            here.postgres = Postgres.copy(template / "postgres", folder / "postgres")
            ends.callback(here.postgres.end)
            here.postgres.start()
        else:
            shutil.copy(template / "shop.sqlite3", folder / "shop.sqlite3")
        if celery:
            here.redis = Redis(folder)
            ends.callback(here.redis.kill)
            here.redis.start()
        here.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": _SETTINGS,
            "TEST_DATABASE_URL": here.database_url,
            "SMTP_PORT": str(sink.port),
            "STORM_SMTP_SECONDS": str(smtp_seconds),
            "STORM_TRIGGERS": json.dumps(triggers or {}),
            "SANDBOX_VAR": str(folder / "var"),
            "PYTHONUNBUFFERED": "1",
        }
        if here.redis is not None:
            here.environment["STORM_BROKER_URL"] = here.redis.url
        os.environ.update(here.environment)
        _open_the_shop()
        yield here


def _open_the_shop() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.sites.models import Site

    Site.objects.update_or_create(
        pk=settings.SITE_ID, defaults={"domain": "testserver", "name": "Kettle & Pine"}
    )


def asked(question: Callable[[], _Answer], *, patience: float = 30.0) -> _Answer:
    """Ask the database, also while it is restarting (seconds)."""
    from django.db import Error, connection

    began = time.monotonic()
    while True:
        try:
            return question()
        except Error:
            connection.close()
            if time.monotonic() - began > patience:
                raise
            time.sleep(0.05)


def lease_names(process: Process) -> tuple[str, ...]:
    """Return how the leases of a process and its children begin: host and process id."""
    host = socket.gethostname()[:16]
    return tuple(f"{host}:{pid}:" for pid in sorted(members(process.pid)))
