"""What another app brings in one file works like everything that ships."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from oscar_triggers import definitions
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, exporting, flows, intake
from oscar_triggers.engine.consents import ConsentGiven
from oscar_triggers.exceptions import DefinitionError, TemplateError
from oscar_triggers.management import flow_files
from oscar_triggers.models import Dispatch, DispatchState, Message, Owner, TemplateVersion
from oscar_triggers.snapshots import About, Person
from oscar_triggers.testing import factories
from sandbox.shop_extras.triggers import CounterScreen, GiftCardExpiring, RingTheBell

FLOW = {
    "flow": "at-the-counter",
    "trigger": {"kind": "gift_card_expiring"},
    "entry": [{"kind": "card_begins_with", "letters": "A"}],
    "steps": [
        {"key": "bell", "kind": "ring_the_bell", "options": {"times": 2}},
        {
            "key": "screen",
            "kind": "send",
            "options": {"template": "card", "channel": "counter_screen"},
        },
    ],
}


WORDS = "{{ gift_card.code }} is yours: https://shop.example/cards/"


@pytest.fixture
def publish_text(db: None, now: datetime) -> Callable[..., Any]:
    """Return a function that publishes a text about gift cards for the screens."""

    def publish(words: str = WORDS, channel: str = "counter_screen") -> Any:
        return factories.text("card", words, channel=channel, now=now)

    return publish


@pytest.fixture(autouse=True)
def silence() -> None:
    """Begin with a quiet bell and dark screens."""
    RingTheBell.rung.clear()
    CounterScreen.shown.clear()


def tell(code: str, person: Person) -> None:
    intake.record(
        GiftCardExpiring(code=code, expires_on=date(2030, 5, 1)),
        person=person,
        about=About(type="gift_card", id=code),
    )


def test_event_condition_step_and_channel_of_another_app_make_a_flow(
    publish_text: Callable[..., Any], now: datetime
) -> None:
    publish_text()
    definition = FlowDefinition.from_dict(FLOW)
    flows.publish(definition, owner=Owner.FILE, now=now - timedelta(minutes=1))
    anna = Person(email="anna@example.com", points={"counter_screen": "007"})
    intake.record(ConsentGiven(channel="counter_screen", topic="offers", text="Yes."), person=anna)
    clockwork.tick(now)

    tell("A1", anna)
    tell("B2", anna)
    clockwork.tick(now + timedelta(minutes=1))

    assert [screen for screen, _text in CounterScreen.shown] == ["7"]
    public_id = Message.objects.get().public_id
    words = CounterScreen.shown[0][1]
    assert words.startswith("A1 is yours: http://localhost:8000/")
    # The link is the short one by which a click is seen, as in a letter.
    assert words.endswith(f"/{public_id}1/")
    assert len(RingTheBell.rung) == 2
    dispatch = Dispatch.objects.get()
    assert (dispatch.state, dispatch.provider) == (DispatchState.SENT, "screens")


def test_without_consent_for_that_very_channel_the_screen_stays_dark(
    publish_text: Callable[..., Any], now: datetime
) -> None:
    publish_text()
    flows.publish(FlowDefinition.from_dict(FLOW), owner=Owner.FILE, now=now - timedelta(minutes=1))
    anna = Person(email="anna@example.com", points={"counter_screen": "7"})
    intake.record(ConsentGiven(channel="email", topic="offers", text="Yes."), person=anna)
    tell("A1", anna)
    clockwork.tick(now)
    assert CounterScreen.shown == []
    assert Message.objects.get().reason == "no_consent"


def test_a_flow_of_another_apps_parts_survives_its_file() -> None:
    definition = FlowDefinition.from_dict(FLOW)
    again = definitions.read_flow_file(definitions.write_flow_file(definition))
    assert again == definition
    assert again.content_hash() == definition.content_hash()


def test_a_letter_with_a_subject_is_no_text_for_a_screen(
    publish_letter: Callable[..., Any], now: datetime
) -> None:
    publish_letter()
    with pytest.raises(DefinitionError) as refused:
        flows.publish(FlowDefinition.from_dict(FLOW), owner=Owner.FILE, now=now)
    [problem] = refused.value.problems
    assert problem.where == "steps › screen"
    assert "'card' is an e-mail letter" in problem.message
    assert "Screen at the counter" in problem.message


def test_a_text_for_a_screen_is_no_letter(publish_text: Callable[..., Any], now: datetime) -> None:
    publish_text()
    steps = [{"key": "letter", "kind": "send", "options": {"template": "card"}}]
    with pytest.raises(DefinitionError) as refused:
        flows.publish(FlowDefinition.from_dict({**FLOW, "steps": steps}), owner=Owner.FILE, now=now)
    [problem] = refused.value.problems
    assert "no e-mail letter" in problem.message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (" \n", "write a text"),
        ("{{ gift_card.colour }}", "gift_card.colour"),
        ("x" * 301, "is 301 characters long; 300 are possible"),
    ],
)
def test_what_a_screen_cannot_say_is_refused_by_name(
    publish_text: Callable[..., Any], words: str, said: str
) -> None:
    with pytest.raises(TemplateError) as refused:
        publish_text(words)
    [problem] = refused.value.problems
    assert problem.where == "text"
    assert said in problem.message


def test_a_key_means_one_channel_for_ever(
    publish_text: Callable[..., Any], publish_letter: Callable[..., Any]
) -> None:
    publish_text()
    with pytest.raises(TemplateError, match="is written for the channel “Screen at the counter”"):
        publish_letter()


def test_a_text_survives_its_file(publish_text: Callable[..., Any], tmp_path: Path) -> None:
    publish_text()
    steps = [
        {"key": "s", "kind": "send", "options": {"template": "card", "channel": "counter_screen"}}
    ]
    [file] = exporting.letter_files(FlowDefinition.from_dict({**FLOW, "steps": steps}))
    assert file.name == "card.en.txt"
    assert file.text == f"---\nname: card\nchannel: counter_screen\n---\n{WORDS}\n"
    path = tmp_path / file.name
    path.write_text(file.text)
    (tmp_path / "README.txt").write_text("Texts of the counter.")
    assert flow_files.paths_of([str(tmp_path)]) == [path]
    before = TemplateVersion.objects.get()
    call_command("triggers_publish", str(path))
    assert TemplateVersion.objects.get() == before
