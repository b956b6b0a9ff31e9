"""Let time pass in the shop."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.shop.travel import parse_duration, travel


class Command(BaseCommand):
    """Makes everything in the database older, as if so much time had passed."""

    help = "Let time pass: make every date in the database older, as in `sandbox_travel 25h`."

    def add_arguments(self, parser: CommandParser) -> None:
        """Ask how long."""
        parser.add_argument("duration", help="25h, 3d, 1d2h30m (w, d, h, m, s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Travel, and say how much moved."""
        try:
            duration = parse_duration(options["duration"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        moved = travel(duration)
        self.stdout.write(
            f"{options['duration']} passed: {sum(moved.values())} rows in "
            f"{len(moved)} tables are that much older."
        )
