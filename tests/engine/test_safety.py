"""What keeps letters at home: redirects, lists of who may get any, the stop, and whose shop it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.locmem import EmailBackend as LocmemBackend
from django.utils import timezone

from oscar_triggers.channels import Parcel
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.engine import catches, clockwork, installation, intake, outbox, trials
from oscar_triggers.models import (
    Decision,
    Dispatch,
    DispatchState,
    Enrollment,
    Installation,
    JournalEntry,
    Message,
    MessageState,
)
from tests.engine.conftest import BODY, SEND
from tests.mail import SmtpSink, use_backend
from tests.storm.world import card_records, publish_card_flow

pytestmark = pytest.mark.django_db

Setter = Callable[..., None]


@pytest.fixture
def say(settings: Any) -> Setter:
    """Return a function that changes keys of OSCAR_TRIGGERS."""

    def change(**keys: Any) -> None:
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **keys}

    return change


@pytest.fixture
def letter_due(publish_flow: Any, expire: Any, agreed: int, now: datetime) -> datetime:
    """Have a letter to Anna due, and say when."""
    publish_flow(SEND)
    expire()
    clockwork.tick(now, send=False)
    return now + timedelta(seconds=1)


# ── REDIRECT_ALL_TO ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "backend",
    [
        "django.core.mail.backends.smtp.EmailBackend",
        "oscar_triggers.builtin.smtp.EmailBackend",
    ],
)
def test_a_redirected_letter_goes_elsewhere_whole_and_says_whom_it_was_for(
    smtp_sink: SmtpSink, settings: Any, say: Setter, letter_due: datetime, backend: str
) -> None:
    use_backend(settings, backend, host="127.0.0.1", port=smtp_sink.port, timeout=10)
    say(REDIRECT_ALL_TO="QA@Staging.Example.com")
    outbox.send_due(letter_due)
    [letter] = smtp_sink.wait_for(1)
    assert smtp_sink.envelopes[0].rcpt_tos == ["qa@staging.example.com"]
    assert letter["To"] == "qa@staging.example.com"
    assert letter["X-Triggers-Original-To"] == "anna@example.com"
    assert letter["Subject"] == "Your card A1"
    assert smtp_sink.raw[0].count(b"anna@example.com") == 1
    assert Dispatch.objects.get().state == DispatchState.SENT
    kept = [str(row.compared) for row in Decision.objects.all()]
    kept += list(Dispatch.objects.values_list("detail", flat=True))
    assert "anna@" not in str(kept)


def test_a_channel_without_a_redirect_sends_nothing(say: Setter, letter_due: datetime) -> None:
    say(REDIRECT_ALL_TO={"sms": "+4930123456"})
    outbox.send_due(letter_due)
    assert mail.outbox == []
    message = Message.objects.get()
    assert (message.state, message.reason) == (MessageState.SKIPPED, "no_redirect")


def test_a_redirect_that_bounces_suppresses_nobody(
    smtp_sink: SmtpSink, say: Setter, letter_due: datetime
) -> None:
    from oscar_triggers.models import Suppression

    say(REDIRECT_ALL_TO="qa@example.com")
    smtp_sink.refuse_with = "550 5.1.1 no such user"
    outbox.send_due(letter_due)
    assert Dispatch.objects.get().state == DispatchState.DEAD
    assert not Suppression.objects.exists()


def test_a_redirect_whose_mailbox_is_full_wears_nobody_out(
    smtp_sink: SmtpSink, say: Setter, letter_due: datetime
) -> None:
    from oscar_triggers.models import ProviderReport

    say(REDIRECT_ALL_TO="qa@example.com")
    smtp_sink.refuse_with = "552 5.2.2 mailbox full"
    outbox.send_due(letter_due)
    assert Dispatch.objects.get().state == DispatchState.DEAD
    assert not ProviderReport.objects.exists()


@pytest.mark.parametrize("kind", ["complained", "unsubscribed", "bounced"])
def test_what_is_reported_of_a_redirects_mailbox_is_nobodys_doing(
    say: Setter, letter_due: datetime, agreed: int, kind: str
) -> None:
    from oscar_triggers.engine import returns
    from oscar_triggers.models import ConsentEvent, Suppression
    from oscar_triggers.policy.bounces import Weight

    say(REDIRECT_ALL_TO="qa@example.com")
    outbox.send_due(letter_due)
    event = returns.ProviderEvent(
        provider="esp",
        kind=kind,
        public_id=Message.objects.get().public_id,
        point="qa@example.com",
        weight=Weight.HARD if kind == "bounced" else Weight.NONE,
    )
    returns.take_many([event], letter_due + timedelta(minutes=1))
    assert Dispatch.objects.get().feedback == kind
    assert not Suppression.objects.exists()
    assert not ConsentEvent.objects.filter(action="withdraw").exists()


# ── ONLY_TO ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("only_to", "gets_it"),
    [
        (["anna@example.com"], True),
        ([" ANNA@EXAMPLE.COM "], True),
        (["example.com"], True),
        (["Example.COM."], True),
        ([".example.com"], True),
        (["email:anna@example.com"], True),
        (["bert@example.com"], False),
        (["ample.com"], False),
        (["shop.example.com"], False),
        (["+4930123456"], False),
    ],
)
def test_only_who_is_named_gets_a_letter(
    say: Setter, letter_due: datetime, only_to: list[str], gets_it: bool
) -> None:
    say(ONLY_TO=only_to)
    outbox.send_due(letter_due)
    assert bool(mail.outbox) is gets_it
    message = Message.objects.get()
    wanted = (MessageState.SENT, "") if gets_it else (MessageState.SKIPPED, "only_to")
    assert (message.state, message.reason) == wanted


@pytest.mark.parametrize(
    ("entry", "point", "gets_it"),
    [
        ("example.com", "anna@mail.example.com", False),
        (".example.com", "anna@mail.example.com", True),
        (".example.com", "anna@badexample.com", False),
        ("bücher.example", "anna@xn--bcher-kva.example", True),
        ("anna@bücher.example", "Anna@xn--bcher-kva.example", True),
    ],
)
def test_domains_below_count_only_where_they_are_written_so(
    say: Setter, entry: str, point: str, gets_it: bool
) -> None:
    say(ONLY_TO=[entry])
    found = catches.caught(Parcel(dispatch_id=1, to=point), "email")
    assert isinstance(found, Parcel) is gets_it


def test_numbers_are_compared_in_one_spelling(say: Setter) -> None:
    say(ONLY_TO=["+49 30 123456"])
    assert isinstance(catches.caught(Parcel(dispatch_id=1, to="+4930123456"), "sms"), Parcel)
    assert catches.caught(Parcel(dispatch_id=1, to="+4930123457"), "sms") == "only_to"


def test_where_all_goes_must_be_on_the_list_too(say: Setter, letter_due: datetime) -> None:
    say(REDIRECT_ALL_TO="qa@elsewhere.com", ONLY_TO=["example.com"])
    outbox.send_due(letter_due)
    assert mail.outbox == []
    assert Message.objects.get().reason == "only_to"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ONLY_TO", "anna@example.com"),
        ("ONLY_TO", [""]),
        ("ONLY_TO", ["not a domain"]),
        ("ONLY_TO", ["anna@"]),
        ("REDIRECT_ALL_TO", "nobody"),
        ("REDIRECT_ALL_TO", {"email": None}),
        ("REDIRECT_ALL_TO", ["qa@example.com"]),
        ("SENDING", "False"),
        ("BLAST_LIMIT", 0),
    ],
)
def test_a_catch_that_cannot_be_read_lets_nothing_out(
    say: Setter, letter_due: datetime, key: str, value: Any
) -> None:
    say(**{key: value})
    with pytest.raises(ImproperlyConfigured, match=key):
        catches.current()
    with suppress(ImproperlyConfigured):
        outbox.send_due(letter_due)
    assert mail.outbox == []


# ── Trials ───────────────────────────────────────────────────────────────────────────────────────


def _trial(now: datetime) -> Any:
    source = LetterSource(subject="Hello", body=BODY, language="en")
    values = {
        "contact": {"first_name": "Anna"},
        "gift_card": {"code": "A1"},
        "shop": {"url": "https://shop.example", "postal_address": "12 Harbour Street"},
    }
    [receipt] = trials.send_test(source, ["boss@example.org"], values=values, now=now)
    return receipt


def test_test_letters_pass_the_same_catches(say: Setter, now: datetime) -> None:
    assert _trial(now).outcome.value == "sent"
    say(REDIRECT_ALL_TO="qa@example.com")
    _trial(now)
    assert mail.outbox[-1].to == ["qa@example.com"]
    assert mail.outbox[-1].extra_headers["X-Triggers-Original-To"] == "boss@example.org"
    say(REDIRECT_ALL_TO="", ONLY_TO=["example.com"])
    assert "ONLY_TO" in _trial(now).detail
    say(ONLY_TO=[])
    installation.stop(now)
    assert "stopped" in _trial(now).detail
    assert len(mail.outbox) == 2


# ── Stop all sending ─────────────────────────────────────────────────────────────────────────────


class StoppingBackend(LocmemBackend):
    """Takes letters as usual; while it takes the tenth, somebody stops all sending."""

    def send_messages(self, messages: Any) -> int:
        """Keep them in Django's outbox."""
        taken = super().send_messages(messages)
        if len(mail.outbox) == 10:
            installation.stop(timezone.now(), reason="Something is wrong.")
        return taken


