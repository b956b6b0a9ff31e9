"""What another app brings in one file works like everything that ships."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from oscar_triggers import definitions
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, intake
from oscar_triggers.engine.consents import ConsentGiven
from oscar_triggers.models import Dispatch, DispatchState, Message, Owner
from oscar_triggers.snapshots import About, Person
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
    publish_letter: Callable[..., Any], now: datetime
) -> None:
    publish_letter()
    definition = FlowDefinition.from_dict(FLOW)
    flows.publish(definition, owner=Owner.FILE, now=now - timedelta(minutes=1))
    anna = Person(email="anna@example.com", points={"counter_screen": "007"})
    intake.record(ConsentGiven(channel="counter_screen", topic="offers", text="Yes."), person=anna)
    clockwork.tick(now)

    tell("A1", anna)
    tell("B2", anna)
    clockwork.tick(now + timedelta(minutes=1))

    assert [screen for screen, _text in CounterScreen.shown] == ["7"]
    assert "A1 is yours" in CounterScreen.shown[0][1]
    assert len(RingTheBell.rung) == 2
    dispatch = Dispatch.objects.get()
    assert (dispatch.state, dispatch.provider) == (DispatchState.SENT, "screens")


def test_without_consent_for_that_very_channel_the_screen_stays_dark(
    publish_letter: Callable[..., Any], now: datetime
) -> None:
    publish_letter()
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
