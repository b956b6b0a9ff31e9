"""Fill the shop: schema, goods with pictures, people, ninety days of history, presets."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.models import Flow
from sandbox.shop import foundation, schema, texts

#: The same shop on every machine.
SEED = 20
#: Flows that ship and that the shop runs from its first day. It takes no payments, so none is about
#: those; Oscar welcomes whoever registers.
_PRESETS = (
    "preset:abandoned-basket",
    "preset:request-confirmation",
    "preset:back-in-stock",
    "preset:discontinued",
    "preset:price-drop",
    "preset:price-reached",
    "preset:thanks",
    "preset:order-shipped",
    "preset:order-ready",
    "preset:pickup-ending",
    "preset:delivery-rating",
    "preset:review-request",
    "preset:review-thanks",
)


class Command(BaseCommand):
    """Fills an empty database; leaves a filled one as it is, but for schema, logins and presets."""

    help = "Fill the sandbox shop. Safe to repeat: a filled shop keeps its data."

    def add_arguments(self, parser: CommandParser) -> None:
        """Let a test or a person leave the presets out."""
        parser.add_argument("--no-presets", action="store_true", help="publish no flows")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it step by step, and say how long each took."""
        with self._step("Schema") as step:
            schema.build(step.say)
        # Oscar's factories bring models of their own, for which no table must be made.
        from sandbox.shop import people

        with self._step("Sites, languages, page tree"), transaction.atomic():
            foundation.lay()
        if get_model("catalogue", "Product").objects.exists():
            self.stdout.write("  The shop is filled already; its data stays as it is.")
        else:
            self._fill()
        with self._step("Logins"), transaction.atomic():
            people.hire_and_invite()
        if not options["no_presets"]:
            self._publish_presets()

    def _fill(self) -> None:
        from sandbox.shop import goods, history, people

        random, now = Random(SEED), timezone.now()
        # All or nothing: a shop that was interrupted half-way is an empty one.
        with transaction.atomic():
            with self._step("Goods and their pictures") as step:
                step.say(f"{goods.stock_the_shelves(random, now)} products")
            with self._step("Customers") as step:
                people.hire_and_invite()
                customers = people.make_customers(random, now)
                step.say(f"{len(customers)} with contacts and consent")
            with self._step("Ninety days of history") as step:
                counted = history.make_the_past(customers, random, now)
                step.say(", ".join(f"{count} {noun}" for noun, count in counted.items()))

    def _publish_presets(self) -> None:
        first_time = not Flow.objects.exists()
        # Where there is an editor, the flow is the editor's; else it lives as files.
        command = (
            ("triggers_load_presets", *_PRESETS, "--publish")
            if apps.is_installed("wagtail_triggers")
            else ("triggers_publish", *_PRESETS)
        )
        with self._step("Flows and letters that ship") as step:
            try:
                call_command(*command, stdout=step, stderr=step)
            except CommandError:
                if first_time:
                    raise
                # An editor took them over, which is what an editor may do.
                step.say("left as the editor wants them")
        if apps.is_installed("wagtail_triggers"):
            with self._step("A text for the counter") as step:
                step.say("published" if texts.write() else "is there already")

    def _step(self, name: str) -> _Step:
        return _Step(name, self.stdout)


class _Step:
    """One line of progress, with what happened in it and the seconds it took."""

    def __init__(self, name: str, out: Any) -> None:
        self._name, self._out, self._said = name, out, [""]

    def say(self, what: str) -> None:
        """Add to the line."""
        self._said = [what]

    def write(self, text: str) -> None:
        """Take what a called command prints."""
        self._said = [line for line in text.splitlines() if line.strip()] or self._said

    def flush(self) -> None:
        """Do nothing; commands expect a stream."""

    def __enter__(self) -> _Step:
        self._started = time.monotonic()
        self._out.write(f"  {self._name} …")
        self._out.flush()
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        if error is not None:
            self._out.writelines(f"    {line}" for line in self._said if line)
        else:
            took = time.monotonic() - self._started
            self._out.write(f"    done in {took:.1f} s  {self._said[-1].strip()}")
