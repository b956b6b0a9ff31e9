"""Writes live flows, and their letters, as files that `triggers_publish` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oscar_triggers.engine import exporting
from oscar_triggers.engine.exporting import File
from oscar_triggers.engine.plans import plan_of
from oscar_triggers.models import Flow


class Command(BaseCommand):
    """Exports flows; one without --to is printed."""

    help = "Write live flows as YAML, and their letters as MJML, ready for triggers_publish."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take keys, a folder, and whether letters are wanted."""
        parser.add_argument("keys", nargs="*", metavar="KEY")
        parser.add_argument("--all", action="store_true", help="Every flow that was published.")
        parser.add_argument("--to", metavar="DIR", help="Folder to write to; made if missing.")
        parser.add_argument("--letters", action="store_true", help="Write the letters too.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export."""
        flows = Flow.objects.filter(live_version__isnull=False).select_related("live_version")
        if not options["all"]:
            flows = flows.filter(key__in=options["keys"])
        found = list(flows.order_by("key"))
        missing = sorted(set(options["keys"]) - {flow.key for flow in found})
        if missing and not options["all"]:
            raise CommandError(f"There is no published flow {', '.join(missing)}.")
        if not found and not options["all"]:
            raise CommandError("Name the flows to export, or say --all.")
        files: dict[str, File] = {}
        for flow in found:
            version = flow.live_version
            assert version is not None
            one = exporting.flow_file(version)
            files[one.name] = one
            if options["letters"]:
                for letter in exporting.letter_files(plan_of(version).definition):
                    files[letter.name] = letter
        if options["to"]:
            self._write(list(files.values()), Path(options["to"]))
            return
        if len(files) > 1:
            raise CommandError("Several files need a folder; say --to DIR.")
        for one in files.values():
            self.stdout.write(one.text, ending="")

    def _write(self, files: list[File], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for one in files:
            path = folder / one.name
            path.write_text(one.text, encoding="utf-8")
            self.stdout.write(str(path))
