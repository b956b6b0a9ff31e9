"""The test kit, used as a shop uses it; the documentation shows this file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_triggers import testing
from oscar_triggers.channels import Parcel
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import EnrollmentState, ExitReason
from oscar_triggers.testing import Clock, FlowRun, assert_not_sent, assert_sent

GIFT_CARDS = """
flow: gift-cards
trigger: gift_card_expiring
goals: [order_placed]
steps:
  - {key: letter-1, kind: send, options: {template: first}}
  - {key: pause, kind: wait, options: {duration: 7d}}
  - {key: letter-2, kind: send, options: {template: second}}
"""
CARD = {"code": "A1", "expires_on": "2030-05-01"}

Play = Callable[..., FlowRun]


def test_two_letters_a_week_apart(play_flow: Play) -> None:
    run = play_flow(GIFT_CARDS, event=CARD, about="gift_card:7").until("+8d")
    assert_sent(run, "letter-1", to="anna@example.com", after="0m")
    assert_sent(run, "letter-2", to="anna@example.com", after="7d", subject="second")
    assert len(mail.outbox) == 2
    assert run.enrollment is not None
    assert run.enrollment.exit_reason == ExitReason.COMPLETED


def test_who_buys_gets_no_second_letter(play_flow: Play) -> None:
    run = play_flow(GIFT_CARDS, event=CARD, about="gift_card:7").until("+3d")
    run.happens("order_placed", number="100", basket_id=1).until("+30d")
    assert_sent(run, "letter-1")
    assert_not_sent(run, "letter-2", reason="goal")


def test_who_did_not_agree_gets_nothing(play_flow: Play, triggers_clock: Clock) -> None:
    stranger = testing.contact("ben@example.com", now=triggers_clock.now, topics=())
    run = play_flow(GIFT_CARDS, contact=stranger, event=CARD, about="gift_card:7").until("+8d")
    assert_not_sent(run, reason="no_consent")


def test_a_flow_runs_by_itself(db: None) -> None:
    clock = testing.travel(datetime(2030, 6, 1, 12, tzinfo=UTC))
    flow = testing.flow(GIFT_CARDS, clock=clock)
    anna = testing.contact(now=clock.now, first_name="Anna")
    run = flow.run(until="+8d", contact=anna, event=CARD, about="gift_card:7")
    assert "Dear Anna" in assert_sent(run, "letter-2", after="7d").text
    assert clock.now == datetime(2030, 6, 9, 12, tzinfo=UTC)


def test_another_channel_keeps_what_it_is_given(
    play_flow: Play, triggers_clock: Clock, triggers_outbox: list[Parcel]
) -> None:
    anna = testing.contact(now=triggers_clock.now, memory="@anna")
    source = GIFT_CARDS.replace("template: first", "template: first, channel: memory")
    run = play_flow(source, contact=anna, event=CARD, about="gift_card:7")
    assert [(one.to, one.subject) for one in triggers_outbox] == [("@anna", "Letter first")]
    assert_sent(run, "letter-1", to="@anna")
    assert mail.outbox == []


def test_a_failure_shows_what_was_decided(play_flow: Play, triggers_clock: Clock) -> None:
    stranger = testing.contact("ben@example.com", now=triggers_clock.now, topics=())
    run = play_flow(GIFT_CARDS, contact=stranger, event=CARD, about="gift_card:7")
    with pytest.raises(AssertionError, match="letter-1: skipped no_consent"):
        assert_sent(run, "letter-1")
    with pytest.raises(AssertionError, match="was not the reason"):
        assert_not_sent(run, "letter-1", reason="goal")


def test_a_letter_that_was_sent_is_not_passed_over(play_flow: Play) -> None:
    run = play_flow(GIFT_CARDS, event=CARD, about="gift_card:7")
    with pytest.raises(AssertionError, match="These were sent: letter-1"):
        assert_not_sent(run, "letter-1")
    for wrong in ({"to": "ben@example.com"}, {"after": "1h"}, {"subject": "other"}, {"times": 2}):
        with pytest.raises(AssertionError):
            assert_sent(run, "letter-1", **wrong)  # type: ignore[arg-type]  # as a shop might


def test_fields_and_tags_are_real(db: None, triggers_clock: Clock) -> None:
    anna = testing.contact(now=triggers_clock.now, fields={"size": "M"}, tags=["vip"])
    assert anna.fields == {"size": "M"}
    assert list(anna.tags.values_list("tag", flat=True)) == ["vip"]


def test_a_clock_goes_forward_only() -> None:
    clock = testing.travel()
    assert clock.forward("1d 2h") == testing.MONDAY + timedelta(hours=26)
    with pytest.raises(ValueError, match="does not go back"):
        clock.to(testing.MONDAY)
    with pytest.raises(ValueError, match="needs a time zone"):
        clock.to(datetime(2031, 1, 1))  # noqa: DTZ001 - the very mistake


def test_a_flow_that_cannot_be_published_is_refused(db: None) -> None:
    with pytest.raises(DefinitionError):
        testing.flow({"flow": "empty", "trigger": "gift_card_expiring", "steps": []})


def test_who_waits_is_still_on_the_way(play_flow: Play) -> None:
    run: Any = play_flow(GIFT_CARDS, event=CARD, about="gift_card:7").until("+6d")
    assert run.enrollment.state == EnrollmentState.ACTIVE
    assert run.enrollment.step_key == "pause"
