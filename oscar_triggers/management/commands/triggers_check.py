"""Says what is wrong or odd in flows, from files or live, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers import definitions
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import checking
from oscar_triggers.engine.checking import Finding, Level
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.management import flow_files
from oscar_triggers.models import Flow


class Command(BaseCommand):
    """Checks flows; exits with 1 on errors, with --strict on warnings too."""

    help = (
        "Check flows without running them: FILE or folder (letters first, as triggers_publish), "
        "KEY of a published flow, --live for all of them, preset:NAME, or 'presets' for all that ship."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take targets, the format and the strictness."""
        parser.add_argument("targets", nargs="*", metavar="FILE|KEY")
        parser.add_argument("--live", action="store_true", help="Check every published flow.")
        parser.add_argument("--strict", action="store_true", help="Warnings fail too.")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check."""
        found: list[tuple[str, list[Finding]]] = []
        with flow_files.taken_back():
            found += self._files(options["targets"])
            found += self._published(options["targets"], everything=options["live"])
        if not found:
            raise CommandError("Name files or keys of flows, or say --live.")
        if options["format"] == "json":
            rows = [{"target": name, **f.to_dict()} for name, some in found for f in some]
            self.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            self._tell(found)
        errors = sum(f.level == Level.ERROR for _name, some in found for f in some)
        warnings = sum(len(some) for _name, some in found) - errors
        if errors or (options["strict"] and warnings):
            raise CommandError(f"{errors} errors, {warnings} warnings.")

    def _files(self, targets: list[str]) -> Iterator[tuple[str, list[Finding]]]:
        names = [name for name in targets if not _is_key(name)]
        paths = flow_files.paths_of(names)
        now = timezone.now()
        for path in paths:
            if path.suffix in flow_files.LETTERS:
                try:
                    flow_files.publish_letter(path, now, take_over=True)
                except (ProblemsError, OSError, UnicodeDecodeError) as error:
                    yield path.name, _refused(error)
                else:
                    yield path.name, []
        for path in paths:
            if path.suffix in flow_files.FLOWS:
                yield path.name, _check(path)

    def _published(
        self, targets: list[str], *, everything: bool
    ) -> Iterator[tuple[str, list[Finding]]]:
        keys = [name for name in targets if _is_key(name)]
        rows = Flow.objects.filter(live_version__isnull=False).select_related("live_version")
        for flow in rows.order_by("key"):
            if everything or flow.key in keys:
                assert flow.live_version is not None
                stored = FlowDefinition.from_dict(flow.live_version.definition)
                yield flow.key, checking.findings_of(stored)
                keys = [key for key in keys if key != flow.key]
        if keys:
            raise CommandError(f"There is no file and no published flow {', '.join(keys)}.")

    def _tell(self, found: list[tuple[str, list[Finding]]]) -> None:
        for name, findings in found:
            if not findings:
                self.stdout.write(f"{name}: good")
            for one in findings:
                style = self.style.ERROR if one.level == Level.ERROR else self.style.WARNING
                self.stdout.write(style(f"{name}: {one.level.value}: {one} [{one.rule}]"))


def _is_key(name: str) -> bool:
    """Say whether a target means a published flow: it looks like a key and is no file."""
    return (
        name != flow_files.EVERY_PRESET
        and bool(definitions.KEY.match(name))
        and not Path(name).exists()
    )


def _check(path: Path) -> list[Finding]:
    try:
        definition = definitions.read_flow_file(path.read_text(encoding="utf-8"))
    except (ProblemsError, OSError, UnicodeDecodeError) as error:
        return _refused(error)
    return checking.findings_of(definition)


def _refused(error: Exception) -> list[Finding]:
    return [Finding.of_problem(problem) for problem in flow_files.problems_in(error)]
