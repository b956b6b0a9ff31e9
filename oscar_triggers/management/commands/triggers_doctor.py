"""Says in plain words whether the engine runs, and what to do where it does not."""

from __future__ import annotations

import json
from typing import Any

from django.core import checks as django_checks
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from oscar_triggers import checks
from oscar_triggers.insight import deliverability, health
from oscar_triggers.insight.health import Finding, Level


class Command(BaseCommand):
    """Looks at settings, safety, clockwork, journal, people, messages, flows and the DNS."""

    help = (
        "Say whether the engine runs, and what to do where it does not. Changes nothing. Exits "
        "with 1 when something is wrong."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --strict, --json and --no-dns."""
        parser.add_argument(
            "--strict", action="store_true", help="Also exit with 1 when there are only warnings."
        )
        parser.add_argument("--json", action="store_true", help="Say it for programs.")
        parser.add_argument("--no-dns", action="store_true", help="Do not ask the DNS.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found; exit with 1 when something is wrong."""
        findings = [*_settings(), *health.examine(timezone.now())]
        if not options["no_dns"]:
            findings += deliverability.examine()
        problems = sum(finding.level is Level.PROBLEM for finding in findings)
        warnings = sum(finding.level is Level.WARNING for finding in findings)
        is_wrong = bool(problems or (warnings and options["strict"]))
        if options["json"]:
            self.stdout.write(json.dumps(health.as_data(findings), indent=2))
        else:
            self._print(findings, problems, warnings, is_wrong=is_wrong)
        if is_wrong:
            raise SystemExit(1)

    def _print(
        self, findings: list[Finding], problems: int, warnings: int, *, is_wrong: bool
    ) -> None:
        for finding in findings:
            self._say(finding)
        if is_wrong:
            self.stdout.write(self.style.ERROR(f"\n{problems} wrong, {warnings} worth a look."))
            return
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
    said = [
        message
        for message in django_checks.run_checks(tags=[checks.TAG])
        if not message.is_silenced()
    ]
    found = [
        Finding(level=_level(message.level), text=f"{message.msg} ({message.id})",
                advice=message.hint or "")
        for message in said
    ]  # fmt: skip
    if all(finding.level is Level.OK for finding in found):
        found.append(Finding(level=Level.OK, text="The settings are complete."))
    return found


def _level(level: int) -> Level:
    if level >= django_checks.ERROR:
        return Level.PROBLEM
    return Level.WARNING if level >= django_checks.WARNING else Level.OK
