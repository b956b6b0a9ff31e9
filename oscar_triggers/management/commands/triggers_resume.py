"""Lets sending go on after `triggers_stop`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from oscar_triggers.conf import triggers_settings
from oscar_triggers.engine import installation, resolving


class Command(BaseCommand):
    """What became too late meanwhile is not sent."""

    help = "Let sending go on after 'triggers_stop'. Messages that became too late are not sent."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Resume."""
        now = timezone.now()
        due = resolving.count_due(now)
        if installation.resume(now):
            self.stdout.write("Sending goes on.")
        else:
            self.stdout.write("Sending was not stopped.")
        self.stdout.write(
            f"Due now: {due.in_time}, of which the rules may still hold some back. "
            f"Too late and not sent: {due.too_late}."
        )
        if not triggers_settings().sending:
            self.stdout.write("OSCAR_TRIGGERS['SENDING'] is False: nothing leaves all the same.")
        elif installation.is_foreign():
            self.stdout.write(
                "This database belongs to another installation: see 'triggers_adopt'."
            )
