"""Plays a flow for one person and prints what would be decided; nothing is kept or sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oscar_triggers import definitions
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import fixtures, flows, simulation
from oscar_triggers.engine.fixtures import Fixture
from oscar_triggers.engine.plans import plan_of
from oscar_triggers.engine.simulation import Act, SimulatedDecision
from oscar_triggers.exceptions import ProblemsError, TriggersError
from oscar_triggers.kinds import parse_duration
from oscar_triggers.management import flow_files
from oscar_triggers.models import Contact
from oscar_triggers.snapshots import Person


class Command(BaseCommand):
    """Prints the table of decisions; moments are in the shop's own time zone."""

    help = (
        "Play a flow (KEY, or FILE with the letters beside it) for a contact, a customer or a "
        "made-up person, in a transaction that is taken back. Nothing is sent or kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the flow, the person, and what happens."""
        parser.add_argument("flow", metavar="KEY|FILE")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--contact", type=int, metavar="ID")
        who.add_argument("--email-of-user", metavar="PK", help="A customer by account number.")
        who.add_argument("--fixture", metavar="FILE", help="A made-up person and what happens.")
        parser.add_argument("--at", metavar="ISO", help="When it begins, with offset; now.")
        parser.add_argument("--until", metavar="30d", help="How long to play.")
        parser.add_argument(
            "--event",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="A field of the starting event; as often as needed.",
        )
        parser.add_argument("--about", metavar="TYPE:ID", help="As in basket:123.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Simulate."""
        try:
            with flow_files.taken_back():
                lines, at = self._play(options)
        except (ProblemsError, OSError, UnicodeDecodeError) as error:
            said = "\n".join(str(problem) for problem in flow_files.problems_in(error))
            raise CommandError(said) from error
        except (TriggersError, ValueError) as error:
            raise CommandError(str(error)) from error
        self._tell(lines, at)

    def _play(self, options: dict[str, Any]) -> tuple[list[SimulatedDecision], datetime]:
        scene = self._scene(options)
        at = scene.at or timezone.now()
        definition = _definition(options["flow"], at)
        lines = simulation.simulate(
            definition,
            person=scene.person,
            act=scene.act,
            later=scene.later,
            at=at,
            until=scene.until,
            made_up=scene.made_up,
        )
        return lines, at

    def _scene(self, options: dict[str, Any]) -> Fixture:
        """Return the person and what happens; arguments go before what the fixture says."""
        if options["fixture"]:
            scene = fixtures.read_fixture(Path(options["fixture"]).read_text(encoding="utf-8"))
        else:
            scene = Fixture(person=_person(options), act=Act())
        payload = dict(scene.act.payload)
        for pair in options["event"]:
            name, equals, value = pair.partition("=")
            if not equals:
                raise CommandError(f"Write --event FIELD=VALUE, not {pair}.")
            payload[name] = value
        about = fixtures.read_about(options["about"]) or scene.act.about
        return replace(
            scene,
            act=replace(scene.act, payload=payload, about=about),
            at=fixtures.read_moment(options["at"]) if options["at"] else scene.at,
            until=parse_duration(options["until"]) if options["until"] else scene.until,
        )

    def _tell(self, lines: list[SimulatedDecision], at: datetime) -> None:
        zone = timezone.get_default_timezone()
        self.stdout.write(f"Simulated from {_local(at, zone)} ({zone}); nothing was sent or kept.")
        rows = [_row(line, zone) for line in lines]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        for row in rows:
            padded = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
            self.stdout.write("  ".join([*padded, row[3]]).rstrip())
        if not lines:
            self.stdout.write("Nothing happens: the event does not start this flow.")


def _row(line: SimulatedDecision, zone: Any) -> tuple[str, str, str, str]:
    what = line.verdict + (f": {line.reason}" if line.reason else "")
    where = line.step_key or line.rule
    compared = ", ".join(f"{name}={_shown(value, zone)}" for name, value in line.compared.items())
    subject = f"“{line.subject}”  " if line.subject else ""
    return _local(line.at, zone), where, what, f"{subject}{compared}"


def _shown(value: Any, zone: Any) -> str:
    return _local(value, zone) if isinstance(value, datetime) else str(value)


def _local(moment: datetime, zone: ZoneInfo | Any) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _person(options: dict[str, Any]) -> Person:
    contacts = Contact.objects.all()
    if options["contact"] is not None:
        found = contacts.filter(pk=options["contact"]).first()
    else:
        found = contacts.filter(user_id=options["email_of_user"]).first()
        if found is None:
            # Who was never seen by a flow has no contact yet; the account is enough.
            return Person(user_id=options["email_of_user"])
    if found is None:
        raise CommandError(f"There is no contact {options['contact']}.")
    return Person(contact_id=found.pk)


def _definition(name: str, now: datetime) -> FlowDefinition:
    """Read a published flow, or a file, with the letters that lie beside it or in letters/."""
    path = Path(name)
    if not path.is_file():
        flow = flows.get(name)
        if flow.live_version is None:
            raise CommandError(f"{name} was never published.")
        return plan_of(flow.live_version).definition
    definition = definitions.read_flow_file(path.read_text(encoding="utf-8"))
    wanted = {str(step.options.get("template")) for step, *_rest in definition.walk()}
    for folder in (path.parent, path.parent / "letters"):
        for letter in sorted(folder.glob("*.*")):
            is_wanted = letter.stem.rpartition(".")[0] in wanted
            if letter.suffix in flow_files.LETTERS and is_wanted:
                flow_files.publish_letter(letter, now, take_over=True)
    return definition
