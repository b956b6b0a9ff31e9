"""Publishes flows and letters from files, so that they live without Wagtail too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from oscar_triggers import definitions
from oscar_triggers.content.files import read_letter_file
from oscar_triggers.engine import flows, templates
from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.models import Flow, Owner
from oscar_triggers.models.sql import database_for

PRESETS = Path(__file__).resolve().parents[2] / "presets"


class Command(BaseCommand):
    """Publishes letters (*.mjml) first, then flows (*.yaml); all of it or what comes first fails."""

    help = (
        "Publish letters (NAME.LANGUAGE.mjml) and flows (NAME.yaml) from files. "
        "The word 'presets' stands for everything that ships."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take files, a take-over flag and a dry run."""
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="Also publish what the editor owns; the editor's side becomes read-only.",
        )
        parser.add_argument(
            "--check", action="store_true", help="Only say what is wrong; publish nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish."""
        paths = self._paths(options["files"])
        now = timezone.now()
        letters = [path for path in paths if path.suffix == ".mjml"]
        written = [path for path in paths if path.suffix in (".yaml", ".yml", ".json")]
        failed = 0
        with _taken_back() if options["check"] else nullcontext():
            for path in letters:
                failed += not self._letter(path, options, now)
            for path in written:
                failed += not self._flow(path, options, now)
        if failed:
            raise CommandError(f"{failed} of {len(paths)} files were refused; see above.")

    def _paths(self, names: list[str]) -> list[Path]:
        paths: list[Path] = []
        for name in names:
            if name == "presets":
                paths += sorted(PRESETS.rglob("*.mjml")) + sorted(PRESETS.rglob("*.yaml"))
                continue
            path = Path(name)
            if not path.is_file():
                raise CommandError(f"There is no file {name}.")
            if path.suffix not in (".mjml", ".yaml", ".yml", ".json"):
                raise CommandError(f"{name}: expected a letter (.mjml) or a flow (.yaml, .json).")
            paths.append(path)
        return paths

    def _letter(self, path: Path, options: dict[str, Any], now: Any) -> bool:
        key, _dot, language = path.stem.rpartition(".")
        if not key:
            self.stderr.write(
                self.style.ERROR(f"{path.name}: name it KEY.LANGUAGE.mjml, as in welcome.en.mjml")
            )
            return False
        try:
            letter = read_letter_file(path.read_text(encoding="utf-8"), language)
            version = templates.publish(
                key,
                letter.name,
                letter.source,
                owner=Owner.FILE,
                now=now,
                take_over=options["take_over"],
            )
        except (ProblemsError, OSError, UnicodeDecodeError) as error:
            return self._refused(path, error)
        self.stdout.write(
            f"{path.name}: good"
            if options["check"]
            else f"{path.name}: letter {key} ({version.language}), version {version.number}"
        )
        return True

    def _flow(self, path: Path, options: dict[str, Any], now: Any) -> bool:
        try:
            definition = definitions.read_flow_file(path.read_text(encoding="utf-8"))
            problems = flows.check(definition)
            if problems:
                raise ProblemsError(problems)
            waiting = flows.entry_preview(definition, now)
            version = flows.publish(
                definition, owner=Owner.FILE, now=now, take_over=options["take_over"]
            )
            self.stdout.write(
                f"{path.name}: good"
                if options["check"]
                else f"{path.name}: flow {definition.key}, version {version.number} is live"
            )
        except (ProblemsError, OSError, UnicodeDecodeError) as error:
            return self._refused(path, error)
        if waiting is not None:
            fate = "enter now" if definition.include_waiting else "do not enter"
            self.stdout.write(
                f"  waiting already: {waiting.recent}, which {fate}; "
                f"too old and left alone: {waiting.too_old}"
            )
        return True

    def _refused(self, path: Path, error: Exception) -> bool:
        lines = error.problems if isinstance(error, ProblemsError) else [error]
        for line in lines:
            self.stderr.write(self.style.ERROR(f"{path.name}: {line}"))
        return False


@contextmanager
def _taken_back() -> Iterator[None]:
    """Undo everything at the end: a flow may need a letter that is among the same files."""
    alias = database_for(Flow)
    with transaction.atomic(using=alias):
        yield
        transaction.set_rollback(True, using=alias)
