"""Whatever happens in whatever order, people on their way keep to the rules.

A machine of hypothesis plays a shop: events, hours and weeks that pass, pauses, edits, a mail server
that is looked after or not. After every act it asks what must always hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import (
    advancing,
    clockwork,
    contacts,
    fields,
    flows,
    intake,
    routing,
    templates,
)
from oscar_triggers.models import (
    Dispatch,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    MessageItem,
    Owner,
)
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring
from tests.examples import examples

from .conftest import BODY

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATENESS = timedelta(hours=12)


def _send(key: str) -> dict[str, Any]:
    return {"key": key, "kind": "send", "options": {"template": "card"}}


def _wait(key: str, duration: str) -> dict[str, Any]:
    return {"key": key, "kind": "wait", "options": {"duration": duration}}


_ASK = {
    "key": "ask",
    "kind": "wait_for_event",
    "options": {"event": "contact_changed", "timeout": "4d"},
    "branches": {"came": [_send("came")], "timed_out": [_wait("more", "1d"), _send("late")]},
}
_SPLIT = {
    "key": "test",
    "kind": "split",
    "branches": {"a": [_send("in-a")], "b": [_wait("b-pause", "6h"), _send("in-b")]},
}
_CLOCK = {"key": "nine", "kind": "wait_until_time", "options": {"at": "09:00"}}
#: Texts of one flow, as an editor may make them of each other.
TEXTS: list[list[dict[str, Any]]] = [
    [_wait("one", "1h"), _send("first"), _ASK, _send("last")],
    [_send("first"), _wait("one", "3d"), _SPLIT, _CLOCK, _send("last")],
    [_SPLIT, _wait("two", "2d"), _send("first"), _ASK],
    [_wait("two", "1h"), _send("last")],
]


class Shop(RuleBasedStateMachine):
    """A shop with one flow and four people, at a clock that only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = START
        self.number = 0
        self.ended: dict[int, tuple[str, datetime | None]] = {}
        #: Messages of each enrollment when it ended.
        self.planned: dict[int, int] = {}

    def teardown(self) -> None:
        """Leave nothing behind for the next play."""
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(text=st.sampled_from(TEXTS), reentry=st.sampled_from(["every_episode", "never"]))
    def open(self, text: list[dict[str, Any]], reentry: str) -> None:
        """Publish the flow; nobody agreed to letters, which skips them and moves people on."""
        templates.publish(
            "card", "card", LetterSource(subject="Hm", body=BODY, language="en"),
            owner=Owner.FILE, now=self.now,
        )  # fmt: skip
        self.reentry = reentry
        self._publish(text, "keep")

    def _publish(self, text: list[dict[str, Any]], people: str) -> None:
        definition = FlowDefinition.from_dict(
            {"flow": "cards", "trigger": "gift_card_expiring", "steps": text,
             "goals": ["order_placed"], "reentry": self.reentry, "max_lateness": "12h",
             "stay": [{"kind": "not", "condition": {"kind": "has_tag", "tag": "gone"}}]}
        )  # fmt: skip
        flows.publish(definition, owner=Owner.FILE, now=self.now, people=people)

    def _person(self, who: int) -> Person:
        return Person(email=f"p{who}@example.com", language="en", time_zone="Europe/Berlin")

    @rule(who=st.integers(0, 3), card=st.integers(0, 2))
    def a_card_expires(self, who: int, card: int) -> None:
        """Let somebody enter, or not."""
        intake.record(
            GiftCardExpiring(code="A1", expires_on=date(2030, 5, 1)),
            person=self._person(who),
            about=About(type="gift_card", id=f"{who}-{card}"),
            occurred_at=self.now,
        )

    @rule(who=st.integers(0, 3), tag=st.sampled_from(["seen", "liked", "gone"]))
    def something_is_learnt(self, who: int, tag: str) -> None:
        """Record an event that some wait for, and that ends the way of those who are gone."""
        ids = contacts.resolve_many([(self._person(who), None)], self.now)
        fields.add_tag_many([pk for pk in ids if pk is not None], tag, self.now)

    @rule(who=st.integers(0, 3))
    def somebody_orders(self, who: int) -> None:
        """Reach the goal."""
        from oscar_triggers.shop.events import OrderPlaced

        self.number += 1
        intake.record(
            OrderPlaced(number=str(self.number), total="10.00", currency="EUR"),
            person=self._person(who),
            about=About(type="order", id=str(self.number)),
            occurred_at=self.now,
        )

    @rule(
        step=st.sampled_from(
            [timedelta(seconds=5), timedelta(hours=1), timedelta(hours=11), timedelta(days=1)]
        )
    )
    def time_passes(self, step: timedelta) -> None:
        """Tick later."""
        self.now += step
        clockwork.tick(self.now)

    @rule()
    def people_move_while_mail_is_down(self) -> None:
        """Plan letters that stay where they are."""
        clockwork.tick(self.now, send=False)

    @rule(days=st.integers(2, 12))
    def nothing_runs_for_days(self, days: int) -> None:
        """Stand still, and go on: whoever should have got something meanwhile misses it."""
        clockwork.tick(self.now)
        before = set(MessageItem.objects.values_list("pk", flat=True))
        overdue = self.now
        self.now += timedelta(days=days)
        due = dict(
            Enrollment.objects.filter(
                state=EnrollmentState.ACTIVE, due_at__lt=self.now - LATENESS, awaits=""
            )
            .exclude(step_key__in=["ask"])
            .values_list("pk", "due_at")
        )
        routing.route(self.now)
        while advancing.advance(self.now):
            pass
        new = MessageItem.objects.exclude(pk__in=before).filter(enrollment_id__in=due)
        assert not new.exists(), (overdue, due)
        clockwork.tick(self.now)

    @rule()
    def the_flow_is_paused(self) -> None:
        """Stop it."""
        flows.pause("cards", self.now)

    @rule()
    def the_flow_goes_on(self) -> None:
        """Let it go on."""
        flows.resume("cards", self.now)

    @precondition(lambda self: Flow.objects.filter(key="cards").exists())
    @rule(text=st.sampled_from(TEXTS), people=st.sampled_from(["keep", "move", "stop"]))
    def the_flow_is_edited(self, text: list[dict[str, Any]], people: str) -> None:
        """Publish another text."""
        self._publish(text, people)

    @invariant()
    def nothing_is_planned_twice(self) -> None:
        """A step gives an enrollment one message, whatever versions it went through."""
        seen = list(MessageItem.objects.values_list("enrollment_id", "message__step_key"))
        assert len(seen) == len(set(seen))

    @invariant()
    def who_is_on_the_way_is_due(self) -> None:
        """Nobody is stranded: each has a moment at which the engine looks, and a step."""
        lost = Enrollment.objects.filter(state=EnrollmentState.ACTIVE, due_at=None)
        assert not lost.exists()
        assert not Enrollment.objects.filter(state=EnrollmentState.HELD).exists()

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        """No message is planned, and nothing is changed, after the end."""
        for row in Enrollment.objects.filter(state=EnrollmentState.ENDED):
            now = (row.exit_reason, row.ended_at)
            count = MessageItem.objects.filter(enrollment=row).count()
            assert self.ended.setdefault(row.pk, now) == now
            assert self.planned.setdefault(row.pk, count) >= count

    @invariant()
    def nobody_has_a_letter_left_after_the_goal(self) -> None:
        """Who ordered, or is gone, gets none that was not handed over before."""
        waiting = Dispatch.objects.filter(
            state__in=["planned", "leased", "retry"],
            message__items__enrollment__exit_reason__in=[ExitReason.GOAL, ExitReason.CONDITION],
        )
        assert not waiting.exists()

    @invariant()
    def nobody_comes_in_again_who_may_not(self) -> None:
        """`never` holds."""
        if getattr(self, "reentry", "") == "never":
            ids = list(Enrollment.objects.values_list("contact_id", flat=True))
            assert len(ids) == len(set(ids))

    @invariant()
    def a_paused_flow_stands_still(self) -> None:
        """Nobody is on the move in a flow that is paused."""
        if Flow.objects.filter(state=FlowState.PAUSED).exists():
            assert not Enrollment.objects.exclude(lease_owner="").exists()


@pytest.fixture
def quiet(settings: Any, db: None) -> Iterator[None]:
    """Keep staff from being told of each act of the play."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "ALARMS": {}, "BLAST_LIMIT": None}
    return


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("quiet", "db")
def test_people_keep_to_the_rules_whatever_happens() -> None:
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
