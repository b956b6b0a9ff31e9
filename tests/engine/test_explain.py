"""Why did, or didn't, Anna get it? Told from what the engine really did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Exists, Q
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import consents, enrollments
from oscar_triggers.insight.explain import Explanation, explain
from oscar_triggers.models import (
    Assignment,
    Breaker,
    BreakerState,
    ConsentEvent,
    Contact,
    ContactPoint,
    ExitReason,
    Feedback,
    FlowState,
    Installation,
    Message,
    Suppression,
    SuppressionReason,
)
from oscar_triggers.policy import guards
from tests.engine.conftest import SEND, wait

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Publish = Callable[..., Any]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]


@pytest.fixture
def why(agreed: int, now: datetime) -> Callable[..., Explanation]:
    """Return a function that explains, and checks that no address is told."""

    def ask(key: str = "gift-cards", at: datetime | None = None) -> Explanation:
        told = explain(agreed, key, now=at or now)
        assert "@" not in str(told)
        return told

    return ask


def limits(settings: Any, **told: Any) -> None:
    """Turn limits on."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **told}


def test_a_letter_that_went(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND)
    expire()
    tick(now)
    Message.objects.update(clicked_at=now + HOUR)
    message = Message.objects.get()
    message.dispatches.update(feedback=Feedback.DELIVERED, feedback_at=now)
    told = why()
    line = ConsentEvent.objects.get()
    assert told.tone == "sent"
    for words in (
        "It happened: A gift card is about to expire (gift_card 7).",
        "They entered the flow.",
        "“letter” was planned for",
        f"“letter” was sent. Line {line.pk} of the consent ledger allowed it.",
        "The provider says of “letter”: delivered.",
        "They followed a link in “letter”.",
        "They went through the flow.",
    ):
        assert words in str(told)


def test_it_never_happened(publish_flow: Publish, why: Any) -> None:
    publish_flow(SEND)
    assert "never happened to them" in str(why())
    assert why().tone == "not_sent"


def test_nobody_with_that_number(publish_flow: Publish, now: datetime) -> None:
    publish_flow(SEND)
    assert "Nobody with the number 4711" in str(explain(4711, "gift-cards", now=now))


def test_it_happened_while_the_flow_was_paused(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    flow = publish_flow(SEND).flow
    flow.state, flow.paused_at = FlowState.PAUSED, now - HOUR
    flow.save()
    expire()
    tick(now)
    told = str(why())
    assert "did not enter the flow, because the flow was paused since" in told
    assert "The flow is paused." in told


def test_it_happened_before_the_flow_was_switched_on(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND)
    expire(at=now - DAY)
    tick(now)
    assert "because it happened before the flow was switched on" in str(why())


def test_an_event_that_was_not_looked_at_yet(
    publish_flow: Publish, expire: Tell, why: Any, agreed: int
) -> None:
    publish_flow(SEND)
    expire()
    from oscar_triggers.models import JournalEntry

    JournalEntry.objects.update(contact_id=agreed)
    assert why().tone == "waiting"
    assert "waits to be looked at" in str(why())


def test_who_was_in_before_does_not_enter_again(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND, reentry="never")
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + HOUR)
    assert "did not enter the flow, because they were in the flow before" in str(why())


def test_a_condition_that_did_not_hold_at_the_entry(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND, entry=[{"kind": "card_begins_with", "letters": "Z"}])
    expire(code="A1")
    tick(now)
    told = str(why())
    assert "the condition “The gift card's code begins with” did not hold" in told
    assert "code: A1" in told


def test_a_condition_that_did_not_hold_on_the_way(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND, stay=[{"kind": "card_begins_with", "letters": "Z"}])
    expire(code="A1")
    tick(now)
    assert "They left the flow, because the condition “The gift card's code" in str(why())


