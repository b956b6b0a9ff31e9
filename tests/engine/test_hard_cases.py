"""Cases that break engines: broken neighbours, two acts at once, odd values, late moments."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy

from oscar_triggers import channels, conditions, events, signals, steps
from oscar_triggers.channels import Channel, Outcome, Receipt
from oscar_triggers.conditions import Condition
from oscar_triggers.definitions import read_flow_file
from oscar_triggers.engine import (
    advancing,
    clockwork,
    decisions,
    enrollments,
    flows,
    incentives,
    intake,
    outbox,
    routing,
)
from oscar_triggers.events import Event
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import (
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    EnrollmentState,
    FlowVersion,
    JournalEntry,
    Message,
    MessageState,
    VoucherGrant,
)
from oscar_triggers.snapshots import About, Person, Subject, Verdict
from oscar_triggers.steps import Advance, Step

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]


@dataclass(frozen=True, kw_only=True)
class TentPitched(Event):
    """A tent was pitched; of two tents of one person only the newer matters."""

    kind: ClassVar[str] = "tent_pitched"
    about_type: ClassVar[str] = "tent"
    one_at_a_time: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class CampLeft(Event):
    """Someone left the camp."""

    kind: ClassVar[str] = "camp_left"


@dataclass(frozen=True, kw_only=True)
class Breaks(Condition):
    """A condition of an extension with a bug."""

    kind: ClassVar[str] = "breaks"

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Raise what no contract allows."""
        raise KeyError("anna@example.com")


