"""Messages on their way out: truth at the last moment, failures, crashes, doubts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import Q

from oscar_triggers import signals
from oscar_triggers.engine import advancing, enrollments, flows, outbox
from oscar_triggers.exceptions import CancelMessage
from oscar_triggers.models import (
    ConsentAction,
    ConsentEvent,
    ContactPoint,
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    ExitReason,
    FlowVersion,
    Message,
    MessageState,
    Suppression,
)
from oscar_triggers.policy import guards
from oscar_triggers.policy.guards import Consequence, Refused, SendGuard

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]


@pytest.fixture
def planned(publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int) -> Message:
    """Return a letter to Anna that is due and not yet prepared."""
    publish_flow(wait("pause", "1h"), SEND, wait("after", "1d"), max_lateness="2d")
    expire()
    tick(now)
    advancing.advance(now + timedelta(hours=1))
    return Message.objects.get()


@pytest.fixture
def later(now: datetime) -> datetime:
    """Return the moment at which the planned letter is due."""
    return now + timedelta(hours=1)


def test_a_due_letter_is_sent_once_with_its_reasons(planned: Message, later: datetime) -> None:
    assert outbox.send_due(later) == 1
    assert outbox.send_due(later) == 0
    [letter] = mail.outbox
    assert letter.to == ["anna@example.com"]
    assert letter.subject == "Your card A1"
    planned.refresh_from_db()
    assert planned.state == MessageState.SENT
    decision = Decision.objects.get(message=planned, verdict="sent")
    assert decision.compared["consent"]["consent_event"] == ConsentEvent.objects.get().pk


def test_who_never_agreed_gets_nothing_and_the_log_says_why(
    planned: Message, later: datetime
) -> None:
    ConsentEvent.objects.all()._raw_delete("default")
    outbox.send_due(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.SKIPPED, "no_consent")
    assert not mail.outbox
    assert Enrollment.objects.get().state == "active"


def _withdraw(message: Message, at: datetime) -> None:
    granted = ConsentEvent.objects.get()
    ConsentEvent.objects.create(
        contact=granted.contact, channel="email", point_hash=granted.point_hash, topic="*",
        action=ConsentAction.WITHDRAW, basis=granted.basis, source="test",
        occurred_at=at, recorded_at=at,
    )  # fmt: skip


def test_who_took_it_back_leaves_the_flow(planned: Message, later: datetime) -> None:
    _withdraw(planned, later)
    outbox.send_due(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.SKIPPED, "withdrawn")
    assert Enrollment.objects.get().exit_reason == ExitReason.UNSUBSCRIBED


class _LastMoment(SendGuard):
    """Does something between the preparing of a letter and its mark, as another process would."""

    name = "last_moment"
    act: Callable[[], object] = staticmethod(lambda: None)

    def refusal(self, subject: Any, observed: Any) -> Q | None:
        """Act, and refuse nothing itself."""
        type(self).act()
        return None

    def explain(self, subject: Any, observed: Any, now: datetime) -> Refused | None:
        """Have nothing to say."""
        return None


@pytest.fixture
def at_the_last_moment() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Return a function that has something happen right before the mark."""

    def happen(act: Callable[[], object]) -> None:
        _LastMoment.act = staticmethod(act)

    with guards.registry.temporarily("last_moment", _LastMoment()):
        yield happen
    _LastMoment.act = staticmethod(lambda: None)


def test_consent_taken_back_after_preparing_stops_the_letter(
    planned: Message, later: datetime, at_the_last_moment: Any
) -> None:
    at_the_last_moment(lambda: _withdraw(planned, later))
    outbox.send_due(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.SKIPPED, "withdrawn")
    assert not mail.outbox
    assert Dispatch.objects.get().attempt == 0