def test_a_branch_tells_what_it_compared(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    question = {"kind": "card_begins_with", "letters": "Z"}
    publish_flow({"key": "begins", "kind": "branch", "options": {"condition": question}}, SEND)
    expire(code="A1")
    tick(now)
    assert "At “begins” they went “no”" in str(why())
    assert "code: A1" in str(why())


def test_consent_that_was_never_given_or_was_taken_back(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, agreed: int
) -> None:
    publish_flow(SEND, key="never", topic="offers")
    ConsentEvent.objects.all().delete()
    expire()
    tick(now)
    assert "“letter” was not sent, because they never agreed to “offers”" in str(why("never"))


def test_consent_that_was_taken_back_on_the_way(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, agreed: int
) -> None:
    publish_flow(wait("wait", "1d"), SEND)
    expire()
    tick(now)
    consents.withdraw(ContactPoint.objects.get(), source="test", now=now + HOUR)
    tick(now + DAY + HOUR)
    assert "took their consent back at" in str(why()) or "they unsubscribed" in str(why())
    assert why().tone == "not_sent"


def test_a_blocked_address(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND)
    Suppression.objects.create(
        channel="email", point_hash=ContactPoint.objects.get().point_hash,
        reason=SuppressionReason.COMPLAINT, created_at=now,
    )  # fmt: skip
    expire()
    tick(now)
    assert "their address is blocked: complained about a letter" in str(why())


def test_the_readers_night(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, settings: Any
) -> None:
    settings.TIME_ZONE = "UTC"
    quiet = (f"{(now.hour - 1) % 24}:00", f"{(now.hour + 2) % 24}:00")
    limits(settings, QUIET_HOURS={"*": quiet})
    publish_flow(SEND)
    expire()
    tick(now)
    told = why()
    assert "was put off until" in str(told)
    assert "their clock (UTC) showed" in str(told)
    assert told.tone == "waiting"


def test_the_flows_own_hours_dropped_it(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, settings: Any
) -> None:
    settings.TIME_ZONE = "UTC"
    window = {"from": f"{(now.hour + 2) % 24}:00", "until": f"{(now.hour + 4) % 24}:00"}
    publish_flow(SEND, send_window=window, when_limited="drop")
    expire()
    tick(now)
    assert "“letter” was not sent, because their clock (UTC) showed" in str(why())
    assert "outside the flow's hours" in str(why())


def test_too_many_letters_already(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, settings: Any
) -> None:
    limits(settings, FREQUENCY_CAPS={"promotional": [{"most": 1, "within": "1d"}]})
    publish_flow(SEND, key="first", priority=90)
    publish_flow(SEND, key="second", priority=10, max_lateness="3d")
    publish_flow(SEND, key="third", priority=5, max_lateness="1h")
    expire()
    tick(now)
    tick(now + timedelta(seconds=10))
    second, third = str(why("second")), str(why("third"))
    assert "with priority 90 goes first (this one has 10), and a person gets 1 within" in second
    assert "was put off until" in second
    assert "they had 1 of at most 1 messages within 1 d" in second
    assert "“letter” was not sent, because they had 1 of at most 1 messages within" in third
    assert "it is of no use" in third


def test_who_is_kept_without_messages(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, agreed: int
) -> None:
    flow = publish_flow(SEND, holdout=10).flow
    Assignment.objects.create(
        flow=flow, contact_id=agreed, name="holdout", arm="held", assigned_at=now
    )
    expire()
    tick(now)
    assert "they belong to the 10 percent who are kept without messages" in str(why())


def test_a_rehearsal(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    flow = publish_flow(SEND).flow
    flow.state = FlowState.SHADOW
    flow.save()
    expire()
    tick(now)
    told = str(why())
    assert "“letter” was written and not sent, because the flow was only rehearsing" in told
    assert "The flow is rehearsing" in told


def test_one_voucher_in_a_while(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    options = {"template": "card", "voucher": {"percent": 10, "valid": "2d"}}
    publish_flow({**SEND, "options": options}, key="first")
    publish_flow({**SEND, "options": options}, key="second")
    expire()
    tick(now)
    told = str(why("first")) + str(why("second"))
    assert "because they were given a voucher at" in told
    assert "and get one in 30 d" in told


def test_a_flow_that_wrote_to_too_many_at_once(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, settings: Any
) -> None:
    limits(settings, BLAST_LIMIT=1)
    publish_flow(SEND, when_limited="drop")
    for card in ("1", "2", "3"):
        expire(card=card)
    tick(now)
    tick(now + timedelta(seconds=10))
    told = str(why())
    assert "the flow was paused: 1 messages in its first hour, and 1 is the most" in told
    assert "“letter” waits, because the flow is not running" in told


@pytest.mark.parametrize("what", ["stopped", "foreign", "breaker"])
def test_what_holds_everything_up(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime, what: str
) -> None:
    publish_flow(wait("wait", "1h"), SEND)
    expire()
    tick(now)
    if what == "breaker":
        Breaker.objects.create(name="email", state=BreakerState.OPEN, retry_at=now + DAY)
    from oscar_triggers.engine import advancing, installation

    advancing.advance(now + 2 * HOUR)
    if what == "stopped":
        installation.stop(now)
    if what == "foreign":
        installation.ensure(now)
        Installation.objects.update(environment="elsewhere")
    expected = {
        "stopped": "all sending is stopped",
        "foreign": "this database belongs to another installation",
        "breaker": "the provider of “email” failed; it is tried again at",
    }
    told = why(at=now + 2 * HOUR)
    assert expected[what] in str(told)
    assert told.tone == "waiting"


def test_an_order_in_the_last_moment(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    class Ordered(guards.SendGuard):
        name = "card"
        about_types = frozenset({"gift_card"})

        def refusal(self, subject: Any, observed: Any) -> Q:
            return Q(Exists(Contact.objects.all()))

        def explain(self, subject: Any, observed: Any, at: datetime) -> guards.Refused:
            return guards.Refused(
                reason="order_placed",
                consequence=guards.Consequence.EXIT,
                exit_reason="goal",
                compared={"order": "100017", "placed_at": now - timedelta(minutes=3)},
            )

    publish_flow(SEND)
    with guards.registry.temporarily("card", Ordered()):
        expire()
        tick(now)
    told = str(why())
    assert "“letter” was not sent, because they ordered (order 100017) at" in told
    assert "That was 3 min before the hand-over." in told


def test_a_goal_ends_the_wait(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    from oscar_triggers.models import Enrollment

    publish_flow(wait("wait", "1d"), SEND)
    expire()
    tick(now)
    assert "They stand at the step “wait”" in str(why())
    enrollments.exit_many(
        [Enrollment.objects.get().pk], ExitReason.GOAL, now + HOUR, rule="order_placed",
        compared={"event": "order_placed", "about": "order:100017", "at": now + HOUR},
    )  # fmt: skip
    assert "the goal was reached" in str(why(at=now + DAY))
    assert "(order 100017) at" in str(why(at=now + DAY))


def test_what_came_too_late(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(wait("wait", "1h"), SEND, max_lateness="2h")
    expire()
    tick(now)
    tick(now + 10 * DAY)
    assert "because the step" in str(why())
    assert "the flow allows a lateness of 2 h" in str(why())
    assert why().tone == "not_sent"


def test_letters_that_died_or_are_in_doubt(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    from oscar_triggers.engine import settling
    from oscar_triggers.models import Dispatch, DispatchState

    publish_flow(wait("wait", "1h"), SEND)
    expire()
    tick(now)
    from oscar_triggers.engine import advancing

    advancing.advance(now + 2 * HOUR)
    row = Dispatch.objects.select_related("message").get()
    settling.settle(
        settling.parties_of(row), DispatchState.UNKNOWN, now + 2 * HOUR, reason="worker_died"
    )
    assert "nobody can tell whether it arrived: the server stopped in the middle" in str(why())
    settling.settle(
        settling.parties_of(row), DispatchState.DEAD, now + 3 * HOUR, reason="gave_up",
        detail="421 try later",
    )  # fmt: skip
    assert "because it was tried again and again in vain. (421 try later)" in str(why())


def test_the_command_tells_it_too(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(SEND)
    expire()
    tick(now)
    out = StringIO()
    call_command("triggers_explain", "gift-cards", "--contact", str(agreed), stdout=out)
    assert "“letter” was sent" in out.getvalue()
    assert "@" not in out.getvalue()
    with pytest.raises(CommandError, match="gift-cards"):
        call_command("triggers_explain", "nothing", "--contact", str(agreed))
    with pytest.raises(CommandError, match="No contact belongs"):
        call_command("triggers_explain", "gift-cards", "--user", "4711")


def test_a_long_story_costs_no_more_queries_than_a_short_one(
    publish_flow: Publish, expire: Tell, tick: Tick, why: Any, now: datetime
) -> None:
    publish_flow(SEND)
    counts = []
    for cards in (1, 12):
        for card in range(cards):
            expire(card=f"{cards}-{card}")
        tick(now)
        with CaptureQueriesContext(
            connection,
        ) as told:
            why()
        counts.append(len(told))
    assert counts[0] == counts[1]
