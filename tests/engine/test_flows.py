"""Publishing, pausing and switching off flows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_triggers.definitions import FlowDefinition, read_flow_file, write_flow_file
from oscar_triggers.engine import flows
from oscar_triggers.exceptions import DefinitionError, Immutable
from oscar_triggers.models import Enrollment, ExitReason, Flow, FlowState, FlowVersion, Owner, Step

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db


def test_publishing_a_changed_flow_makes_a_new_version_and_leaves_the_old_one(
    publish_flow: Callable[..., FlowVersion],
) -> None:
    first = publish_flow(SEND)
    second = publish_flow(SEND, wait("pause", "1d"))
    assert (first.number, second.number) == (1, 2)
    assert Flow.objects.get().live_version == second
    assert [step.key for step in Step.objects.filter(version=first)] == ["letter"]
    with pytest.raises(Immutable):
        first.save()


def test_publishing_an_unchanged_flow_changes_nothing(
    publish_flow: Callable[..., FlowVersion],
) -> None:
    assert publish_flow(SEND).pk == publish_flow(SEND).pk
    assert FlowVersion.objects.count() == 1


def test_every_problem_of_a_flow_is_named_with_its_place(db: None, now: datetime) -> None:
    definition = FlowDefinition.from_dict(
        {
            "flow": "Wrong Key",
            "trigger": "full_moon",
            "topic": "gossip",
            "steps": [
                {"key": "a", "kind": "send", "options": {"template": "nowhere"}},
                {"key": "a", "kind": "wait", "options": {"duration": "soon"}},
                {"key": "b", "kind": "teleport"},
            ],
        }
    )
    with pytest.raises(DefinitionError) as caught:
        flows.publish(definition, owner=Owner.FILE, now=now)
    said = str(caught.value)
    for place in ("flow:", "trigger:", "topic:", "steps › a:", "steps › b:"):
        assert place in said, place
    for wrong in ("full_moon", "gossip", "nowhere", "'soon' is not a duration", "teleport"):
        assert wrong in said, wrong
    assert not Flow.objects.exists()


def test_a_flow_of_the_editor_is_not_overwritten_by_a_file(
    publish_flow: Callable[..., FlowVersion], now: datetime
) -> None:
    version = publish_flow(SEND)
    definition = FlowDefinition.from_dict(version.definition)
    with pytest.raises(DefinitionError, match="take it over"):
        flows.publish(definition, owner=Owner.EDITOR, now=now)
    flows.publish(definition, owner=Owner.EDITOR, now=now, take_over=True)
    assert Flow.objects.get().owner == Owner.EDITOR


def test_a_flow_survives_the_way_to_a_file_and_back(
    publish_flow: Callable[..., FlowVersion],
) -> None:
    version = publish_flow(
        {
            "key": "ask",
            "kind": "branch",
            "options": {"condition": {"kind": "is_customer"}},
            "branches": {"yes": [SEND], "no": [wait("pause", "2d 3h")]},
        },
        max_lateness="1d",
        goals=["gift_card_expiring"],
    )
    definition = FlowDefinition.from_dict(version.definition)
    assert read_flow_file(write_flow_file(definition)) == definition


def test_a_paused_flow_takes_nobody_in_and_moves_nobody_on(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
) -> None:
    publish_flow(wait("pause", "1h"), SEND)
    expire(card="1")
    tick(now)
    flows.pause("gift-cards", now)
    expire(card="2")
    tick(now + timedelta(hours=2))
    only = Enrollment.objects.get()
    assert (only.about_id, only.step_key) == ("1", "pause")
    flows.resume("gift-cards", now + timedelta(hours=3))
    tick(now + timedelta(hours=3))
    only.refresh_from_db()
    assert only.exit_reason == ExitReason.COMPLETED


def test_switching_a_flow_off_lets_everybody_out_and_publishing_starts_it_again(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
) -> None:
    publish_flow(wait("pause", "1h"))
    expire()
    tick(now)
    flows.archive("gift-cards", now)
    assert Enrollment.objects.get().exit_reason == ExitReason.CANCELLED
    publish_flow(wait("pause", "1h"))
    assert Flow.objects.get().state == FlowState.LIVE


def test_what_happened_before_a_flow_was_switched_on_does_not_start_it(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
) -> None:
    publish_flow(SEND)
    expire(card="old", at=now - timedelta(days=400))
    expire(card="new", at=now)
    tick(now)
    assert [one.about_id for one in Enrollment.objects.all()] == ["new"]


def test_a_flow_that_includes_what_waits_takes_it_in(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
) -> None:
    publish_flow(wait("pause", "1h"), include_waiting=True)
    expire(card="old", at=now - timedelta(days=4))
    tick(now)
    assert Enrollment.objects.count() == 1


def test_a_promotional_flow_is_not_published_with_a_letter_that_offers_no_way_out(
    publish_flow: Callable[..., FlowVersion], publish_letter: Callable[..., Any]
) -> None:
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>Buy!</mj-text></mj-column></mj-section></mj-body></mjml>"
    publish_letter(key="loud", body=body)
    loud = {"key": "loud", "kind": "send", "options": {"template": "loud"}}
    with pytest.raises(DefinitionError, match=r"steps › loud › loud \(en\).*links.unsubscribe"):
        publish_flow(loud)
    assert publish_flow(loud, stream="transactional").number == 1
