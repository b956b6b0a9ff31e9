"""Lists what nobody can know or what failed, and does with it what staff decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers.engine import resolving
from oscar_triggers.engine.resolving import Answer
from oscar_triggers.models import Decision, DispatchState, Flow

_MOST_LISTED = 200
_STATES = ("unknown", "dead", "held")
_SAID = {
    Answer.DONE: "done",
    Answer.NOT_OPEN: "not open (any more)",
    Answer.TOO_LATE: "too late; --late sends it all the same",
    Answer.NOT_WANTED: "not wanted any more: who it was for has left the flow",
    Answer.SWITCHED_OFF: "its flow is switched off",
}


class Command(BaseCommand):
    """list; sent, resend, retry, drop for messages; go, end for people who are held."""

    help = (
        "list: what is in doubt, failed or held. sent/resend/drop ID…: a message in doubt did "
        "arrive, goes again, or is left. retry ID…: one that failed goes again. go/end ID…: a "
        "person who is held goes on, or is let out."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer the verbs, numbers, --state, --flow and --late."""
        verbs = ("list", "sent", "resend", "retry", "drop", "go", "end")
        parser.add_argument("verb", choices=verbs)
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="Numbers from the list.")
        parser.add_argument("--state", choices=_STATES, help="Only these (with list or --flow).")
        parser.add_argument("--flow", default="", metavar="KEY", help="All of one flow.")
        parser.add_argument(
            "--late", action="store_true", help="Also send what is too late by its flow's rule."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        verb, flow = options["verb"], options["flow"]
        if flow and not Flow.objects.filter(key=flow).exists():
            raise CommandError(f"There is no flow {flow!r}.")
        if verb == "list":
            self._list(options["state"], options["flow"])
            return
        now = timezone.now()
        ids = options["ids"] or self._ids_of(verb, options["state"], options["flow"])
        act = _act(verb, late=options["late"])
        if options["flow"] and not ids:
            self.stdout.write(f"Nothing of the flow {options['flow']!r} waits for that.")
        answers = Counter[Answer]()
        for number in ids:
            answer = act(number, now)
            answers[answer] += 1
            if answer is not Answer.DONE:
                self.stdout.write(f"{number}: {_SAID[answer]}")
        self.stdout.write(f"{answers[Answer.DONE]} of {len(ids)} done.")
        if answers.total() > answers[Answer.DONE]:
            raise SystemExit(1)

    def _ids_of(self, verb: str, state: str | None, flow: str) -> list[int]:
        if not flow:
            raise CommandError(
                "Name numbers from 'triggers_resolve list', or a flow by --flow KEY."
            )
        if (state == "held") != (verb in ("go", "end")) and state:
            raise CommandError(f"{verb!r} is not for what is {state}; see --help.")
        if verb in ("go", "end"):
            return list(resolving.held_enrollments(flow_key=flow).values_list("pk", flat=True))
        usual = {"retry": [DispatchState.DEAD], "sent": [DispatchState.UNKNOWN]}
        states = [DispatchState(state)] if state else usual.get(verb, [DispatchState.UNKNOWN])
        return list(resolving.open_dispatches(states, flow_key=flow).values_list("pk", flat=True))

    def _list(self, state: str | None, flow: str) -> None:
        states = [DispatchState(state)] if state in ("unknown", "dead") else resolving.OPEN
        if state != "held":
            rows = resolving.open_dispatches(states, flow_key=flow)
            total = rows.count()
            self.stdout.write(f"Messages: {total}")
            for row in rows[:_MOST_LISTED]:
                key = row.message.flow.key if row.message.flow is not None else "–"
                settled = f"{row.settled_at:%Y-%m-%d %H:%M}" if row.settled_at else "–"
                self.stdout.write(
                    f"  {row.pk:>8}  {row.state:8} {row.reason or '–':14} {settled}  "
                    f"{key} › {row.message.step_key or '–'}  "
                    f"contact {row.message.contact_id}  {row.detail}".rstrip()
                )
            self._more(total)
        if state in (None, "held"):
            people = resolving.held_enrollments(flow_key=flow)
            total = people.count()
            self.stdout.write(f"People who are held: {total}")
            shown = list(people[:_MOST_LISTED])
            reasons = dict(
                Decision.objects.filter(
                    enrollment_id__in=[person.pk for person in shown], verdict="held"
                )
                .order_by("pk")
                .values_list("enrollment_id", "reason")
            )
            for person in shown:
                self.stdout.write(
                    f"  {person.pk:>8}  {reasons.get(person.pk, ''):14} "
                    f"{person.flow.key} › {person.step_key or '–'}  contact {person.contact_id}"
                )
            self._more(total)

    def _more(self, total: int) -> None:
        if total > _MOST_LISTED:
            self.stdout.write(f"  … and {total - _MOST_LISTED} more.")


def _act(verb: str, *, late: bool) -> Callable[[int, datetime], Answer]:
    again = partial(resolving.resend, late=late)
    # What may have arrived goes again only by the verb that says so.
    retry = partial(again, states=(DispatchState.DEAD,))
    acts: dict[str, Callable[[int, datetime], Answer]] = {
        "sent": partial(resolving.mark_arrived, rule=resolving.STAFF),
        "resend": again,
        "retry": retry,
        "drop": resolving.drop,
        "go": resolving.let_go_on,
        "end": resolving.end,
    }
    return acts[verb]
