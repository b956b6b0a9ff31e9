"""Stops all sending before the next hand-over."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseTrouble
from django.utils import timezone

from oscar_triggers.engine import installation


class Command(BaseCommand):
    """People go on entering flows and moving through them; no message leaves."""

    help = "Stop all sending before the next hand-over. 'triggers_resume' lets it go on."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --reason."""
        parser.add_argument("--reason", default="", help="Kept for whoever asks why.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Stop."""
        try:
            is_new = installation.stop(timezone.now(), reason=options["reason"])
        except DatabaseTrouble as error:
            raise CommandError(
                f"Nothing was stopped: the database does not answer ({type(error).__name__}). "
                "Set OSCAR_TRIGGERS['SENDING'] to False and restart the workers, or stop them."
            ) from error
        if is_new:
            self.stdout.write("All sending is stopped, from the next hand-over on.")
        else:
            self.stdout.write("All sending was stopped already.")
        self.stdout.write("Let it go on with 'manage.py triggers_resume'.")