@dataclass(frozen=True, kw_only=True)
class Holds(Condition):
    """The same condition, mended."""

    kind: ClassVar[str] = "breaks"

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Say yes."""
        return Verdict(holds=True)


@dataclass(frozen=True, kw_only=True)
class Since(Condition):
    """A condition with a date."""

    kind: ClassVar[str] = "since"

    day: date

    def holds(self, subject: Subject, now: datetime) -> Verdict:
        """Compare days."""
        return Verdict(holds=now.date() >= self.day, compared={"day": self.day})


@pytest.fixture
def camp() -> Iterator[None]:
    """Let the engine know the events and the condition of this file."""
    with (
        events.registry.temporarily("tent_pitched", TentPitched),
        events.registry.temporarily("camp_left", CampLeft),
        conditions.registry.temporarily("breaks", Breaks),
        conditions.registry.temporarily("since", Since),
    ):
        yield


def tent(pk: str) -> About:
    """Return the name of a tent."""
    return About(type="tent", id=pk)


def test_of_two_things_left_in_one_batch_the_newer_one_is_followed(
    camp: None, publish_flow: Publish, tick: Tick, now: datetime, person: Person
) -> None:
    publish_flow(wait("pause", "1h"), trigger="tent_pitched", include_waiting=True)
    for pk, age in (("1", 2), ("2", 1)):
        at = now - timedelta(hours=age)
        intake.record(TentPitched(), person=person, about=tent(pk), occurred_at=at)
    routing.route(now)
    states = dict(Enrollment.objects.values_list("about_id", "state"))
    assert states == {"1": EnrollmentState.ENDED, "2": EnrollmentState.ACTIVE}


def test_a_letter_right_before_the_end_is_still_sent(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(SEND, {"key": "end", "kind": "exit", "options": {"reason": "goal"}})
    expire()
    tick(now)
    assert Message.objects.get().state == MessageState.SENT
    assert Enrollment.objects.get().exit_reason == "goal"


def test_a_flow_that_cannot_be_read_any_more_stops_no_other_flow(
    camp: None, publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(
        wait("pause", "1h"), key="broken", trigger="gift_card_expiring",
        stay=[{"kind": "breaks"}], entry=[{"kind": "breaks"}],
    )  # fmt: skip
    publish_flow(SEND)
    with conditions.registry.temporarily("breaks", Breaks):
        del conditions.registry._entries["breaks"]
        expire()
        tick(now)
        conditions.registry._entries["breaks"] = Breaks
    assert len(mail.outbox) == 1
    assert JournalEntry.objects.get().routed_at == now


def test_a_condition_with_a_bug_stops_no_other_flow(
    camp: None, publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(wait("pause", "1h"), key="broken", entry=[{"kind": "breaks"}])
    publish_flow(SEND)
    expire()
    tick(now)
    assert len(mail.outbox) == 1
    assert Decision.objects.filter(reason="broken_condition", flow__key="broken").exists()


def test_a_stay_condition_with_a_bug_stops_no_letter_of_another_flow(
    camp: None, publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(SEND, key="broken")
    publish_flow(SEND)
    expire()
    routing.route(now)
    advancing.advance(now)
    assert Message.objects.filter(state=MessageState.PLANNED).count() == 2
    broken = FlowVersion.objects.filter(flow__key="broken")
    definition = {**broken.get().definition, "stay": [{"kind": "breaks"}]}
    broken.update(definition=definition, content_hash="broken by an update of its extension")
    outbox.send_due(now)
    assert len(mail.outbox) == 1
    assert Message.objects.get(flow__key="broken").state == MessageState.PLANNED


def test_switching_a_flow_off_leaves_no_letter_waiting_for_ever(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int
) -> None:
    publish_flow(SEND)
    expire()
    routing.route(now)
    advancing.advance(now)
    assert Enrollment.objects.get().state == EnrollmentState.ENDED
    flows.archive("gift-cards", now)
    assert Message.objects.get().state == MessageState.CANCELLED
    assert Dispatch.objects.get().state == DispatchState.CANCELLED


def test_people_reach_the_goal_of_the_version_that_they_entered_with(
    camp: None, publish_flow: Publish, expire: Tell, now: datetime, person: Person
) -> None:
    publish_flow(wait("pause", "1h"), goals=["camp_left"])
    expire()
    routing.route(now)
    publish_flow(wait("pause", "1h"))
    intake.record(CampLeft(), person=person)
    routing.route(now + timedelta(seconds=1))
    assert Enrollment.objects.get().exit_reason == "goal"


class Colour(Enum):
    """A colour."""

    RED = "red"


def test_a_decision_keeps_whatever_values_were_compared(db: None, now: datetime) -> None:
    compared = {
        "decimal": Decimal("1.50"),
        "moment": now,
        "enum": Colour.RED,
        "lazy": gettext_lazy("Name"),
        "uuid": UUID(int=7),
        "nothing": float("nan"),
        "bytes": b"\x00\xff",
        "nul": "a\0b",
        "half": "\ud83d",
        "emoji": "🧦",
        7: {"set": {1}, "object": object()},
    }
    decisions.note_many(
        [decisions.Note(rule="r" * 100, verdict="v" * 100, reason="z" * 100, compared=compared)],
        now,
    )
    kept = Decision.objects.get().compared
    assert kept["decimal"] == "1.50"
    assert kept["enum"] == "red"
    assert kept["lazy"] == "Name"
    assert kept["emoji"] == "🧦"


def test_an_event_with_odd_text_is_recorded_and_routed(
    publish_flow: Publish, tick: Tick, now: datetime
) -> None:
    from sandbox.shop_extras.triggers import GiftCardExpiring

    publish_flow(wait("pause", "1h"))
    person = Person(
        email="Anna\0@Example.com", first_name="A\0nn\ud83d" * 100, last_name="🧦",
        language="x" * 50, time_zone="Nowhere/\0" * 30, phone="\0+44 20 7946 0000",
    )  # fmt: skip
    intake.record(
        GiftCardExpiring(code="\0\ud83d" + "x" * 100_000, expires_on=date(2030, 5, 1)),
        person=person,
        about=About(type="gift_card", id="7" * 300),
    )
    assert routing.route(now) == 1
    assert JournalEntry.objects.get().error == ""
    assert JournalEntry.objects.get().routed_at == now


def test_two_long_names_that_begin_alike_are_two_things(
    publish_flow: Publish, expire: Tell, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"))
    expire(card="x" * 118 + "1")
    expire(card="x" * 118 + "2")
    routing.route(now)
    assert Enrollment.objects.count() == 2


def test_a_step_with_the_longest_key_goes_on(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    question = {"kind": "card_begins_with", "letters": "A"}
    branch = {
        "key": "b" * 80, "kind": "branch", "options": {"condition": question},
        "branches": {"yes": [{**SEND, "key": "s" * 80}], "no": []},
    }  # fmt: skip
    publish_flow(branch)
    expire()
    tick(now)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    "text",
    [
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: wait, options: {duration: 99999999999999w}}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: wait, options: {duration: 90000000d}}",
        "flow: a\ntrigger: gift_card_expiring\nmax_lateness: 99999999999999w\nsteps: []",
        "flow: a\ntrigger: {kind: basket_left, minimum_value: NaN}\nsteps: []",
        "flow: a\ntrigger: {kind: basket_left, minimum_value: Infinity}\nsteps: []",
        "flow: a\ntrigger: {kind: basket_left, minimum_value: [1]}\nsteps: []",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: wait, options: text}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: wait, branches: {yes: text}}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: branch, options: {condition: 5}}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: branch, options: {condition: {kind: [1]}}}",
        "flow: a\ntrigger: gift_card_expiring\ngoals: 5\nsteps: []",
        "flow: a\ntrigger: gift_card_expiring\ngoals: [[1]]\nentry: [{kind: {a: 1}}]\nsteps: []",
        "flow: a\ntrigger: gift_card_expiring\nsteps: {a: b}",
        "flow: a\ntrigger: gift_card_expiring\nsend_window: {from: '09:00', days: 5}\nsteps: []",
        "flow: a\ntrigger: gift_card_expiring\nmax_lateness: 0s\nsteps:\n- {key: w, kind: wait, options: {duration: 1h}}",
        f"flow: a\nname: {'n' * 300}\ntrigger: gift_card_expiring\nsteps: []",
        f"flow: a\ntopic: {'n' * 300}\nstream: transactional\ntrigger: gift_card_expiring\nsteps:\n- {{key: w, kind: wait, options: {{duration: 1h}}}}",
        "- a",
        "",
        "\0",
        "[" * 2000,
        "flow: a\n? [1, 2]\n: 3",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: send, options: {template: a, channel: [1]}}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: send, options: {template: a, voucher: 5}}",
        "flow: a\ntrigger: gift_card_expiring\nsteps:\n- {key: w, kind: exit, options: {reason: bored}}",
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_a_file_is_said_as_a_problem(text: str, db: None) -> None:
    try:
        problems = flows.check(read_flow_file(text))
    except DefinitionError as error:
        problems = list(error.problems)
    assert problems


def test_a_long_tick_leases_as_of_now_and_not_as_of_its_beginning(
    publish_flow: Publish, expire: Tell, agreed: int, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "LEASE_FOR": timedelta(seconds=1)}
    leases: list[timedelta] = []

    def look(**kwargs: Any) -> None:
        leased_until = Dispatch.objects.get().leased_until
        assert leased_until is not None
        leases.append(leased_until - timezone.now())

    @intake.listener("gift_card_expiring")
    def take_long(entries: Any, now: datetime) -> None:
        time.sleep(1.1)

    publish_flow(SEND)
    expire()
    signals.message_sending.connect(look)
    try:
        clockwork.tick()
    finally:
        signals.message_sending.disconnect(look)
        intake._listeners["gift_card_expiring"].remove(take_long)
    [lease] = leases
    assert lease > timedelta(0)


def test_what_a_paused_flow_holds_takes_no_place_in_the_batches_of_others(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int
) -> None:
    publish_flow(SEND, key="paused")
    publish_flow(SEND, key="running")
    expire()
    routing.route(now)
    advancing.advance(now)
    flows.pause("paused", now)
    [chunk] = outbox.due_chunks(now, most=1)
    assert Dispatch.objects.get(pk__in=chunk).message.flow.key == "running"


def test_logs_say_where_something_broke_and_never_whom_it_was_about(
    camp: None,
    publish_flow: Publish,
    expire: Tell,
    tick: Tick,
    now: datetime,
    agreed: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish_flow(SEND, key="entry", entry=[{"kind": "breaks"}])
    publish_flow(SEND, key="stay", stay=[{"kind": "breaks"}])
    publish_flow(SEND)
    with caplog.at_level(logging.DEBUG):
        expire()
        tick(now)
    assert "Enrollment" in caplog.text
    assert "test_hard_cases.py" in caplog.text
    assert "anna" not in caplog.text.lower()
    told = [str(compared) for compared in Decision.objects.values_list("compared", flat=True)]
    assert "anna" not in "".join(told).lower()


def test_a_letter_under_way_when_its_flow_ended_is_not_tried_again(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int, settings: Any
) -> None:
    publish_flow(SEND, wait("after", "1d"))
    expire()
    routing.route(now)
    advancing.advance(now)
    enrollment = Enrollment.objects.get()

    class Meanwhile(Channel):
        """A mail server that is down, while staff let everybody out."""

        def send_many(self, parcels: Any) -> list[Receipt]:
            enrollments.exit_many([enrollment.pk], "cancelled", now)
            return [Receipt(dispatch_id=p.dispatch_id, outcome=Outcome.FAILED) for p in parcels]

        def close(self) -> None:
            """Have nothing to let go of."""

        @classmethod
        def from_options(cls, options: Any) -> Meanwhile:
            """Need no options."""
            return cls()

        def normalise(self, value: str) -> str:
            """Leave it as it is."""
            return value

    with channels.registry.temporarily("email", Meanwhile):
        outbox.send_due(now)
    assert Dispatch.objects.get().state == DispatchState.RETRY
    outbox.send_due(now + timedelta(hours=1))
    assert not mail.outbox
    assert Message.objects.get().state == MessageState.CANCELLED


class _NoReceipts(Channel):
    """A channel that forgets what it promised."""

    @classmethod
    def from_options(cls, options: Any) -> _NoReceipts:
        """Need no options."""
        return cls()

    def send_many(self, parcels: Any) -> list[Receipt]:
        """Say nothing."""
        return []

    def close(self) -> None:
        """Break at the end as well."""
        raise RuntimeError("closed twice")


def test_a_channel_that_gives_no_receipt_leaves_no_letter_hanging(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int
) -> None:
    publish_flow(SEND)
    expire()
    routing.route(now)
    advancing.advance(now)
    with channels.registry.temporarily("email", _NoReceipts):
        outbox.send_due(now)
    assert Message.objects.get().state == MessageState.UNKNOWN


@pytest.mark.django_db(transaction=True)
def test_who_is_let_out_while_being_moved_on_gets_no_letter(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int
) -> None:
    def let_out() -> None:
        try:
            enrollments.exit_many([Enrollment.objects.get().pk], "cancelled", now)
        finally:
            connection.close()

    thread = threading.Thread(target=let_out)

    @dataclass(frozen=True, kw_only=True)
    class TakesLong(Step):
        kind: ClassVar[str] = "takes_long"

        def run(self, visit: Any, now: datetime) -> Advance:
            thread.start()
            time.sleep(0.5)
            return Advance()

    with steps.registry.temporarily("takes_long", TakesLong):
        publish_flow({"key": "long", "kind": "takes_long"}, SEND, wait("after", "1d"))
        expire()
        routing.route(now)
        advancing.advance(now)
    thread.join()
    outbox.send_due(now)
    assert Enrollment.objects.get().exit_reason == "cancelled"
    assert not mail.outbox
    assert not Message.objects.exclude(state=MessageState.CANCELLED).exists()


def test_publishing_again_lets_those_go_on_who_were_held(
    camp: None, publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(SEND, stay=[{"kind": "breaks"}])
    expire()
    with conditions.registry.temporarily("breaks", Breaks):
        del conditions.registry._entries["breaks"]
        tick(now)
        conditions.registry._entries["breaks"] = Breaks
    assert Enrollment.objects.get().state == EnrollmentState.HELD
    with conditions.registry.temporarily("breaks", Holds):
        publish_flow(SEND, stay=[{"kind": "breaks"}])
        tick(now)
    assert len(mail.outbox) == 1


def test_a_file_may_hold_dates(
    camp: None, publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    entry = read_flow_file("flow: a\nentry: [{kind: since, day: 2020-02-03}]").entry
    publish_flow(SEND, entry=list(entry), name="A flow\0")
    expire()
    tick(now)
    assert len(mail.outbox) == 1


def test_a_voucher_made_while_its_letter_is_cancelled_is_taken_back(
    publish_flow: Publish, expire: Tell, now: datetime, agreed: int
) -> None:
    real = incentives.registry.get("voucher")

    class CancelledMeanwhile:
        """Grants as the shop does, a moment after staff let everybody out."""

        problems = real.problems
        revoke = real.revoke

        def grant(self, message_id: int, *rest: Any) -> Any:
            enrollments.cancel_planned([message_id], "cancelled", now)
            return real.grant(message_id, *rest)

    promise = {"template": "card", "voucher": {"percent": 10, "valid": "2d"}}
    with incentives.registry.temporarily("voucher", CancelledMeanwhile()):
        publish_flow({"key": "letter", "kind": "send", "options": promise})
        expire()
        routing.route(now)
        advancing.advance(now)
        outbox.send_due(now)
    assert not mail.outbox
    grant = VoucherGrant.objects.get()
    assert (grant.voucher_id, grant.revoked_at is not None) == (None, True)
