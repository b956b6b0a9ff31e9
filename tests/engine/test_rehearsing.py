"""A flow that rehearses sends nothing, and what was rehearsed is never sent later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows
from oscar_triggers.models import (
    Dispatch,
    DispatchState,
    Enrollment,
    ExitReason,
    Flow,
    FlowState,
    FlowVersion,
    Message,
    MessageState,
    Owner,
)

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Tick = Callable[[datetime], Any]
Expire = Callable[..., None]
Publish = Callable[..., FlowVersion]
STEPS = (SEND, wait("pause", "1d"), {**SEND, "key": "letter-2"})


@pytest.fixture
def rehearsing(publish_letter: Callable[..., Any], now: datetime) -> FlowVersion:
    """Publish a flow right into a rehearsal."""
    publish_letter()
    definition = FlowDefinition.from_dict(
        {"flow": "gift-cards", "trigger": "gift_card_expiring", "steps": list(STEPS)}
    )
    return flows.publish(definition, owner=Owner.FILE, now=now - timedelta(minutes=1), shadow=True)


def test_a_rehearsal_decides_and_keeps_its_letters_and_sends_nothing(
    rehearsing: FlowVersion, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    assert Flow.objects.get().state == FlowState.SHADOW
    expire(at=now)
    for hour in range(30):
        tick(now + timedelta(hours=hour))
    assert mail.outbox == []
    assert list(Message.objects.values_list("state", flat=True)) == [MessageState.SHADOWED] * 2
    assert all(message.payload for message in Message.objects.all())
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED


def test_publishing_a_change_during_a_rehearsal_does_not_end_it(
    rehearsing: FlowVersion, publish_flow: Publish
) -> None:
    publish_flow(SEND)
    assert Flow.objects.get().state == FlowState.SHADOW


@pytest.mark.parametrize(
    "state", [DispatchState.PLANNED, DispatchState.RETRY, DispatchState.LEASED]
)
def test_going_live_sends_nothing_of_what_was_rehearsed(
    rehearsing: FlowVersion, expire: Expire, agreed: int, tick: Tick, now: datetime, state: str
) -> None:
    expire(at=now)
    tick(now)
    # As if limits, a retry or a slow worker had kept the letter until now.
    Message.objects.update(state=MessageState.PLANNED, settled_at=None)
    Dispatch.objects.update(state=state, settled_at=None, due_at=now)
    flows.go_live("gift-cards", now)
    for hour in range(40):
        tick(now + timedelta(hours=hour))
    assert mail.outbox == []
    assert Message.objects.get().state == MessageState.SHADOWED
    ended = Enrollment.objects.get()
    assert (ended.exit_reason, ended.is_shadow) == (ExitReason.CANCELLED, True)


def test_after_going_live_the_next_episode_is_for_real(
    rehearsing: FlowVersion, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    expire(card="1", at=now)
    tick(now)
    flows.go_live("gift-cards", now + timedelta(hours=1))
    expire(card="1", at=now + timedelta(hours=2))
    expire(card="2", at=now + timedelta(hours=2))
    tick(now + timedelta(hours=2))
    assert len(mail.outbox) == 1
    assert Enrollment.objects.get(about_id="2").is_shadow is False


def test_a_live_flow_that_begins_to_rehearse_keeps_its_letters_to_itself(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(*STEPS)
    expire(at=now)
    tick(now)
    assert len(mail.outbox) == 1
    flows.shadow("gift-cards", now)
    for hour in range(30):
        tick(now + timedelta(hours=hour))
    assert len(mail.outbox) == 1
    assert Message.objects.get(step_key="letter-2").state == MessageState.SHADOWED


def test_a_letter_that_is_being_prepared_when_the_rehearsal_begins_is_not_handed_over(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime, settings: Any
) -> None:
    from oscar_triggers import signals

    publish_flow(*STEPS)
    expire(at=now)

    def begin(**kwargs: Any) -> None:
        flows.shadow("gift-cards", now)

    signals.message_sending.connect(begin)
    try:
        tick(now)
    finally:
        signals.message_sending.disconnect(begin)
    assert mail.outbox == []
    tick(now + timedelta(minutes=1))
    assert Message.objects.get().state == MessageState.SHADOWED


def test_resuming_does_not_end_a_rehearsal(rehearsing: FlowVersion, now: datetime) -> None:
    flows.pause("gift-cards", now)
    flows.resume("gift-cards", now)
    assert Flow.objects.get().state == FlowState.SHADOW
