"""Pauses, resumes, rehearses, switches off or takes back one flow, from a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers import definitions
from oscar_triggers.engine import flows, moving
from oscar_triggers.engine.moving import MigrationPreview
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import Flow, FlowState, FlowVersion

#: What each word wants the flow to be in the end.
_WANTED = {
    "pause": FlowState.PAUSED,
    "resume": FlowState.LIVE,
    "archive": FlowState.ARCHIVED,
    "shadow": FlowState.SHADOW,
    "live": FlowState.LIVE,
}
_VERBS = {
    "pause": flows.pause,
    "resume": flows.resume,
    "archive": flows.archive,
    "shadow": flows.shadow,
    "live": flows.go_live,
}


class Command(BaseCommand):
    """Does one thing with one flow, or says who stands where."""

    help = (
        "pause, resume, archive (switch off), shadow (rehearse, send nothing), live (end the "
        "rehearsal) or rollback [N] a flow. Without a verb: say who stands where."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the flow, the verb, and what becomes of people on their way."""
        parser.add_argument("key", metavar="KEY")
        parser.add_argument("verb", nargs="?", choices=[*_VERBS, "rollback"])
        parser.add_argument("number", nargs="?", type=int, metavar="N", help="Version to go to.")
        parser.add_argument("--people", choices=list(moving.CHOICES), default=moving.KEEP)
        parser.add_argument(
            "--preview",
            nargs="?",
            const="",
            metavar="FILE",
            help="Only say who stands where and what keep, move and stop would do: with a "
            "rollback, or with the flow in FILE.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        try:
            self._do(options)
        except TriggersError as error:
            raise CommandError(str(error)) from error

    def _do(self, options: dict[str, Any]) -> None:
        flow, verb, now = flows.get(options["key"]), options["verb"], timezone.now()
        if verb is None or options["preview"] is not None:
            self._tell_preview(flows.migration_preview(_live(flow), self._new(flow, options), now))
        elif verb == "rollback":
            done = flows.rollback(flow.key, options["number"], now=now, people=options["people"])
            self.stdout.write(f"{flow.key}: version {done.version.number} is live")
            told = ", ".join(
                f"{count} {word}" for word, count in vars(done.people).items() if count
            )
            self.stdout.write(f"  people on their way: {told or 'nobody'}")
        else:
            flow = _VERBS[verb](flow.key, now)
            if flow.state != _WANTED[verb]:
                raise CommandError(
                    f"{flow.key} is {flow.state} and cannot {verb}: "
                    "only what is live can pause, only what is paused can resume, and only what "
                    "rehearses (shadow) can go live."
                )
            self.stdout.write(f"{flow.key}: {flow.state}")

    def _new(self, flow: Flow, options: dict[str, Any]) -> Any:
        if options["preview"]:
            return definitions.read_flow_file(Path(options["preview"]).read_text(encoding="utf-8"))
        if options["verb"] == "rollback":
            return flows.older_version(flow, options["number"])
        return None

    def _tell_preview(self, preview: MigrationPreview) -> None:
        for line in preview.lines:
            extra = "".join(
                f", {count} {word}"
                for count, word in ((line.held, "held"), (line.with_message, "with a letter"))
                if count
            )
            gone = "" if line.step_exists else " (gone)"
            self.stdout.write(
                f"version {line.version}  {line.step_key or 'at the end'}{gone}: "
                f"{line.people} people{extra}"
            )
            if line.people:
                for choice in moving.CHOICES:
                    self.stdout.write(f"    {choice}: {line.what_becomes(choice)}")
        for choice in moving.CHOICES:
            told = [f"{n} {word}" for word, n in vars(preview.outcome(choice)).items() if n]
            self.stdout.write(f"{choice}: {', '.join(told) or 'nobody is concerned'}")


def _live(flow: Flow) -> FlowVersion:
    if flow.live_version is None:
        raise CommandError(f"{flow.key} was never published.")
    return flow.live_version