def test_a_stop_in_the_middle_of_a_batch_holds_before_the_next_hand_over(
    settings: Any, now: datetime
) -> None:
    use_backend(settings, f"{__name__}.StoppingBackend")
    publish_card_flow()
    intake.record_many(card_records(50))
    clockwork.tick(now, send=False)
    outbox.send_due(now + timedelta(seconds=1))
    assert len(mail.outbox) == 10
    back = Dispatch.objects.exclude(state=DispatchState.SENT)
    assert set(back.values_list("state", "attempt", "crashes")) == {("planned", 0, 0)}
    assert clockwork.tick(now + timedelta(minutes=1)).handed_over == 0
    assert installation.resume(now + timedelta(minutes=2))
    clockwork.tick(now + timedelta(minutes=2))
    assert len(mail.outbox) == 50


def test_what_became_too_late_while_sending_stood_still_is_not_sent(
    letter_due: datetime, now: datetime
) -> None:
    installation.stop(now)
    clockwork.tick(letter_due)
    installation.resume(now + timedelta(days=3))
    clockwork.tick(now + timedelta(days=3))
    assert mail.outbox == []
    assert Message.objects.get().state == MessageState.EXPIRED


def test_the_setting_stops_all_sending_too(say: Setter, letter_due: datetime) -> None:
    say(SENDING=False)
    clockwork.tick(letter_due)
    assert mail.outbox == []
    say(SENDING=True)
    clockwork.tick(letter_due)
    assert len(mail.outbox) == 1


