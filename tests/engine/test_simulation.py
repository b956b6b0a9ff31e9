"""A flow is played for one person, and nothing of it remains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from oscar_triggers import events, signals
from oscar_triggers.definitions import FlowDefinition, write_flow_file
from oscar_triggers.engine import simulation
from oscar_triggers.engine.simulation import Act, MadeUp, SimulatedDecision
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import (
    Contact,
    Decision,
    Enrollment,
    Flow,
    FlowVersion,
    JournalEntry,
    Message,
)
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

CARD = {"code": "A1", "expires_on": "2030-05-01"}
ACT = Act(payload=CARD, about=About(type="gift_card", id="7"))
AGREED = MadeUp(topics=["offers"])
STEPS = (
    SEND,
    wait("pause", "2d"),
    {
        "key": "ask",
        "kind": "branch",
        "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
        "branches": {"yes": [{**SEND, "key": "letter-a"}]},
    },
)


def flow(*steps: dict[str, Any], **rest: Any) -> FlowDefinition:
    """Return a flow about gift cards that was never published."""
    return FlowDefinition.from_dict(
        {"flow": "gift-cards", "trigger": "gift_card_expiring", "steps": list(steps), **rest}
    )


@pytest.fixture(autouse=True)
def _letters(publish_letter: Callable[..., Any]) -> None:
    publish_letter()


def told(lines: list[SimulatedDecision]) -> list[tuple[str, str]]:
    """Return (step, verdict) of each line."""
    return [(line.step_key, line.verdict) for line in lines]


def test_a_draft_is_played_by_the_very_engine(person: Person, now: datetime) -> None:
    lines = simulation.simulate(flow(*STEPS), person=person, act=ACT, at=now, made_up=AGREED)
    assert told(lines) == [
        ("", "entered"),
        ("letter", "shadowed"),
        ("pause", "wait"),
        ("ask", "yes"),
        ("letter-a", "shadowed"),
    ]
    assert lines[1].subject == "Your card A1"
    assert lines[3].compared["code"] == "A1"
    assert lines[3].at - now >= timedelta(days=2)


def test_nothing_remains_and_nobody_hears_of_it(
    person: Person, now: datetime, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[str] = []
    listeners = [
        (signal, lambda name=name, **kwargs: heard.append(name))
        for name, signal in vars(signals).items()
        if isinstance(signal, signals.Signal)
    ]
    for signal, receiver in listeners:
        signal.connect(receiver)
    tables = (Contact, Decision, Enrollment, Flow, FlowVersion, JournalEntry, Message)
    try:
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            lines = simulation.simulate(
                flow(*STEPS), person=person, act=ACT, at=now, made_up=AGREED
            )
    finally:
        for signal, receiver in listeners:
            signal.disconnect(receiver)
    assert len(lines) == 5
    assert (heard, callbacks, mail.outbox) == ([], [], [])
    assert [table.objects.count() for table in tables] == [0] * len(tables)


def test_without_a_consent_it_says_so(person: Person, now: datetime) -> None:
    lines = simulation.simulate(flow(SEND), person=person, act=ACT, at=now)
    assert told(lines) == [("", "entered"), ("letter", "skipped")]
    assert lines[1].rule == "consent"


def test_who_does_not_enter_is_told_why(person: Person, now: datetime) -> None:
    entry = [{"kind": "card_begins_with", "letters": "Z"}]
    [line] = simulation.simulate(flow(SEND, entry=entry), person=person, act=ACT, at=now)
    assert (line.verdict, line.reason) == ("not_entered", "card_begins_with")
    assert line.compared == {"code": "A1"}


def test_what_happens_later_ends_it(person: Person, now: datetime) -> None:
    bought = Act(
        event="order_placed", payload={"number": "100", "basket_id": 5}, after=timedelta(days=1)
    )
    lines = simulation.simulate(
        flow(*STEPS, goals=["order_placed"]),
        person=person, act=ACT, later=[bought], at=now, made_up=AGREED,
    )  # fmt: skip
    assert lines[-1].reason == "goal"
    assert "letter-a" not in {line.step_key for line in lines}
    assert timedelta(days=1) <= lines[-1].at - now < timedelta(days=1, minutes=1)


def test_a_live_flow_and_its_people_stay_as_they_are(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    agreed: int,
    tick: Callable[[datetime], Any],
    person: Person,
    now: datetime,
) -> None:
    publish_flow(*STEPS)
    expire(card="8", at=now)
    tick(now)
    before = list(Enrollment.objects.values()), list(Flow.objects.values())
    lines = simulation.simulate(flow(*STEPS), person=Person(contact_id=agreed), act=ACT, at=now)
    assert told(lines)[-1] == ("letter-a", "shadowed")
    assert (list(Enrollment.objects.values()), list(Flow.objects.values())) == before
    assert len(mail.outbox) == 1


def test_a_jump_is_followed_into_the_other_flow(
    publish_flow: Callable[..., FlowVersion], person: Person, now: datetime
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class CardLost(GiftCardExpiring):
        kind: ClassVar[str] = "card_lost"

    steps = wait("rest", "1d"), {**SEND, "key": "letter-there"}
    jump = {"key": "leap", "kind": "jump", "options": {"flow": "other"}}
    with events.registry.temporarily("card_lost", CardLost):
        publish_flow(*steps, key="other", trigger="card_lost")
        lines = simulation.simulate(
            flow(SEND, jump), person=person, act=ACT, at=now, made_up=AGREED
        )
    assert ("leap", "exit") in told(lines)
    assert told(lines)[-1] == ("letter-there", "shadowed")
    assert mail.outbox == []


def test_a_simulated_voucher_is_none(person: Person, now: datetime) -> None:
    from oscar.core.loading import get_model

    offer = {"template": "card", "voucher": {"percent": 10, "valid": "7d"}}
    lines = simulation.simulate(
        flow({**SEND, "options": offer}), person=person, act=ACT, at=now, made_up=AGREED
    )
    assert told(lines)[-1] == ("letter", "shadowed")
    assert not get_model("voucher", "Voucher").objects.exists()


def test_it_ends_where_it_should(person: Person, now: datetime) -> None:
    lines = simulation.simulate(
        flow(*STEPS), person=person, act=ACT, at=now, made_up=AGREED, until=timedelta(days=1)
    )
    assert told(lines)[-1] == ("pause", "wait")


def test_a_flow_that_cannot_be_published_is_refused(person: Person, now: datetime) -> None:
    with pytest.raises(DefinitionError):
        simulation.simulate(flow(), person=person, act=ACT, at=now)


FIXTURE = """
person: {email: anna@example.com, first_name: Anna, consent: [offers], tags: [vip]}
event: {code: A1, expires_on: 2030-05-01}
about: gift_card:7
at: 2030-04-01T10:00:00+02:00
later:
  - {after: 1d, event: order_placed, number: "100", basket_id: 5}
"""


def test_the_command_prints_the_table_of_a_fixture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, fixture = tmp_path / "gift-cards.yaml", tmp_path / "anna.yaml"
    path.write_text(write_flow_file(flow(*STEPS, goals=["order_placed"])))
    fixture.write_text(FIXTURE)
    call_command("triggers_simulate", str(path), "--fixture", str(fixture))
    out = capsys.readouterr().out
    assert "Your card A1" in out
    assert "goal" in out
    assert "2030-04-02" in out
    assert "anna@example.com" not in out
    assert not Flow.objects.exists()


def test_the_command_plays_a_published_flow_for_a_contact(
    publish_flow: Callable[..., FlowVersion], agreed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_flow(*STEPS)
    call_command(
        "triggers_simulate", "gift-cards", "--contact", str(agreed),
        "--event", "code=A1", "--event", "expires_on=2030-05-01", "--about", "gift_card:7",
    )  # fmt: skip
    assert "letter-a" in capsys.readouterr().out
    with pytest.raises(CommandError, match="needs the option 'expires_on'"):
        call_command(
            "triggers_simulate", "gift-cards", "--contact", str(agreed), "--event", "code=A1"
        )
