"""Holds and lists what may have been sent since the backup that was restored."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from oscar_triggers.engine import after_restore
from oscar_triggers.engine.after_restore import Found, Line

_COLUMNS = ("what", "id", "flow_key", "step_key", "contact_id", "due_at")
_MOST_SHOWN = 50


class Command(BaseCommand):
    """Without --hold it only says what it would do."""

    help = (
        "After a backup was restored, and before any worker runs: hold and list everything that "
        "may have been sent since it was taken. Without --hold nothing is changed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --since, --hold and --csv."""
        parser.add_argument(
            "--since",
            required=True,
            metavar="MOMENT",
            help="When the backup was taken, as in 2026-11-22T03:00+00:00 (UTC if it says nothing).",
        )
        parser.add_argument("--hold", action="store_true", help="Hold what is listed.")
        parser.add_argument("--csv", metavar="FILE", help="Write the list (ids only) to a file.")

    def handle(self, *args: Any, **options: Any) -> None:
        """List, and hold where it is wished."""
        now = timezone.now()
        since = _moment(options["since"])
        if since > now:
            raise CommandError(f"{since.isoformat()} has not come yet.")
        found = after_restore.find(since, now)
        self._say(found, since)
        lines = list(after_restore.lines(found))
        for line in islice(lines, _MOST_SHOWN):
            self.stdout.write(f"  {_row(line)}")
        if len(lines) > _MOST_SHOWN:
            self.stdout.write(f"  … and {len(lines) - _MOST_SHOWN} more; --csv FILE has them all.")
        if options["csv"]:
            try:
                _write(Path(options["csv"]), lines)
            except OSError as error:
                raise CommandError(
                    f"{options['csv']} cannot be written ({error.strerror}); nothing was changed."
                ) from error
        if not options["hold"]:
            self.stdout.write("\nNothing was changed. With --hold, all of this is held.")
            return
        after_restore.hold(found, since, now)
        self.stdout.write(
            self.style.SUCCESS("\nHeld.") + " Decide about each with 'manage.py triggers_resolve'."
        )
        self.stdout.write(
            "Unsubscribes and complaints of the lost time are lost, too: bring them in from your "
            "mail provider's lists before you let anything go on."
        )

    def _say(self, found: Found, since: datetime) -> None:
        if found.ticked_at is not None:
            self.stdout.write(
                self.style.WARNING(
                    f"The clockwork ran at {found.ticked_at:%Y-%m-%d %H:%M:%S} UTC, after "
                    f"{since:%Y-%m-%d %H:%M:%S} UTC. Either the backup is younger than you say, or "
                    "workers ran before this command and may have sent doubles."
                )
            )
        self.stdout.write(
            f"Messages that may have been sent: {len(found.dispatch_ids)}. "
            f"People who may have moved on: {len(found.enrollment_ids)}. "
            f"Events that were not looked at yet, and start nothing any more: "
            f"{len(found.journal_ids)}. "
            f"Flows that take people in only for what happens from now on: {len(found.flow_ids)}."
        )


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no moment; write it like 2026-11-22T03:00+00:00.")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _row(line: Line) -> str:
    due = f"{line.due_at:%Y-%m-%d %H:%M}" if line.due_at is not None else "–"
    name = line.flow_key or "–"
    return (
        f"{line.what:8} {line.id:>8}  {name} › {line.step_key or '–'}  "
        f"contact {line.contact_id}  due {due}"
    )


def _write(path: Path, lines: list[Line]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for line in lines:
            due = line.due_at.isoformat() if line.due_at is not None else ""
            writer.writerow(
                [line.what, line.id, line.flow_key, line.step_key, line.contact_id, due]
            )