def test_stopping_twice_is_stopping_once(now: datetime) -> None:
    assert installation.stop(now, reason="First.")
    assert not installation.stop(now, reason="Second.")
    assert Installation.objects.get().stop_reason == "First."
    assert installation.resume(now)
    assert not installation.resume(now)


# ── Whose database it is ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        {"ENVIRONMENT": "staging"},
        {"HOST": "staging-1"},
        {"BASE_URL": "https://staging.shop.example"},
    ],
)
def test_a_copy_that_is_started_elsewhere_rests_until_it_is_adopted(
    say: Setter, letter_due: datetime, expire: Any, now: datetime, change: dict[str, str]
) -> None:
    say(**change)
    expire(code="B2", card="8")
    people = Enrollment.objects.count()
    for minutes in range(3):
        clockwork.tick(letter_due + timedelta(minutes=minutes))
    assert outbox.send_due(letter_due) == 0
    assert mail.outbox == []
    assert Enrollment.objects.count() == people
    assert JournalEntry.objects.filter(routed_at=None).exists()
    assert [name for name, _here, _there in installation.differences()] == [*change]
    installation.adopt(letter_due)
    clockwork.tick(letter_due + timedelta(minutes=4))
    assert len(mail.outbox) == 2


def test_a_worker_of_the_copy_does_nothing_urgent_either(
    say: Setter, publish_flow: Any, expire: Any, agreed: int, now: datetime
) -> None:
    publish_flow(SEND)
    clockwork.tick(now)
    say(ENVIRONMENT="staging")
    expire()
    assert clockwork.do_urgent(now + timedelta(seconds=1)) == 0
    assert not Enrollment.objects.exists()


def test_a_worker_of_the_copy_that_began_before_marks_nothing(
    say: Setter, letter_due: datetime
) -> None:
    """The mark asks by itself: also who leased before the database was found foreign."""
    from oscar_triggers.engine import hand_over, preparing
    from oscar_triggers.models.sql import lease

    lease(
        Dispatch, where="1 = 1", params=[], order_by="id", owner="me", limit=9,
        until=letter_due + timedelta(minutes=1), assignments="state = 'leased'",
    )  # fmt: skip
    rows = list(Dispatch.objects.select_related("message__contact", "message__flow"))
    ready = preparing.prepare(rows, letter_due)
    assert ready
    say(ENVIRONMENT="staging")
    hand_over.hand_over(ready, letter_due, "me")
    assert mail.outbox == []
    assert Dispatch.objects.get().state == DispatchState.PLANNED
