"""A provider that is down is left alone, and no message pays for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from oscar_triggers import channels, tasks
from oscar_triggers.channels import Channel, Outcome, Parcel, Receipt
from oscar_triggers.engine import allowances, clockwork, intake, outbox, paces, retries
from oscar_triggers.models import Alarm, Breaker, BreakerState, Dispatch, DispatchState, Message
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 30
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class MoodyChannel(Channel):
    """Answers as a test says, and remembers what it took."""

    kind: ClassVar[str] = "email"
    content: ClassVar[str] = "email"
    took: ClassVar[list[int]] = []
    tries: ClassVar[list[int]] = []
    answer: ClassVar[Callable[[int], Receipt]]

    def normalise(self, value: str) -> str:
        """Return it as it is."""
        return value

    def send_many(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Answer each."""
        receipts = []
        for parcel in parcels:
            self.tries.append(parcel.dispatch_id)
            receipt = type(self).answer(parcel.dispatch_id)
            if receipt.outcome is Outcome.SENT:
                self.took.append(parcel.dispatch_id)
            receipts.append(receipt)
        return receipts


def down(dispatch_id: int) -> Receipt:
    return Receipt(
        dispatch_id=dispatch_id, outcome=Outcome.FAILED, provider_is_down=True, detail="421 gone"
    )


def works(dispatch_id: int) -> Receipt:
    return Receipt(dispatch_id=dispatch_id, outcome=Outcome.SENT)


@pytest.fixture
def provider() -> Any:
    MoodyChannel.took.clear()
    MoodyChannel.tries.clear()
    MoodyChannel.answer = works
    with channels.registry.temporarily("email", MoodyChannel):
        yield MoodyChannel


@pytest.fixture
def due(now: datetime, provider: Any) -> datetime:
    publish_card_flow()
    intake.record_many(card_records(PEOPLE))
    clockwork.tick(now, send=False)
    return now + SECOND


def _send_all(moment: datetime) -> None:
    for _batch in range(100):
        if not outbox.send_due(moment):
            return
    raise AssertionError("it never ends")


def test_a_provider_that_is_down_for_ten_minutes_burns_no_attempt(
    due: datetime, provider: Any
) -> None:
    provider.answer = down
    moment = due
    while moment < due + timedelta(minutes=10):
        _send_all(moment)
        moment += timedelta(seconds=5)
    assert set(Dispatch.objects.values_list("state", "attempt")) == {("planned", 0)}
    assert len(provider.tries) < 40, "it is left alone, and tried with pauses that grow"
    assert Breaker.objects.get().state == BreakerState.OPEN
    assert Alarm.objects.get(key="breaker:email").cleared_at is None

    provider.answer = works
    _send_all(moment + timedelta(minutes=11))
    assert sorted(provider.took) == sorted(Dispatch.objects.values_list("pk", flat=True))
    assert set(Dispatch.objects.values_list("state", "attempt")) == {("sent", 1)}
    assert Breaker.objects.get().state == BreakerState.CLOSED
    assert Alarm.objects.get(key="breaker:email").cleared_at is not None


def test_while_it_is_left_alone_one_message_is_tried_by_one_worker(
    due: datetime, provider: Any, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "HAND_OVER_GROUP": 20}
    provider.answer = down
    _send_all(due)
    retry_at = Breaker.objects.get().retry_at
    assert retry_at is not None
    provider.tries.clear()
    _send_all(retry_at - SECOND)
    assert provider.tries == []
    _send_all(retry_at + SECOND)
    assert len(provider.tries) == 1
    again = Breaker.objects.get().retry_at
    assert again is not None
    assert again - retry_at > timedelta(seconds=30), "the pause grows"


def test_what_became_too_late_meanwhile_is_not_sent_and_says_so(
    due: datetime, provider: Any
) -> None:
    provider.answer = down
    _send_all(due)
    late = list(Message.objects.order_by("pk").values_list("pk", flat=True)[:10])
    Message.objects.filter(pk__in=late).update(not_after=due + timedelta(minutes=5))
    provider.answer = works
    _send_all(due + timedelta(minutes=30))
    assert len(provider.took) == PEOPLE - len(late)
    assert set(Message.objects.filter(pk__in=late).values_list("state", "reason")) == {
        ("expired", "too_late")
    }


def test_a_letter_in_doubt_counts_against_the_provider(due: datetime, provider: Any) -> None:
    provider.answer = lambda pk: Receipt(
        dispatch_id=pk, outcome=Outcome.UNKNOWN, provider_is_down=True
    )
    _send_all(due)
    assert Breaker.objects.get().state == BreakerState.OPEN
    assert Dispatch.objects.filter(state=DispatchState.UNKNOWN).count() == 5
    assert Dispatch.objects.filter(state=DispatchState.PLANNED, attempt=0).count() == PEOPLE - 5


