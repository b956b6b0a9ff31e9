"""Publishes flows and letters from files, so that they live without Wagtail too."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers import definitions
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows, moving
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.management import flow_files
from oscar_triggers.models import Flow, Owner, Template


class Command(BaseCommand):
    """Publishes letters and texts first, then flows; all of it or what comes first fails."""

    help = (
        "Publish letters (NAME.LANGUAGE.mjml, .txt) and flows (NAME.yaml) from files or folders. "
        "preset:NAME stands for a flow that ships, with its letters."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take files, a take-over flag, a dry run, and what becomes of people on their way."""
        parser.add_argument("files", nargs="+", metavar="FILE|preset:NAME")
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="Also publish what the editor owns; the editor's side becomes read-only.",
        )
        parser.add_argument(
            "--check", action="store_true", help="Only say what is wrong; publish nothing."
        )
        parser.add_argument(
            "--people",
            choices=list(moving.CHOICES),
            default=moving.KEEP,
            help="People on their way: keep their version (the default), move to the new one, "
            "or stop. See `triggers_flow KEY --preview FILE`.",
        )
        parser.add_argument(
            "--shadow",
            action="store_true",
            help="Only rehearse: decide, record and show letters, and send nothing.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish."""
        if flow_files.EVERY_PRESET in options["files"]:
            raise CommandError(
                "Not everything that ships is for every shop. Name what you want:\n"
                + flow_files.list_of_presets()
            )
        paths = flow_files.paths_of(options["files"])
        now = timezone.now()
        letters = [path for path in paths if path.suffix in flow_files.LETTERS]
        written = [path for path in paths if path.suffix in flow_files.FLOWS]
        failed = 0
        with flow_files.taken_back() if options["check"] else nullcontext():
            for path in letters:
                failed += not self._letter(path, options, now)
            for path in written:
                failed += not self._flow(path, options, now)
        if failed:
            raise CommandError(f"{failed} of {len(paths)} files were refused; see above.")

    def _letter(self, path: Path, options: dict[str, Any], now: Any) -> bool:
        key, _dot, _language = path.stem.rpartition(".")
        owned = _owned_by_editor(Template, key)
        try:
            # What would be refused only because the editor owns it is still checked.
            version = flow_files.publish_letter(
                path, now, take_over=options["take_over"] or options["check"]
            )
        except (ProblemsError, OSError, UnicodeDecodeError) as error:
            return self._refused(path, error)
        if options["check"]:
            self._good(path, owned=owned and not options["take_over"])
        else:
            self.stdout.write(
                f"{path.name}: letter {key} ({version.language}), version {version.number}"
            )
        return True

    def _flow(self, path: Path, options: dict[str, Any], now: Any) -> bool:
        try:
            definition = definitions.read_flow_file(path.read_text(encoding="utf-8"))
            problems = flows.check(definition)
            if problems:
                raise ProblemsError(problems)
            owned = _owned_by_editor(Flow, definition.key)
            waiting = flows.entry_preview(definition, now)
            published = flows.publish_version(
                definition,
                owner=Owner.FILE,
                now=now,
                take_over=options["take_over"] or options["check"],
                people=options["people"],
                shadow=options["shadow"],
            )
        except (ProblemsError, OSError, UnicodeDecodeError) as error:
            return self._refused(path, error)
        if options["check"]:
            self._good(path, owned=owned and not options["take_over"])
        else:
            self._tell(path, definition, published)
        if waiting is not None:
            fate = "enter now" if definition.include_waiting else "do not enter"
            self.stdout.write(
                f"  waiting already: {waiting.recent}, which {fate}; "
                f"too old and left alone: {waiting.too_old}"
            )
        return True

    def _tell(self, path: Path, definition: FlowDefinition, published: flows.Published) -> None:
        state = Flow.objects.values_list("state", flat=True).get(key=definition.key)
        self.stdout.write(
            f"{path.name}: flow {definition.key}, version {published.version.number} is {state}"
        )
        if published.people.total:
            numbers = ", ".join(
                f"{count} {word}" for word, count in vars(published.people).items() if count
            )
            self.stdout.write(f"  people on their way: {numbers}")

    def _good(self, path: Path, *, owned: bool) -> None:
        note = " (written in the editor: publish it with --take-over)" if owned else ""
        self.stdout.write(f"{path.name}: good{note}")

    def _refused(self, path: Path, error: Exception) -> bool:
        lines = error.problems if isinstance(error, ProblemsError) else [error]
        for line in lines:
            self.stderr.write(self.style.ERROR(f"{path.name}: {line}"))
        return False


def _owned_by_editor(model: type[Flow] | type[Template], key: str) -> bool:
    return model._default_manager.filter(key=key, owner=Owner.EDITOR).exists()
