"""Puts the flows and letters that ship into the editor."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oscar_triggers.content import presets as shipped
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.management import flow_files
from wagtail_triggers import presets


class Command(BaseCommand):
    """Makes drafts of presets; what exists already is left as it is."""

    help = "Put flows that ship, each with its letters, into the editor as drafts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take names, and offer to publish what was loaded."""
        parser.add_argument("names", nargs="*", metavar="NAME")
        parser.add_argument("--all", action="store_true", help="Load every flow that ships.")
        parser.add_argument(
            "--publish", action="store_true", help="Publish what is not live yet, letters first."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and publish where asked."""
        if not options["names"] and not options["all"]:
            raise CommandError(f"Name what you want, or say --all:\n{flow_files.list_of_presets()}")
        wanted = shipped.every() if options["all"] else flow_files.presets_of(options["names"])
        refused = 0
        try:
            for loaded in presets.load(wanted):
                if loaded.draft is None or (loaded.kept and loaded.draft.live):
                    self.stdout.write(f"{loaded.name}: {loaded.kept}, left as it is")
                    continue
                if not options["publish"]:
                    self.stdout.write(f"{loaded.name}: draft “{loaded.draft}”")
                    continue
                try:
                    presets.publish(loaded.draft)
                except ProblemsError as error:
                    refused += 1
                    self.stderr.write(self.style.ERROR(f"{loaded.name}: {error}"))
                else:
                    self.stdout.write(f"{loaded.name}: “{loaded.draft}” is live")
        except ProblemsError as error:
            raise CommandError(str(error)) from error
        if refused:
            raise CommandError(f"{refused} drafts were loaded but not published; see above.")
