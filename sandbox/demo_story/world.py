"""A throw-away shop with its site, mail server and engine as processes of their own."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import requests
from django.core.management import call_command
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from oscar_triggers.engine import sweeping
from oscar_triggers.models import Dispatch, Enrollment, JournalEntry, Pulse
from sandbox.run import Child
from sandbox.shop import foundation, goods, schema

#: Seconds between two ticks of the demo's engine.
TICK_SECONDS = 0.4
#: Seconds within which a process must answer, and the engine must come to rest.
PATIENCE = 40.0
_SEED = 20
#: What is due so soon is waited for; tries after a refusal come a minute later.
_SOON = timedelta(seconds=10)
_MANAGE = [sys.executable, "manage.py"]
_BROKEN_MAIL = "451 4.3.0 this mail server is broken on purpose"


class Broken(Exception):
    """The demo itself cannot go on; the message says what to look at."""


@dataclass(kw_only=True)
class World:
    """The shop on its own database, and what runs beside it."""

    folder: Path
    say: Callable[[str], object]
    _children: dict[str, Child] = field(default_factory=dict)

    def build(self) -> None:
        """Make the schema, the goods and the rows that a shop needs to sell."""
        schema.build(lambda what: None)
        with transaction.atomic():
            foundation.lay()
            goods.stock_the_shelves(Random(_SEED), timezone.now())
            _open_for_shipping()

    def publish_presets(self) -> str:
        """Publish the flows and letters that ship; return what the command said last."""
        said = _Said()
        call_command("triggers_publish", "preset:abandoned-basket", stdout=said)
        return said.lines[-1]

    def break_mail(self) -> None:
        """Put another mail server in the place of the first, one that refuses every letter."""
        self._stop("mail")
        self._start("mail", [*_MANAGE, "sandbox_mail", "--refuse", _BROKEN_MAIL])
        self._wait("mail", lambda: _listens(int(os.environ["SMTP_PORT"])))

    def start_everything(self) -> None:
        """Start the shop's HTTP server, the mail server and the engine's loop."""
        port = os.environ["PORT"]
        self._start("shop", [*_MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"])
        self._start("engine", [*_MANAGE, "triggers_run", "--every", str(TICK_SECONDS)])
        self._start("mail", [*_MANAGE, "sandbox_mail"])

    def wait_for_all(self) -> None:
        """Wait until the shop and the mail server answer and the engine has ticked."""
        self._wait("mail", lambda: _listens(int(os.environ["SMTP_PORT"])))
        self._wait("shop", lambda: _answers(os.environ["SITE_URL"] + "/catalogue/"))
        self.come_to_rest(sweeps=False)

    def come_to_rest(self, *, sweeps: bool) -> None:
        """Wait until a whole tick has passed and the engine has nothing left to do.

        With `sweeps`, until every sweep has looked once more, too.
        """
        since = timezone.now()
        self._wait("engine", lambda: _ticked(since) and (not sweeps or _swept(since)))
        self._wait("engine", lambda: not _busy(timezone.now()))

    def let_time_pass(self, duration: str) -> None:
        """Age the whole shop, as `sandbox_travel` does, and let the engine do what is due."""
        # Right behind a tick: a sweep that has read and not yet written would write the old age.
        before = timezone.now()
        self._wait("engine", lambda: _ticked(before), every=0.02)
        call_command("sandbox_travel", duration, stdout=_Said())
        self.come_to_rest(sweeps=True)

    def close(self) -> None:
        """End everything that was started."""
        for child in self._children.values():
            child.ask_to_stop()
        deadline = time.monotonic() + 5
        for child in self._children.values():
            child.end(deadline)
        self._children.clear()

    def _start(self, name: str, command: list[str]) -> None:
        logs = self.folder / "log"
        logs.mkdir(exist_ok=True)
        child = Child(name=name, command=command, log_path=logs / f"{name}.log")
        self._children[name] = child
        child.start()

    def _stop(self, name: str) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            child.ask_to_stop()
            child.end(time.monotonic() + 5)

    def _wait(self, name: str, happened: Callable[[], bool], *, every: float = 0.1) -> None:
        child = self._children[name]
        deadline = time.monotonic() + PATIENCE
        while not happened():
            dead = child.process is None or child.process.poll() is not None
            if dead or time.monotonic() > deadline:
                what = "stopped" if dead else f"did not do its work within {PATIENCE:.0f} s"
                raise Broken(f"the {name} {what}; the end of its log:\n{_tail(child.log_path)}")
            time.sleep(every)


class _Said:
    """Takes what a management command prints."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines += [line.strip() for line in text.splitlines() if line.strip()]

    def flush(self) -> None:
        """Do nothing; commands expect a stream."""


def _open_for_shipping() -> Any:
    from oscar.test import factories

    return factories.CountryFactory(
        iso_3166_1_a2="GB", printable_name="United Kingdom", is_shipping_country=True
    )


def _ticked(since: datetime) -> bool:
    return Pulse.objects.filter(name="tick", ran_at__gte=since).exists()


def _swept(since: datetime) -> bool:
    # Those of a slower pace, as the yearly days, tell nothing of what just happened.
    names = [f"sweep:{name}" for name, sweep in sweeping.registry.items() if sweep.every is None]
    pulses = Pulse.objects.filter(name__in=names)
    return pulses.exists() and not pulses.filter(Q(ran_at=None) | Q(ran_at__lt=since)).exists()


def _busy(now: datetime) -> bool:
    due = Q(state__in=("planned", "retry"), due_at__lte=now + _SOON)
    return (
        JournalEntry.objects.filter(routed_at=None, error="").exists()
        or Enrollment.objects.filter(state="active", due_at__lte=now).exists()
        or Dispatch.objects.filter(due | Q(state__in=("leased", "sending"))).exists()
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-15:])
