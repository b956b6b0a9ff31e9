"""Lets rows go that are older than OSCAR_TRIGGERS["RETENTION"] says."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from oscar_triggers.engine import pruning


class Command(BaseCommand):
    """The clockwork does the same once a day, a little at a time."""

    help = "Prune what is older than OSCAR_TRIGGERS['RETENTION'] says; totals by day stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="Only count what would go.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, or count."""
        now = timezone.now()
        kept = pruning.lengths()
        if options["dry_run"]:
            gone, word = pruning.count(now), "would go"
        else:
            gone, word = pruning.prune(now)[0], "went"
        for name, number in gone.items():
            length = kept[name]
            days = f"older than {length.days} days" if length is not None else ""
            self.stdout.write(f"{name:12} {number:>9} {word} ({days})")
        for name in sorted(set(kept) - set(gone)):
            self.stdout.write(f"{name:12} kept for ever")