def test_a_flow_paused_after_preparing_stops_the_letter_until_it_goes_on(
    planned: Message, later: datetime, at_the_last_moment: Any
) -> None:
    at_the_last_moment(lambda: flows.pause("gift-cards", later))
    outbox.send_due(later)
    assert Dispatch.objects.get().state == DispatchState.PLANNED
    assert outbox.send_due(later + timedelta(minutes=1)) == 0
    at_the_last_moment(lambda: None)
    flows.resume("gift-cards", later)
    outbox.send_due(later + timedelta(minutes=1))
    assert len(mail.outbox) == 1


def test_leaving_the_flow_after_preparing_cancels_the_letter(
    planned: Message, later: datetime, at_the_last_moment: Any
) -> None:
    enrollment = Enrollment.objects.get()
    at_the_last_moment(lambda: enrollments.exit_many([enrollment.pk], ExitReason.GOAL, later))
    outbox.send_due(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.CANCELLED, "goal")
    assert not mail.outbox


class _Refusing(SendGuard):
    """Refuses in the database, with a consequence that a test sets."""

    name = "refusing"
    consequence = Consequence.SKIP

    def refusal(self, subject: Any, observed: Any) -> Q | None:
        """Refuse every row."""
        return Q(pk__gt=0)

    def explain(self, subject: Any, observed: Any, now: datetime) -> Refused | None:
        """Say so."""
        return Refused(
            reason="no", consequence=self.consequence, compared={"a": 1}, exit_reason="goal"
        )


@pytest.mark.parametrize(
    ("consequence", "state", "still_on_the_way"),
    [
        (Consequence.SKIP, MessageState.SKIPPED, True),
        (Consequence.EXIT, MessageState.SKIPPED, False),
        (Consequence.STALE, MessageState.PLANNED, True),
    ],
)
def test_a_guard_that_refuses_stops_the_letter(
    consequence: Consequence,
    state: MessageState,
    still_on_the_way: bool,
    planned: Message,
    later: datetime,
) -> None:
    guard = _Refusing()
    guard.consequence = consequence
    with guards.registry.temporarily("refusing", guard):
        outbox.send_due(later)
    planned.refresh_from_db()
    assert planned.state == state
    assert not mail.outbox
    assert Dispatch.objects.get().attempt == 0
    assert Enrollment.objects.filter(state="active").exists() is still_on_the_way
    assert Decision.objects.filter(rule="refusing", compared={"a": 1}).exists()


def test_a_letter_that_is_too_late_is_never_sent(planned: Message, later: datetime) -> None:
    outbox.send_due(later + timedelta(days=3))
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.EXPIRED, "too_late")
    assert not mail.outbox


def test_a_receiver_may_veto_and_a_broken_one_changes_nothing(
    planned: Message, later: datetime
) -> None:
    def break_down(**kwargs: object) -> None:
        raise RuntimeError("broken receiver")

    def veto(**kwargs: object) -> None:
        raise CancelMessage("not on Sundays")

    signals.message_sending.connect(veto)
    try:
        outbox.send_due(later)
    finally:
        signals.message_sending.disconnect(veto)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.SKIPPED, "veto")
    Message.objects.update(state=MessageState.PLANNED, reason="")
    Dispatch.objects.update(state=DispatchState.PLANNED)
    signals.message_sending.connect(break_down)
    try:
        outbox.send_due(later)
    finally:
        signals.message_sending.disconnect(break_down)
    assert len(mail.outbox) == 1


def test_a_suppressed_address_is_never_written_to(planned: Message, later: datetime) -> None:
    point = ContactPoint.objects.get()
    Suppression.objects.create(
        channel="email", point_hash=point.point_hash, reason="bounce", created_at=later
    )
    outbox.send_due(later)
    planned.refresh_from_db()
    assert planned.reason == "suppressed"
    assert not mail.outbox