def test_a_pause_that_the_provider_asked_for_is_kept(due: datetime, provider: Any) -> None:
    provider.answer = lambda pk: Receipt(
        dispatch_id=pk, outcome=Outcome.FAILED, provider_is_down=True, retry_after_seconds=3_600
    )
    _send_all(due)
    _send_all(due + timedelta(minutes=59))
    assert len(provider.tries) == 1
    provider.answer = works
    _send_all(due + timedelta(minutes=61))
    assert len(provider.took) == PEOPLE


def test_pauses_are_spread_grow_and_end() -> None:
    failed = Receipt(dispatch_id=1, outcome=Outcome.FAILED)
    firsts = {retries.pause(failed, pk, 1) for pk in range(50)}
    assert len(firsts) > 40
    assert all(one and timedelta(seconds=30) <= one <= timedelta(minutes=1) for one in firsts)
    assert retries.pause(failed, 7, 1) == retries.pause(failed, 7, 1)
    assert retries.pause(failed, 7, 5) is None


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_go_than_the_rate_allows_and_their_order_stays(
    due: datetime, provider: Any, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "RATES": {"email": "4/s"}}
    expected = list(Dispatch.objects.order_by("lane", "due_at", "pk").values_list("pk", flat=True))
    moment = due
    for second in range(5):
        for _batch in range(10):
            outbox.send_due(moment)
        assert len(provider.took) == 4 * (second + 1)
        moment += SECOND
    assert provider.took == expected[: len(provider.took)]
    assert set(
        Dispatch.objects.exclude(state=DispatchState.SENT).values_list("state", "attempt")
    ) == {("planned", 0)}


def test_a_domain_has_a_rate_of_its_own(now: datetime, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "RATES": {"domain:gmail.com": "2/s"}}
    booked = [allowances.book("gmail.com", now) for _letter in range(6)]
    assert booked[:2] == [None, None]
    waits = [round((one - now).total_seconds(), 3) for one in booked[2:] if one]
    assert waits == [0.5, 1.0, 1.5, 2.0]
    assert allowances.book("example.com", now) is None
    assert allowances.book("gmail.com", now, at_once=True) is None


def test_letters_to_a_slow_domain_wait_for_their_tokens_and_others_do_not(
    due: datetime, provider: Any, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "RATES": {"domain:example.com": "10/s"}}
    _send_all(due)
    assert len(provider.took) == 10
    _send_all(due + timedelta(seconds=1))
    assert len(provider.took) == 20
    _send_all(due + timedelta(seconds=2))
    assert len(provider.took) == PEOPLE
    assert provider.took == sorted(provider.took)


def test_celerys_tick_finds_out_that_the_provider_is_back(
    due: datetime, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = due - timedelta(days=365)
    Dispatch.objects.update(due_at=past)
    Breaker.objects.create(
        name="email", state=BreakerState.OPEN, failures=5, openings=1, retry_at=past
    )
    rung: list[list[int]] = []
    monkeypatch.setattr(
        tasks.send_chunk, "apply_async", lambda args, **options: rung.append(args[0])
    )
    # Those at the head are too late by now: they are no answer, and do not end the search.
    late = list(Dispatch.objects.order_by("pk").values_list("message", flat=True)[:5])
    Message.objects.filter(pk__in=late).update(not_after=past)
    tasks.tick()
    while rung:
        tasks.send_chunk(rung.pop(0))
    assert Breaker.objects.get().state == BreakerState.CLOSED
    assert len(provider.took) == PEOPLE - len(late)
    assert set(Dispatch.objects.values_list("state", "attempt")) == {("sent", 1), ("expired", 0)}


def test_a_slow_provider_gets_small_batches_and_what_is_left_goes_on_at_once(
    due: datetime, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(dispatch_id: int) -> Receipt:
        time.sleep(0.05)
        return works(dispatch_id)

    provider.answer = slowly
    Dispatch.objects.update(due_at=due - timedelta(days=365))
    ids = list(Dispatch.objects.order_by("pk").values_list("pk", flat=True))
    began = time.monotonic()
    left = clockwork.work_on(ids)
    assert time.monotonic() - began < 2
    assert 0 < len(left) < PEOPLE
    assert sorted([*provider.took, *left]) == ids
    assert set(Dispatch.objects.filter(pk__in=left).values_list("state", "attempt")) == {
        ("planned", 0)
    }
    assert paces.size() < 10
