"""Runs the engine without Celery: the very same tick in a loop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections

from oscar_triggers.conf import triggers_settings
from oscar_triggers.engine import clockwork, faults, installation, worker

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Ticks until it is told to stop; SIGTERM and Ctrl-C let the running tick finish."""

    help = "Run the engine in a loop, without Celery. Stop it with Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --once and --every."""
        parser.add_argument(
            "--once", action="store_true", help="Do what is due and stop (for cron)."
        )
        parser.add_argument(
            "--every",
            type=float,
            default=triggers_settings().tick_every.total_seconds(),
            metavar="SECONDS",
            help="Pause between two ticks (default: OSCAR_TRIGGERS['TICK_EVERY']).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Tick."""
        if options["every"] <= 0:
            raise CommandError("--every takes seconds above zero.")
        self._say_what_holds()
        if options["once"]:
            while self._tick_has_more():
                pass
            return
        worker.settle_in()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        self.stdout.write(f"Ticking every {options['every']:g} s. Stop with Ctrl-C.")
        while not stopping.is_set():
            close_old_connections()
            has_more = False
            try:
                has_more = self._tick_has_more()
            except DatabaseTrouble as error:
                # The database may be restarting: nothing is lost, the next tick goes on.
                said = faults.told(error)
                logger.error("The tick failed; trying again in %g s: %s", options["every"], said)
            if not has_more:
                stopping.wait(options["every"])
        self.stdout.write("Stopped.")

    def _say_what_holds(self) -> None:
        """Say at the beginning that nothing will leave: silence would look like nothing to do."""
        try:
            reason = installation.hold_reason()
        except DatabaseTrouble:
            return  # The first tick says it.
        if reason:
            self.stderr.write(
                f"Nothing is sent ({reason}); 'manage.py triggers_doctor' says what to do."
            )

    def _tick_has_more(self) -> bool:
        report = clockwork.tick()
        self._say(report)
        return report.is_unfinished

    def _say(self, report: clockwork.TickReport) -> None:
        if not report.was_idle:
            self.stdout.write(
                f"{report.at:%H:%M:%S}  routed {report.routed}, moved on {report.advanced}, "
                f"recovered {report.recovered}, handed over {report.handed_over}"
            )