def test_a_worker_that_died_while_preparing_costs_no_attempt(
    planned: Message, later: datetime
) -> None:
    Dispatch.objects.update(
        state=DispatchState.LEASED, lease_owner="dead", leased_until=later - timedelta(seconds=1)
    )
    assert outbox.recover(later) == 1
    row = Dispatch.objects.get()
    assert (row.state, row.attempt, row.crashes) == (DispatchState.PLANNED, 0, 1)
    outbox.send_due(later)
    assert len(mail.outbox) == 1


def _died_sending(later: datetime) -> None:
    Dispatch.objects.update(
        state=DispatchState.SENDING, attempt=1, lease_owner="dead",
        leased_until=later - timedelta(seconds=1),
    )  # fmt: skip


def test_a_hand_over_that_nobody_can_tell_is_held_and_shown(
    planned: Message, later: datetime
) -> None:
    _died_sending(later)
    outbox.recover(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.UNKNOWN, "worker_died")
    assert outbox.send_due(later) == 0
    row = Enrollment.objects.get()
    assert row.due_at == later


def test_what_may_have_arrived_is_in_doubt_also_at_the_last_crash(
    planned: Message, later: datetime
) -> None:
    _died_sending(later)
    Dispatch.objects.update(crashes=2)
    outbox.recover(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.UNKNOWN, "worker_died")


def test_a_flow_may_choose_to_send_again_when_in_doubt(planned: Message, later: datetime) -> None:
    Message.objects.update(options={"on_doubt": "resend"})
    _died_sending(later)
    outbox.recover(later)
    outbox.send_due(later)
    assert len(mail.outbox) == 1


def test_three_crashes_end_a_dispatch(planned: Message, later: datetime) -> None:
    for _crash in range(3):
        Dispatch.objects.update(
            state=DispatchState.LEASED, lease_owner="dead",
            leased_until=later - timedelta(seconds=1),
        )  # fmt: skip
        outbox.recover(later)
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == (MessageState.DEAD, "crashed")


def test_a_broken_letter_spares_its_neighbours(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(wait("pause", "1h"), SEND)
    expire(card="1")
    expire(card="2")
    tick(now)
    Enrollment.objects.filter(about_id="1").update(payload={"code": "A1"})
    advancing.advance(now + timedelta(hours=1))
    outbox.send_due(now + timedelta(hours=1))
    states = {m.about_id: (m.state, m.reason) for m in Message.objects.all()}
    assert states["1"] == (MessageState.PLANNED, "")
    assert states["2"] == (MessageState.SENT, "")
    for hours in (2, 3):
        # Its cause may be gone by then.
        outbox.send_due(now + timedelta(hours=hours))
    states = {m.about_id: (m.state, m.reason) for m in Message.objects.all()}
    assert states["1"] == (MessageState.DEAD, "cannot_compose")
    assert states["2"] == (MessageState.SENT, "")


def test_a_letter_speaks_the_language_of_the_person(
    publish_letter: Callable[..., Any], planned: Message, later: datetime
) -> None:
    publish_letter(language="ru", subject="Ваша карта {{ gift_card.code }}")
    assert planned.contact is not None
    planned.contact.language = "ru"
    planned.contact.save()
    outbox.send_due(later)
    assert mail.outbox[0].subject == "Ваша карта A1"


def test_what_was_said_can_be_read_again_exactly(planned: Message, later: datetime) -> None:
    from oscar_triggers.engine import reading

    outbox.send_due(later)
    planned.refresh_from_db()
    letter = reading.letter_of(planned)
    assert letter is not None
    [sent] = mail.outbox
    tracked = f"http://localhost:8000/t/c/{planned.public_id}1/"
    assert tracked in sent.body, "what leaves leads through the shop"
    assert (letter.subject, letter.text) == (
        sent.subject,
        sent.body.replace(tracked, "http://localhost:8000"),
    ), "what is read again shows where its links lead"
    [(html, _type)] = [tuple(part) for part in sent.alternatives]
    plain = re.sub(r'<a href="[^"]*0/" style="display:none"[^>]*></a>', "", html)
    assert letter.html == plain.replace(tracked, "http://localhost:8000")
