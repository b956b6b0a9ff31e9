"""Tells why somebody did, or did not, get the messages of a flow."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers.insight.explain import explain
from oscar_triggers.models import Contact, Flow


class Command(BaseCommand):
    """Prints the story of one person and one flow; never an address."""

    help = (
        "Tell why a person did, or did not, get the messages of a flow: what happened, each "
        "decision with the values that were compared, and what came back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the flow's key and the person's number."""
        parser.add_argument("flow", metavar="FLOW", help="Key of the flow.")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--contact", type=int, metavar="ID", help="Number of the contact.")
        who.add_argument("--user", metavar="PK", help="Number of the customer's account.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the lines, oldest first."""
        if not Flow.objects.filter(key=options["flow"]).exists():
            known = ", ".join(Flow.objects.order_by("key").values_list("key", flat=True)) or "–"
            raise CommandError(f"No flow has the key {options['flow']!r} (known: {known}).")
        told = explain(self._contact(options), options["flow"], now=timezone.now())
        self.stdout.write(str(told))

    def _contact(self, options: dict[str, Any]) -> int:
        if options["contact"] is not None:
            return int(options["contact"])
        try:
            found = Contact.objects.filter(user_id=options["user"]).values_list("pk", flat=True)
            contact_id = found.first()
        except (ValueError, ValidationError):
            contact_id = None
        if contact_id is None:
            raise CommandError(
                f"No contact belongs to the account {options['user']!r}: nothing that a flow "
                "listens to was recorded for it yet."
            )
        return contact_id
