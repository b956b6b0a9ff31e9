"""Says that this database, which came from another installation, belongs to this one now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers.engine import catches, installation, resolving


class Command(BaseCommand):
    """Shows both identities and what would be sent, and asks."""

    help = "Make this the installation that the database belongs to: what is due is sent from here."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --yes."""
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Adopt."""
        now = timezone.now()
        here, there = installation.configured(), installation.stored()
        if there == here:
            self.stdout.write("This database belongs to this installation already.")
            return
        self.stdout.write(f"{'':14}{'the database':40}these settings")
        for name in ("environment", "host", "base_url"):
            before = getattr(there, name) if there is not None else "–"
            self.stdout.write(f"{name.upper():14}{before or '–':40}{getattr(here, name) or '–'}")
        due = resolving.count_due(now)
        self.stdout.write(
            f"\nDue now and sent from here once it is adopted: {due.in_time} messages."
        )
        kept = catches.current()
        if kept.redirects is not None:
            self.stdout.write("OSCAR_TRIGGERS['REDIRECT_ALL_TO'] is on: they reach no customer.")
        elif kept.has_list:
            self.stdout.write("OSCAR_TRIGGERS['ONLY_TO'] is on: only who is named gets any.")
        elif due.in_time:
            self.stdout.write(
                self.style.WARNING(
                    "They go to real people. Is this a copy for tests? Then set "
                    "OSCAR_TRIGGERS['REDIRECT_ALL_TO'] first."
                )
            )
        if not options["yes"] and not self._agreed():
            raise CommandError("Nothing was changed.")
        installation.adopt(now)
        self.stdout.write(self.style.SUCCESS("Adopted."))

    def _agreed(self) -> bool:
        self.stdout.write("Type 'yes' to adopt it: ", ending="")
        self.stdout.flush()
        try:
            return input().strip().lower() == "yes"
        except EOFError:
            return False
