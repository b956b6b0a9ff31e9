"""Says in plain words whether the engine runs, and what to do where it does not."""

from __future__ import annotations

from typing import Any

from django.core import checks as django_checks
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from oscar_triggers import checks
from oscar_triggers.insight import health
from oscar_triggers.insight.health import Finding, Level


class Command(BaseCommand):
    """Looks at settings, clockwork, journal, people, messages and flows."""

    help = "Say whether the engine runs, and what to do where it does not. Changes nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --strict."""
        parser.add_argument(
            "--strict", action="store_true", help="Also exit with 1 when there are only warnings."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found; exit with 1 when something is wrong."""
        findings = [*_settings(), *health.examine(timezone.now())]
        for finding in findings:
            self._say(finding)
        problems = sum(finding.level is Level.PROBLEM for finding in findings)
        warnings = sum(finding.level is Level.WARNING for finding in findings)
        if problems or (warnings and options["strict"]):
            self.stdout.write(self.style.ERROR(f"\n{problems} wrong, {warnings} worth a look."))
            raise SystemExit(1)
        ending = f"All is well, {warnings} worth a look." if warnings else "All is well."
        self.stdout.write(self.style.SUCCESS(f"\n{ending}"))

    def _say(self, finding: Finding) -> None:
        mark, style = {
            Level.OK: ("ok   ", self.style.SUCCESS),
            Level.WARNING: ("look ", self.style.WARNING),
            Level.PROBLEM: ("wrong", self.style.ERROR),
        }[finding.level]
        self.stdout.write(f"{style(mark)}  {finding.text}")
        if finding.advice:
            self.stdout.write(f"         → {finding.advice}")


def _settings() -> list[Finding]:
    found = [
        Finding(
            level=Level.PROBLEM if message.level >= django_checks.ERROR else Level.WARNING,
            text=f"{message.msg} ({message.id})",
            advice=message.hint or "",
        )
        for message in django_checks.run_checks(tags=[checks.TAG])
        if not message.is_silenced()
    ]
    return found or [Finding(level=Level.OK, text="The settings are complete.")]
