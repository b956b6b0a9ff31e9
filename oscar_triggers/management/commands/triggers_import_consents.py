"""Brings consents that were collected elsewhere into the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers.engine import consent_import


class Command(BaseCommand):
    """Reads a CSV file whole, then writes all of it or nothing."""

    help = (
        "Import consents from a CSV file with the columns email or phone, topic, action "
        "(grant, withdraw), basis (consent, soft_opt_in, legitimate_interest), text, "
        "occurred_at, and optionally text_version, language and source. All or nothing; "
        "importing a file again adds nothing; suppressed addresses stay suppressed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and --dry-run."""
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be done, and do nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import."""
        path: Path = options["file"]
        now = timezone.now()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = consent_import.read(file, name=path.name, now=now)
        except OSError as error:
            raise CommandError(f"{path.name} cannot be read: {error.strerror}.") from error
        except consent_import.ImportProblems as error:
            for problem in error.problems:
                self.stderr.write(str(problem))
            more = "at least " if len(error.problems) >= consent_import.MOST_PROBLEMS else ""
            raise CommandError(
                f"Nothing was imported: {more}{len(error.problems)} problems. Correct the file "
                "and import it again."
            ) from error
        self.stdout.write(f"{len(lines)} lines read, all of them good.")
        report = consent_import.write(
            lines, now, dry_run=options["dry_run"], progress=self._progress(len(lines))
        )
        verb = "would be written" if options["dry_run"] else "written"
        self.stdout.write(
            self.style.SUCCESS(
                f"{report.written} {verb}, {report.known} were there already; "
                f"{report.suppressed} addresses stay suppressed."
            )
        )

    def _progress(self, total: int) -> Any:
        def say(done: int) -> None:
            if done % (consent_import.BATCH * 10) == 0 and done < total:
                self.stdout.write(f"  {done} of {total} …")

        return say
